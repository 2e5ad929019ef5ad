"""A file that is one JSON array of objects, or objects over several lines, read one after another."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import Any

from rocamadre.datasets.encodings import LONGEST_RECORD, Lines
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.readers.jsonl import object_row
from rocamadre.datasets.readers.types import Row
from rocamadre.datasets.sources import Source, unpacked

_FIX = "write one JSON object a line (JSON Lines), or one array of objects"
_BLANK = " \t\r\n"


class _MoreText(Exception):
    """What is held ends within a value."""


class _Values:
    """The values of an array, cut out of text that comes in pieces."""

    def __init__(self) -> None:
        self.line = 1
        self.begins = 1
        self.ended = False
        self._text = ""
        self._decoder = json.JSONDecoder()
        self._begun = self._in_array = False
        self._wanted = 0

    def add(self, text: str) -> None:
        """More of the file."""
        self._text += text

    def take(self, *, all_is_here: bool) -> Any:
        """The next value.

        Raises:
            _MoreText: it is not here yet, or there is none left.
            BadRecord: what stands there is no JSON.
        """
        if not all_is_here and len(self._text) < self._wanted:
            raise _MoreText
        self._skip()
        self.begins = self.line
        if not self._text:
            if all_is_here and self._in_array:
                raise BadRecord("json", "", "the array does not end: the file breaks off", _FIX)
            raise _MoreText
        if self.ended:
            raise BadRecord("json", "", "something follows the array's end", _FIX)
        try:
            value, end = self._decoder.raw_decode(self._text)
        except (ValueError, RecursionError) as error:
            if all_is_here or len(self._text) > LONGEST_RECORD:
                raise BadRecord("json", "", f"it is no JSON: {error}", _FIX) from error
            # Only when as much again is here it is looked at again: n lines are then looked at log n times.
            self._wanted = 2 * len(self._text)
            raise _MoreText from error
        self._drop(end)
        self._wanted = 0
        return value

    def _skip(self) -> None:
        """Pass over what stands between values."""
        self._blank(_BLANK)
        if self._text and not self._begun:
            self._begun = True
            self._in_array = self._text[0] == "["
            if self._in_array:
                self._drop(1)
        if self._begun and not self.ended:
            self._blank(_BLANK + ",")
            if self._in_array and self._text.startswith("]"):
                self._drop(1)
                self.ended, self._in_array = True, False
                self._blank(_BLANK)

    def _blank(self, letters: str) -> None:
        self._drop(len(self._text) - len(self._text.lstrip(letters)))

    def _drop(self, count: int) -> None:
        self.line += self._text.count("\n", 0, count)
        self._text = self._text[count:]


def read_json_array(source: Source, encoding: str = "") -> Iterator[Row]:
    """The objects of the array; at the first that is no JSON the rest is given up, since nothing tells its end."""
    values = _Values()
    for line in Lines(unpacked(source), encoding):
        if line.problem is not None:
            yield Row(line.number, None, line.problem)
            return
        values.add(line.data.decode() + "\n")
        if (yield from _taken(values, all_is_here=False)):
            return
    yield from _taken(values, all_is_here=True)


def _taken(values: _Values, *, all_is_here: bool) -> Generator[Row, None, bool]:
    """Yield what is there; returns whether the rest is given up."""
    while True:
        try:
            value = values.take(all_is_here=all_is_here)
        except _MoreText:
            return False
        except BadRecord as problem:
            yield Row(values.begins, None, problem)
            return True
        yield object_row(values.begins, value)
