"""Large files written past the page cache, where the system can: a stream of uploads then costs neither the memory that
other programs' files are cached in, nor the work of finding pages for it, which is what slows a busy machine most.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
from collections import deque
from collections.abc import Callable, Sequence

BLOCK_BYTES = 1 << 20

_DIRECT: int = getattr(os, "O_DIRECT", 0)
# Aligned as direct writing wants it; borrowed for one write, so there are as many as threads that write.
_BUFFERS: deque[mmap.mmap] = deque()


class SequentialFile:
    """A file that is only appended to; used by one thread at a time.

    Args:
        file: A descriptor open for writing, at the beginning of an empty file. The caller closes it.
        digest: Shown all that is written, in order and in blocks: hashing few large blocks leaves the interpreter to
            other threads, many small ones make each wait for it again and again.
    """

    def __init__(self, file: int, digest: Callable[[memoryview], None]) -> None:
        self._file = file
        self._digest = digest
        self._held: list[memoryview] = []
        self._held_bytes = 0
        self._is_direct = False
        self._can_direct = bool(_DIRECT)

    def append(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Append; less than one block is held back until more comes, or `flush`."""
        for piece in pieces:
            self._held.append(memoryview(piece))
            self._held_bytes += len(piece)
        while self._held_bytes >= BLOCK_BYTES:
            self._write_block()

    def flush(self) -> None:
        """Write what was held back; the last thing to be written."""
        self._set_direct(False)
        rest = memoryview(b"".join(self._held))
        self._digest(rest)
        _write_all(self._file, rest)
        self._held.clear()
        self._held_bytes = 0

    def _write_block(self) -> None:
        try:
            buffer = _BUFFERS.pop()
        except IndexError:
            buffer = mmap.mmap(-1, BLOCK_BYTES)
        try:
            self._fill(buffer)
            with memoryview(buffer) as block:
                self._digest(block)
                self._write(block)
        finally:
            _BUFFERS.append(buffer)

    def _fill(self, buffer: mmap.mmap) -> None:
        """Move one block of what is held into the buffer."""
        position = taken = 0
        for piece in self._held:
            part = piece[: BLOCK_BYTES - position]
            buffer[position : position + len(part)] = part
            position += len(part)
            if position == BLOCK_BYTES:
                rest = piece[len(part) :]
                self._held[: taken + 1] = [rest] if rest else []
                break
            taken += 1
        self._held_bytes -= BLOCK_BYTES

    def _write(self, block: memoryview) -> None:
        self._set_direct(self._can_direct)
        written = 0
        if self._is_direct:
            try:
                written = os.write(self._file, block)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
            if written < len(block):  # A file system that cannot, or a disk that is full: the plain way tells.
                self._can_direct = False
                self._set_direct(False)
        if written < len(block):
            _write_all(self._file, block[written:])

    def _set_direct(self, wanted: bool) -> None:
        if wanted == self._is_direct:
            return
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags | _DIRECT if wanted else flags & ~_DIRECT)
            self._is_direct = wanted
            return
        self._can_direct = False


def _write_all(file: int, data: memoryview) -> None:
    while data:  # A full disk or a signal may cut it short: the rest again, or the error.
        data = data[os.write(file, data) :]
