"""Where models come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

CHUNK_BYTES = 1024 * 1024


class SourceFile(msgspec.Struct, frozen=True):
    """One file to take.

    Attributes:
        name: Relative, with `/`.
        sha256: Hex; empty when the source does not say.
        git_sha1: Of the file as a git blob, hex; empty when the source does not say.
        changed_ns: When a local file was last written; 0 for others.
    """

    name: str
    size_bytes: int
    sha256: str = ""
    git_sha1: str = ""
    changed_ns: int = 0


class Listing(msgspec.Struct, frozen=True):
    """What a source will give, settled before the first byte so that a repeat takes the very same.

    Attributes:
        kind: A name in `registry.SOURCES`.
        origin: Where, as people write it; no secrets.
        revision: The commit or digest that is pinned; empty for files without one.
        owner: Suggested first part of the model's id.
        name: Suggested second part.
        files: Only what may be taken.
        licence: If the source states it outside the files.
    """

    kind: str
    origin: str
    revision: str
    owner: str
    name: str
    files: tuple[SourceFile, ...]
    licence: str = ""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What a caller may say about any source.

    Attributes:
        file: The one weight file to take, where there are several.
        revision: Branch, tag or commit of a hub repository.
        hub_endpoint: Base URL of the hub; empty for the library's own (`HF_ENDPOINT`).
        ollama_folder: Ollama's model store; None for its usual place.
    """

    file: str | None = None
    revision: str | None = None
    hub_endpoint: str = ""
    ollama_folder: Path | None = None


class Source(Protocol):
    """One kind of origin; made with what follows the kind's prefix, and the options."""

    def find(self) -> Listing:
        """Look at what is there.

        Raises:
            NotFound: there is no such model.
            InvalidRequest: it holds nothing that may be taken.
            Unavailable: the source cannot be reached; the message says what to do.
        """
        ...

    def read(self, listing: Listing, file: SourceFile, offset: int) -> Iterator[bytes]:
        """The bytes of one file from `offset` on.

        Raises:
            Unavailable: the source cannot be reached, or broke off.
        """
        ...


def local_file(name: str, path: Path) -> SourceFile:
    """A file on this machine as a listing has it."""
    stat = path.stat()
    return SourceFile(name, stat.st_size, changed_ns=stat.st_mtime_ns)


def read_local(path: Path, offset: int) -> Iterator[bytes]:
    """A local file's bytes from `offset` on."""
    with path.open("rb") as stream:
        stream.seek(offset)
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
