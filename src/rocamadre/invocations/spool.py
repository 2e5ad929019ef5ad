"""Records that wait for delivery, in files: `kill -9` loses none of them.

Each file holds the records of one account, region and hour. Its first line says where they go, each further line is one
record; a torn last line is passed over. A file that is being written is locked, and the system unlocks it when its
process dies.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from rocamadre.core.clock import Clock
from rocamadre.invocations.types import LoggingConfig

MOST_BYTES = 1 << 30
"""Of all files together; what comes on top is dropped."""

FULL_BYTES = 16 << 20
"""A file that has grown to this is delivered at once."""


class Head(msgspec.Struct, frozen=True):
    """A file's first line.

    Attributes:
        hour: Of its records, UTC, as `2026/11/20/12`.
    """

    account: str
    region: str
    hour: str
    config: LoggingConfig


class Spooled:
    """A file that is complete; `remove` it once delivered.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.head = msgspec.json.decode(file.readline(), type=Head)

    @property
    def name(self) -> str:
        """What its records are called together; the same however often they are delivered."""
        return self.path.stem

    def lines(self) -> Iterator[bytes]:
        """Its records as JSON, each with the newline at its end."""
        with self.path.open("rb") as file:
            next(file)
            yield from (line for line in file if line.endswith(b"\n"))

    def remove(self) -> None:
        """Delivered, or beyond delivery."""
        self.path.unlink(missing_ok=True)


class _Open:
    def __init__(self, path: Path, head: Head) -> None:
        self.path = path
        self.size_bytes = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self.write(msgspec.json.encode(head) + b"\n")
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise

    def write(self, line: bytes) -> None:
        """Append a line, whole or not at all."""
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self.size_bytes)
            os.lseek(self._file, self.size_bytes, os.SEEK_SET)
            raise
        self.size_bytes += len(line)

    def close(self) -> None:
        os.close(self._file)


class Spool:
    """The files in a folder. For one thread.

    Args:
        folder: Made, with mode 0700, when the first record comes.
        clock: Names the files.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._open: dict[Head, _Open] = {}
        self._waiting_bytes: int | None = None

    def __bool__(self) -> bool:
        """Whether records have been added that were not taken."""
        return bool(self._open)

    @property
    def full(self) -> bool:
        """Whether a file has grown so large that it should be taken now."""
        return any(file.size_bytes >= FULL_BYTES for file in self._open.values())

    def add(self, head: Head, record: bytes) -> None:
        """Write a record down.

        Raises:
            OSError: the disk is full, or too much waits already.
        """
        if self._waiting_bytes is None:
            self._waiting_bytes = sum(path.stat().st_size for path in self._folder.glob("*.jsonl"))
        if self._waiting_bytes + len(record) > MOST_BYTES:
            raise OSError(f"over {MOST_BYTES} bytes of invocation records wait for delivery")
        file = self._open.get(head)
        if file is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = self._open[head] = _Open(self._folder / f"{self._new_name()}.jsonl", head)
        file.write(record + b"\n")
        self._waiting_bytes += len(record) + 1

    def take(self) -> Iterator[Spooled]:
        """End all files, and give out every one that nobody writes: those that a killed server left, too."""
        for file in self._open.values():
            file.close()
        self._open.clear()
        self._waiting_bytes = None
        for path in sorted(self._folder.glob("*.jsonl")):
            if not _is_held(path):
                try:
                    yield Spooled(path)
                except (msgspec.DecodeError, msgspec.ValidationError):
                    path.unlink()  # Its process died before the first line was whole: there is no record in it.

    def _new_name(self) -> str:
        now: datetime = self._clock.now()
        return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z_{secrets.token_hex(8)}"


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return True
    return False
