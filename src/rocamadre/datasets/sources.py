"""Files that data is read from: on this machine, or objects under an `s3://` URI."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.store.objects.protocol import ObjectStore, parse_uri

_PIECE_BYTES = 1 << 20
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
"""Of files that hold records; `.gz` may follow."""


class Source(Protocol):
    """One file of records."""

    @property
    def name(self) -> str:
        """As people know it: the path or URI they gave."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """Its content from the beginning, as it is, in pieces of at most 1 MiB.

        Raises:
            NotFound: it is not there, or no longer.
        """
        ...

    def local(self) -> AbstractContextManager[Path]:
        """A path at which it can be read while the context is open."""
        ...


class PathSource:
    """A file of this machine.

    Args:
        path: Where it is.
        name: What to call it; the path, unless given.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = path
        self.name = name or str(path)

    def pieces(self) -> Iterator[bytes]:
        """See `Source.pieces`."""
        try:
            with self.path.open("rb") as stream:
                while piece := stream.read(_PIECE_BYTES):
                    yield piece
        except OSError as error:
            raise _unreadable(self.name, error) from error

    @contextmanager
    def local(self) -> Iterator[Path]:
        """See `Source.local`."""
        if not self.path.is_file():
            raise NotFound(f"{self.name}: there is no such file")
        yield self.path


class ObjectSource:
    """An object of the platform's store.

    Args:
        store: Of the account that asks.
        uri: `s3://bucket/key`.
    """

    def __init__(self, store: ObjectStore, uri: str) -> None:
        self._store = store
        self._place = parse_uri(uri)
        self.name = uri

    def pieces(self) -> Iterator[bytes]:
        """See `Source.pieces`."""
        bucket, key = self._place
        try:
            yield from self._store.stream(bucket, key)
        except NotFound as error:
            raise NotFound(f"{self.name}: {error.message}") from error

    @contextmanager
    def local(self) -> Iterator[Path]:
        """See `Source.local`; a copy that is removed afterwards."""
        with tempfile.NamedTemporaryFile(prefix="rocamadre-", suffix=Path(self._place[1]).suffix) as copy:
            for piece in self.pieces():
                copy.write(piece)
            copy.flush()
            yield Path(copy.name)


class BytesSource:
    """Content at hand.

    Args:
        name: What to call it.
        data: Its content.
    """

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self._data = data

    def pieces(self) -> Iterator[bytes]:
        """See `Source.pieces`."""
        yield self._data

    @contextmanager
    def local(self) -> Iterator[Path]:
        """See `Source.local`."""
        with tempfile.NamedTemporaryFile(prefix="rocamadre-", suffix=Path(self.name).suffix) as copy:
            copy.write(self._data)
            copy.flush()
            yield Path(copy.name)


def find_sources(where: str | Path, objects: ObjectStore | None = None) -> list[Source]:
    """The files that a place stands for.

    Args:
        where: A file, a folder (its data files, by name), `s3://bucket/key`, or `s3://bucket/prefix/` with `/` at its
            end (its data objects, by key).
        objects: The store, for `s3://`.

    Raises:
        NotFound: nothing is there.
        InvalidRequest: a folder or prefix holds no data file, or an `s3://` URI comes without a store.
    """
    if isinstance(where, str) and "://" in where:
        if objects is None:
            raise InvalidRequest(f"{where}: objects cannot be read here; give a path")
        return _objects(where, objects)
    path = Path(where).expanduser()
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.is_file() and is_data_name(each.name))
        if not found:
            raise InvalidRequest(f"{path} holds no data file; read are {', '.join(SUFFIXES)}, and these with .gz")
        return [PathSource(each) for each in found]
    if not path.exists():
        raise NotFound(f"{where}: there is no such file")
    return [PathSource(path)]


def is_data_name(name: str) -> bool:
    """Whether a file name ends as data files do."""
    return name.lower().removesuffix(".gz").endswith(SUFFIXES)


def _objects(uri: str, store: ObjectStore) -> list[Source]:
    bucket, key = parse_uri(uri)
    if key and not key.endswith("/"):
        store.head(bucket, key)
        return [ObjectSource(store, uri)]
    found = [info.key for info in store.list(bucket, key) if is_data_name(info.key)]
    if not found:
        raise NotFound(f"{uri} holds no data object; read are {', '.join(SUFFIXES)}, and these with .gz")
    return [ObjectSource(store, f"s3://{bucket}/{each}") for each in found]


def unpacked(source: Source) -> Iterator[bytes]:
    """A source's content; one that is compressed with gzip is unpacked as it is read.

    Raises:
        InvalidRequest: it ends with `.gz` and is damaged.
        NotFound: see `Source.pieces`.
    """
    pieces = source.pieces()
    if not source.name.lower().endswith(".gz"):
        yield from pieces
        return
    yield from _inflated(source.name, pieces)


def _inflated(name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    finished = False
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if inflater.eof:  # gzip files may be several, one behind the other.
                    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
                data = inflater.decompress(rest, _PIECE_BYTES)
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
                finished = inflater.eof
                if data:
                    yield data
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InvalidRequest(f"{name} is no whole gzip file: {error}") from error
    if not finished:
        raise InvalidRequest(f"{name} is no whole gzip file: it ends too early")


def _unreadable(name: str, error: OSError) -> NotFound | InvalidRequest:
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{name}: there is no such file")
    return InvalidRequest(f"{name} cannot be read: {error.strerror or error}")
