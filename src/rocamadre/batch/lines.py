"""Lines of a JSONL file that arrives in pieces, bounded in length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rocamadre.core.errors import InvalidRequest

_BLANK = b" \t\r"
_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line that is not blank.

    Attributes:
        place: Of the lines that are not blank, from 0.
        number: In the file, from 1.
        data: Without its end; None where it is longer than allowed.
    """

    place: int
    number: int
    data: bytes | None


def read_lines(pieces: Iterable[bytes], *, most_bytes: int) -> Iterator[Line]:
    r"""The lines that are not blank.

    Args:
        pieces: The file, in order.
        most_bytes: Longest line; a longer one is passed over without being kept in memory.

    >>> [line.data for line in read_lines([b'{"a"', b': 1}\n\n{"b": 2}'], most_bytes=100)]
    [b'{"a": 1}', b'{"b": 2}']
    """
    place = 0
    for number, data in enumerate(_split(pieces, most_bytes), start=1):
        if data is None:
            yield Line(place, number, None)
        elif (text := data.removeprefix(_MARK) if number == 1 else data).strip(_BLANK):
            yield Line(place, number, text)
        else:
            continue
        place += 1


def _split(pieces: Iterable[bytes], most_bytes: int) -> Iterator[bytes | None]:
    kept: list[bytes] = []
    size = 0
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for part in whole:
            size += len(part)
            kept.append(part)
            yield b"".join(kept) if size <= most_bytes else None
            kept, size = [], 0
        size += len(rest)
        if size <= most_bytes:
            kept.append(rest)
        else:
            kept = []
    if size:
        yield b"".join(kept) if size <= most_bytes else None


def in_pieces(lines: Iterable[bytes], *, least_bytes: int = 1 << 18) -> Iterator[bytes]:
    """Lines together in larger pieces, so that each costs less on its way to a disk."""
    kept: list[bytes] = []
    size = 0
    for line in lines:
        kept.append(line)
        size += len(line)
        if size >= least_bytes:
            yield b"".join(kept)
            kept, size = [], 0
    if kept:
        yield b"".join(kept)


def check_size(what: str, size_bytes: int, most_bytes: int, setting: str) -> None:
    """Refuse what is too large.

    Raises:
        InvalidRequest: with both figures and the setting.
    """
    if size_bytes > most_bytes:
        raise InvalidRequest(f"{what} has {size_bytes} bytes; at most {most_bytes} are taken (setting {setting})")
