"""Forms with a file in them, read as they arrive: fields in memory and bounded, the file handed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from rocamadre.api.openai.errors import BadParameter

_MOST_FIELDS = 32
_LONGEST_FIELD = 10_000
_LONGEST_HEADER = 4096


@dataclass(slots=True)
class Form:
    """A form.

    Attributes:
        fields: By name; the last of a repeated one.
        file_name: Of the file, as the client called it; None when there was none.
    """

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None


async def read_form(
    content_type: str, stream: AsyncIterable[bytes], *, file_field: str, add: Callable[[bytes], None]
) -> Form:
    """Read a multipart form.

    Args:
        content_type: The request's header.
        stream: Its body.
        file_field: Name of the one field that holds a file.
        add: Called with the pieces of the file, in a thread.

    Raises:
        BadParameter: it is no such form, or has too much beside the file.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise BadParameter("Send the file as multipart/form-data with a boundary.", param=None, code=None)
    reader = _Reader(file_field, add)
    try:
        parser = MultipartParser(options[b"boundary"], reader.callbacks())
        async for piece in stream:
            await asyncio.to_thread(parser.write, piece)
        await asyncio.to_thread(parser.finalize)
    except FormParserError as error:
        raise BadParameter(f"The form could not be read: {error}", param=None, code=None) from error
    if not reader.is_whole:
        raise BadParameter("The form broke off before its last boundary.", param=None, code=None)
    return reader.form


class _Reader:
    def __init__(self, file_field: str, add: Callable[[bytes], None]) -> None:
        self.form = Form()
        self.is_whole = False
        self._file_field = file_field
        self._add = add
        self._parts = 0
        self._header = [b"", b""]
        self._name = ""
        self._is_file = False
        self._value = b""

    def callbacks(self) -> Any:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._add_header(0, data[start:end]),
            "on_header_value": lambda data, start, end: self._add_header(1, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_FIELDS:
            raise BadParameter(f"A form has at most {_MOST_FIELDS} fields.", param=None, code=None)
        self._name, self._is_file, self._value = "", False, b""

    def _add_header(self, place: int, piece: bytes) -> None:
        self._header[place] += piece
        if len(self._header[place]) > _LONGEST_HEADER:
            raise BadParameter("A header of the form is too long.", param=None, code=None)

    def _end_header(self) -> None:
        (name, value), self._header = self._header, [b"", b""]
        if name.lower() != b"content-disposition":
            return
        _, options = parse_options_header(value)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = options.get(b"filename")
        self._is_file = self._name == self._file_field and file_name is not None
        if self._is_file:
            if self.form.file_name is not None:
                raise BadParameter(f"'{self._file_field}' is given twice.", param=self._file_field)
            self.form.file_name = (file_name or b"").decode("utf-8", "replace")

    def _end_headers(self) -> None:
        if not self._name:
            raise BadParameter("A part of the form has no name.", param=None, code=None)

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._is_file:
            self._add(piece)
            return
        self._value += piece
        if len(self._value) > _LONGEST_FIELD:
            raise BadParameter(f"'{self._name[:80]}' is longer than {_LONGEST_FIELD} bytes.", param=self._name[:80])

    def _end(self) -> None:
        if not self._is_file:
            self.form.fields[self._name] = self._value.decode("utf-8", "replace")

    def _finish(self) -> None:
        self.is_whole = True
