"""Contents of objects as files: written once under a name of their own, never changed, removed when nothing names them.

A blob's name is random, so that no key ever becomes a path, and what makes a blob part of an object is the row in the
index that is committed after it was flushed. What a kill leaves behind is a blob without a row; nobody can see it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rocamadre.store.objects.checksums import Checksum, new_checksum
from rocamadre.store.objects.direct import SequentialFile

PIECE_BYTES = 1 << 20

_HOLD = "hold"
_NAME = re.compile(r"[0-9a-f]{32}")


class Segment(NamedTuple):
    """A blob and its size in bytes."""

    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class Written:
    """A blob that is whole and on the disk, and belongs to nothing yet.

    Attributes:
        md5: Hexadecimal.
        checksums: By algorithm, in Base64, of those that were asked for.
    """

    blob: str
    size_bytes: int
    md5: str
    checksums: dict[str, str] = field(default_factory=dict)


class BlobWriter:
    """One blob being written; used by one thread at a time.

    Args:
        path: Must not exist.
        algorithms: Checksums to compute beside the MD5.
        sync: Whether `finish` waits for the disk.
    """

    def __init__(self, path: Path, algorithms: Iterable[str] = (), *, sync: bool = True) -> None:
        self._path = path
        self._sync = sync
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._checksums: dict[str, Checksum] = {name: new_checksum(name) for name in algorithms}
        self.size_bytes = 0
        path.parent.mkdir(exist_ok=True, mode=0o700)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._content = SequentialFile(self._file, self._digest)

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Append; the pieces are kept at most until the next call, and must not change until then."""
        self.size_bytes += sum(map(len, pieces))
        self._content.append(pieces)

    def _digest(self, block: memoryview) -> None:
        self._md5.update(block)
        for checksum in self._checksums.values():
            checksum.update(block)

    def finish(self) -> Written:
        """Flush to the disk, and close."""
        self._content.flush()
        if self._sync:
            os.fsync(self._file)
        self._close()
        if self._sync:
            sync_folder(self._path.parent)
        digests = {name: checksum.encoded() for name, checksum in self._checksums.items()}
        return Written(self._path.name, self.size_bytes, self._md5.hexdigest(), digests)

    def discard(self) -> None:
        """Close and delete; nothing happens after `finish`."""
        if self._file >= 0:
            self.remove()

    def remove(self) -> None:
        """Close and delete, also after `finish`, while nothing names the blob."""
        if self._file >= 0:
            self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        os.close(self._file)
        self._file = -1


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def blobs_kept(folder: Path) -> Iterator[None]:
    """While this lasts, no process removes a blob: what an index says at any moment of it can be copied in peace.

    Args:
        folder: That of a store, where there is one.
    """
    if not folder.is_dir():
        yield
        return
    hold = os.open(folder / _HOLD, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(hold, fcntl.LOCK_EX)
        yield
    finally:
        os.close(hold)


class Blobs:
    """The blobs of one folder; several processes may use it at once.

    Args:
        folder: Made if need be.
        sync: Whether writing waits for the disk.
    """

    def __init__(self, folder: Path, *, sync: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._data = folder / "data"
        self._data.mkdir(exist_ok=True, mode=0o700)
        self._unclean = folder / "unclean"
        self._sync = sync
        self._lock = threading.Lock()
        self._readers: Counter[str] = Counter()
        self._doomed: set[str] = set()
        self._holder = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._hold = os.open(folder / _HOLD, os.O_RDWR | os.O_CREAT, 0o600)
        self._has_leftovers = False

    def open(self, known: Iterator[str]) -> int:
        """Begin to use the folder; who comes first after a crash removes what it left.

        Args:
            known: Every blob that the index names; read only if there is something to sweep.

        Returns:
            The number of blobs removed.
        """
        swept = 0
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._unclean.exists():
                swept = self._sweep(set(known))
            self._unclean.touch(mode=0o600)
        fcntl.flock(self._holder, fcntl.LOCK_SH)
        return swept

    def close(self) -> None:
        """Let go; the last to do so says that nothing needs sweeping."""
        if self._holder < 0:
            return
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._has_leftovers:
                self._unclean.unlink(missing_ok=True)
        os.close(self._holder)
        os.close(self._hold)
        self._holder = -1

    def writer(self, algorithms: Iterable[str] = ()) -> BlobWriter:
        """Begin a blob."""
        return BlobWriter(self._path(secrets.token_hex(16)), algorithms, sync=self._sync)

    def duplicate(self, blob: str) -> str:
        """Another name for the same content, which costs no copying where the file system links."""
        name = secrets.token_hex(16)
        source, target = self._path(blob), self._path(name)
        target.parent.mkdir(exist_ok=True, mode=0o700)
        try:
            os.link(source, target)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copyfile(source, target)
            with open(target, "rb+") as copied:
                os.fsync(copied.fileno())
        if self._sync:
            sync_folder(target.parent)
        return name

    @contextlib.contextmanager
    def leased(self, blobs: Sequence[str]) -> Iterator[None]:
        """While this lasts, `remove` in this process leaves the files of these blobs in place."""
        with self._lock:
            self._readers.update(blobs)
        try:
            yield
        finally:
            self._release(blobs)

    def exist(self, segments: Iterable[Segment]) -> bool:
        """Whether all files are there."""
        return all(self._path(segment.blob).exists() for segment in segments)

    def read(self, segments: Sequence[Segment], start: int, stop: int) -> Iterator[bytes]:
        """Bytes from `start` up to `stop` of the segments put together, in pieces of at most 1 MiB.

        Raises:
            FileNotFoundError: a blob is gone.
        """
        position = 0
        for segment in segments:
            first, last = max(start - position, 0), min(stop - position, segment.size)
            position += segment.size
            if first >= last:
                continue
            with open(self._path(segment.blob), "rb", buffering=0) as file:
                file.seek(first)
                while first < last:
                    piece = file.read(min(PIECE_BYTES, last - first))
                    if not piece:
                        raise EOFError(f"blob {segment.blob} is shorter than {segment.size} bytes")
                    first += len(piece)
                    yield piece

    def remove(self, blobs: Sequence[str]) -> None:
        """Delete blobs that no row names any more; those being read here, when that ends."""
        with self._lock:
            busy = {blob for blob in blobs if self._readers[blob] > 0}
            self._doomed |= busy
        self._unlink([blob for blob in blobs if blob not in busy])

    def _release(self, blobs: Sequence[str]) -> None:
        with self._lock:
            self._readers.subtract(blobs)
            gone = {blob for blob in blobs if self._readers[blob] <= 0}
            for blob in gone:
                del self._readers[blob]
            dead = gone & self._doomed
            self._doomed -= dead
        self._unlink(dead)

    def _unlink(self, blobs: Collection[str]) -> None:
        if not blobs:
            return
        try:
            fcntl.flock(self._hold, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # Somebody copies the folder; the sweep at a later start removes them.
            self._has_leftovers = True
            return
        for blob in blobs:
            self._path(blob).unlink(missing_ok=True)
        fcntl.flock(self._hold, fcntl.LOCK_UN)

    def _path(self, blob: str) -> Path:
        assert _NAME.fullmatch(blob), "blob names are made here"
        return self._data / blob[:2] / blob

    def _sweep(self, known: set[str]) -> int:
        swept = 0
        for folder in self._data.iterdir():
            for path in folder.iterdir():
                if path.name not in known:
                    path.unlink(missing_ok=True)
                    swept += 1
        return swept
