"""Brings a source's files here, piece by piece, resumable at any byte, and checks what came."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rocamadre.catalog.sources.types import CHUNK_BYTES, Listing, Source, SourceFile
from rocamadre.core.errors import InvalidRequest, Unavailable

ATTEMPTS = 5
"""Breaks without a byte of progress before a file is given up."""

SPARE_BYTES = 64 * 1024 * 1024

Advance = Callable[[SourceFile, int], None]
"""Called with the file and its bytes here so far; may raise to stop."""


def fetch_all(source: Source, listing: Listing, folder: Path, advance: Advance) -> dict[str, str]:
    """Bring every file of a listing into a folder. Files that are whole are not read again.

    Args:
        source: Where from.
        listing: What.
        folder: Where to.
        advance: Called after each piece.

    Returns:
        SHA-256 by file name, hex.

    Raises:
        InvalidRequest: a file is not what the listing said, or the disk is too small.
        Unavailable: the source cannot be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = sum(file.size_bytes - _here(folder, file) for file in listing.files)
    free = shutil.disk_usage(folder).free
    if missing + SPARE_BYTES > free:
        raise InvalidRequest(f"{missing} bytes are still to come, and the disk has {free} free")
    return {file.name: _fetch(source, listing, file, folder / file.name, advance) for file in listing.files}


def _here(folder: Path, file: SourceFile) -> int:
    for path in (folder / file.name, _part(folder / file.name)):
        if path.is_file():
            return min(path.stat().st_size, file.size_bytes)
    return 0


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _fetch(source: Source, listing: Listing, file: SourceFile, target: Path, advance: Advance) -> str:
    if target.is_file():
        advance(file, file.size_bytes)
        return _checked(target, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _part(target)
    resumed = part.is_file() and part.stat().st_size > 0
    _read_to_end(source, listing, file, part, advance)
    try:
        digest = _checked(part, file)
    except InvalidRequest:
        part.unlink()
        if not resumed:
            raise
        # What lay here from before may have been the damaged half: once more from the start.
        _read_to_end(source, listing, file, part, advance)
        digest = _checked(part, file)
    part.replace(target)
    return digest


def _read_to_end(source: Source, listing: Listing, file: SourceFile, part: Path, advance: Advance) -> None:
    attempts = 0
    while True:
        offset = part.stat().st_size if part.is_file() else 0
        if offset >= file.size_bytes and part.is_file():
            return
        begun = offset
        try:
            with part.open("ab") as stream:
                for chunk in source.read(listing, file, offset):
                    stream.write(chunk)
                    offset += len(chunk)
                    if offset > file.size_bytes:
                        raise InvalidRequest(f"{file.name} is longer than the {file.size_bytes} bytes announced")
                    advance(file, offset)
                stream.flush()
                os.fsync(stream.fileno())
            if offset < file.size_bytes:
                raise Unavailable(f"{listing.origin}: {file.name} broke off at byte {offset} of {file.size_bytes}")
        except Unavailable:
            attempts = 0 if offset > begun else attempts + 1
            if attempts >= ATTEMPTS or offset == begun == 0:
                raise
            if attempts:
                time.sleep(0.2 * 2**attempts)


def _checked(path: Path, file: SourceFile) -> str:
    """The file's SHA-256, after comparing size and whatever hash the source gave."""
    size = path.stat().st_size
    if size != file.size_bytes:
        raise InvalidRequest(f"{file.name} has {size} bytes; announced were {file.size_bytes}")
    sha256 = hashlib.sha256()
    sha1 = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            sha256.update(chunk)
            if file.git_sha1:
                sha1.update(chunk)
    if file.sha256 and sha256.hexdigest() != file.sha256:
        raise InvalidRequest(f"{file.name} arrived damaged: its SHA-256 is not {file.sha256}")
    if file.git_sha1 and sha1.hexdigest() != file.git_sha1:
        raise InvalidRequest(f"{file.name} arrived damaged: its git hash is not {file.git_sha1}")
    return sha256.hexdigest()
