"""Which records are done, and what came of them: one file, only ever added to.

A line is `checksum source index good read written json`, written by one call. What a kill or a lost machine tore is cut
off when the file is opened again, so that every record that stands there is whole, and none stands there twice.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from zlib import crc32

_ABSENT = -1


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a record.

    Attributes:
        good: It was answered; otherwise its line tells the error.
        read: Tokens.
        written: Tokens.
        line: The output's line, JSON without line breaks.
    """

    good: bool
    read: int
    written: int
    line: bytes


@dataclass(slots=True)
class Counts:
    """How many records there are of each sort, and their tokens."""

    good: int = 0
    bad: int = 0
    read: int = 0
    written: int = 0

    @property
    def done(self) -> int:
        """Records that were answered or refused."""
        return self.good + self.bad


class Progress:
    """The file of records done. Use it as a context; one process at a time.

    Args:
        path: Made when it is not there.
        sources: How many input files there are; records are named by source and index, both from 0.
    """

    def __init__(self, path: Path, sources: int) -> None:
        self.counts = Counts()
        self._places = [array("q") for _ in range(sources)]
        self._bad: list[set[int]] = [set() for _ in range(sources)]
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._end = self._recover()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sync()
        os.close(self._file)

    def add(self, source: int, index: int, done: Done) -> None:
        """Write down what came of a record; it then survives a kill, and with the next `sync` a lost machine.

        Raises:
            OSError: the disk is full, or fails.
        """
        assert not self.has(source, index)
        body = b"%d %d %d %d %d %b" % (source, index, done.good, done.read, done.written, done.line)
        line = b"%08x %b\n" % (crc32(body), body)
        if os.write(self._file, line) != len(line):
            raise OSError(28, "No space left on device")
        self._note(source, index, self._end, done)
        self._end += len(line)

    def has(self, source: int, index: int) -> bool:
        """Whether a record is done."""
        places = self._places[source]
        return index < len(places) and places[index] != _ABSENT

    def sync(self) -> None:
        """Wait until the disk has it."""
        os.fsync(self._file)

    def lines(self, source: int, *, good: bool | None = None) -> Iterator[bytes]:
        """The output's lines of one source with their ends, in the order of the input.

        Args:
            source: Which.
            good: Only those of this sort; None for all.
        """
        with self._path.open("rb") as file:
            for index, place in enumerate(self._places[source]):
                if place == _ABSENT or (good is not None and good == (index in self._bad[source])):
                    continue
                file.seek(place)
                yield file.readline().split(b" ", 6)[6]

    def _note(self, source: int, index: int, place: int, done: Done) -> None:
        places = self._places[source]
        if index >= len(places):
            places.extend([_ABSENT] * (index + 1 - len(places)))
        places[index] = place
        if done.good:
            self.counts.good += 1
        else:
            self.counts.bad += 1
            self._bad[source].add(index)
        self.counts.read += done.read
        self.counts.written += done.written

    def _recover(self) -> int:
        """Read what is there, and cut off the rest from the first line that is not whole."""
        end = 0
        with self._path.open("rb") as file:
            for line in file:
                head = _parsed(line)
                if head is None or head[0] >= len(self._places) or self.has(head[0], head[1]):
                    break
                source, index, good, read, written = head
                self._note(source, index, end, Done(bool(good), read, written, b""))
                end += len(line)
        os.ftruncate(self._file, end)
        return end


def _parsed(line: bytes) -> tuple[int, int, int, int, int] | None:
    """Source, index, good, read and written of a whole line."""
    if not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    body = line[9:-1]
    try:
        if int(line[:8], 16) != crc32(body):
            return None
        source, index, good, read, written = (int(value) for value in body.split(b" ", 5)[:5])
    except ValueError:
        return None
    return source, index, good, read, written
