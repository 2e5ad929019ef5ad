"""Which encoding a file is in, and its lines, with bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rocamadre.datasets.problems import BadRecord

LONGEST_RECORD = 16 * 1024 * 1024
"""Bytes of one record; a longer one is no record but a file in another form."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 4096


class Line(NamedTuple):
    """One line of a file.

    Attributes:
        number: From 1.
        data: UTF-8, without its end; empty where it cannot be read.
        problem: Why it cannot be read.
    """

    number: int
    data: bytes
    problem: BadRecord | None = None


def detect(beginning: bytes) -> str:
    """The encoding of a file by its first bytes: by its mark, else by where zeros stand, else UTF-8.

    >>> detect(b'{"a"'), detect("{".encode("utf-16")), detect('{"a": 1}'.encode("utf-16-be"))
    ('utf-8', 'utf-16', 'utf-16-be')
    """
    for mark, name in _BOMS:
        if beginning.startswith(mark):
            return name
    sample = beginning[: _SAMPLE - _SAMPLE % 2]
    if len(sample) >= 4:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        most = len(sample) // 4
        if odd > most and not even:
            return "utf-16-le"
        if even > most and not odd:
            return "utf-16-be"
    return "utf-8"


def guess_foreign(data: bytes) -> str:
    """What bytes that are no UTF-8 probably are: `windows-1252` or `latin-1`."""
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "windows-1252"


class Lines:
    """The lines of a file, told apart by LF; a CR before it is dropped.

    Args:
        pieces: The file's bytes.
        encoding: To read it in; empty to detect it.

    Attributes:
        encoding: In which it is read, once the first line was.
    """

    def __init__(self, pieces: Iterable[bytes], encoding: str = "") -> None:
        self.encoding = encoding
        self._pieces = iter(pieces)

    def __iter__(self) -> Iterator[Line]:
        first = b""
        for piece in self._pieces:
            first += piece
            if len(first) >= _SAMPLE:
                break
        if not self.encoding:
            self.encoding = detect(first)
        if self.encoding in ("utf-8", "utf-8-sig"):
            first = first.removeprefix(codecs.BOM_UTF8)
            yield from self._cut(first, self._pieces)
        else:
            yield from self._decoded(first)

    def _decoded(self, first: bytes) -> Iterator[Line]:
        decoder = codecs.getincrementaldecoder(self.encoding)()

        def encoded() -> Iterator[bytes]:
            for piece in self._pieces:
                yield decoder.decode(piece).encode()
            yield decoder.decode(b"", final=True).encode()

        number = 0
        try:
            for line in self._cut(decoder.decode(first).encode(), encoded()):
                number = line.number
                yield line
        except UnicodeError as error:
            fix = "save the file as UTF-8"
            message = f"the file begins as {self.encoding} and is not: {error}"
            yield Line(number + 1, b"", BadRecord("encoding", "", message, fix))

    def _cut(self, first: bytes, pieces: Iterable[bytes]) -> Iterator[Line]:
        number, skipping = 1, False
        held = bytearray(first)
        for piece in _then_end(pieces):
            start = 0
            while (end := held.find(b"\n", start)) >= 0:
                if skipping:
                    skipping = False
                else:
                    yield _line(number, bytes(held[start:end]))
                number += 1
                start = end + 1
            del held[:start]
            if len(held) > LONGEST_RECORD:
                if not skipping:
                    yield Line(number, b"", _too_large())
                skipping = True
                held.clear()
            if piece is None:
                if held and not skipping:
                    yield _line(number, bytes(held))
                return
            held += piece


def _then_end(pieces: Iterable[bytes]) -> Iterator[bytes | None]:
    yield b""
    yield from pieces
    yield b""
    yield None


def _line(number: int, data: bytes) -> Line:
    data = data.removesuffix(b"\r")
    if len(data) > LONGEST_RECORD:
        return Line(number, b"", _too_large())
    if data.isascii():
        return Line(number, data)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        guess = guess_foreign(data)
        message = f"byte {error.start + 1} of the line is no UTF-8 (0x{data[error.start]:02x}); it looks like {guess}"
        return Line(number, b"", BadRecord("encoding", "", message, f"save the file as UTF-8, or say encoding {guess}"))
    return Line(number, data)


def _too_large() -> BadRecord:
    limit = LONGEST_RECORD // (1024 * 1024)
    message = f"the record is longer than {limit} MiB"
    return BadRecord("record-too-large", "", message, "write one record a line, and split what is longer")
