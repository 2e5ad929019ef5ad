"""Zip archives of strangers: unpacked within limits, into a folder that holds files and folders and nothing else."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import stat
import time
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from rocamadre.neighbours.lambdas.errors import CodeTooLarge, FunctionInvalid

MAX_ZIP_BYTES = 52_428_800
MAX_UNPACKED_BYTES = 262_144_000
MAX_FILES = 20_000

_PIECE = 1024 * 1024
_ENTRY = b"PK\x01\x02"
_ABANDONED_S = 3600.0
_UNREADABLE = "Could not unzip uploaded file. Please check your file, then try to upload again"


def unpack(data: bytes, target: Path) -> None:
    """Unpack an archive into a folder: whole, or not at all. A folder that is there is taken to be whole.

    Args:
        data: The zip.
        target: Does not exist yet, or was made by this function.

    Raises:
        FunctionInvalid: it is no zip, or has links, absolute paths, `..`, encryption or clashing names.
        CodeTooLarge: it has more files or bytes than a function may.
    """
    if target.is_dir():
        return
    entries = _entries(data)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(target.parent)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        _write(data, entries, temporary)
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def discard(target: Path) -> None:
    """Take an unpacked folder away, at once for all who look for it."""
    doomed = target.with_name(f"{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        target.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def _entries(data: bytes) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    if len(data) > MAX_ZIP_BYTES:
        raise CodeTooLarge(f"the zip has {len(data)} bytes; at most {MAX_ZIP_BYTES} are taken")
    # Counted before the directory is read, which costs half a kilobyte of memory for each entry.
    if data.count(_ENTRY) > MAX_FILES:
        raise CodeTooLarge(f"the zip has over {MAX_FILES} files")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, EOFError) as error:
        raise FunctionInvalid(f"{_UNREADABLE}: {error}") from error
    if sum(entry.file_size for entry in listed) > MAX_UNPACKED_BYTES:
        raise CodeTooLarge(f"Unzipped size must be smaller than {MAX_UNPACKED_BYTES} bytes")
    return [(entry, _place(entry)) for entry in listed]


def _place(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Where an entry goes, below the folder."""
    name = entry.filename
    shown = repr(name[:100])
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise FunctionInvalid(f"the zip's entry {shown} is neither a file nor a folder; links are not taken")
    if entry.flag_bits & 1:
        raise FunctionInvalid(f"the zip's entry {shown} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FunctionInvalid(f"the zip's entry {shown} is compressed in a way that is not taken; use deflate")
    parts = [part for part in name.rstrip("/").split("/") if part != "."]
    long = any(len(part.encode("utf-8", "surrogateescape")) > 255 for part in parts)
    if name.startswith("/") or "\\" in name or "\0" in name or not parts or "" in parts or ".." in parts or long:
        raise FunctionInvalid(f"the zip's entry {shown} is no path below the function's folder")
    return PurePosixPath(*parts)


def _write(data: bytes, entries: list[tuple[zipfile.ZipInfo, PurePosixPath]], folder: Path) -> None:
    folder.mkdir(mode=0o755)
    left = MAX_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry, place in entries:
                path = folder / place
                if entry.is_dir():
                    path.mkdir(parents=True, exist_ok=True, mode=0o755)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
                runnable = entry.external_attr >> 16 & 0o111
                left -= _copy(archive, entry, path, left=left, mode=0o755 if runnable else 0o644)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise FunctionInvalid(f"{_UNREADABLE}: {error}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise FunctionInvalid(
            f"the zip has two entries for one path, or a file where it has a folder: {error}"
        ) from error


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, *, left: int, mode: int) -> int:
    """Write one file; returns its size. What the archive says of sizes is not believed."""
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as written, archive.open(entry) as packed:
        os.fchmod(written.fileno(), mode)
        while piece := packed.read(_PIECE):
            size += len(piece)
            if size > left:
                raise CodeTooLarge(f"Unzipped size must be smaller than {MAX_UNPACKED_BYTES} bytes")
            written.write(piece)
    return size


def _sweep(folder: Path) -> None:
    """Remove what a killed process left half done."""
    for path in folder.glob("*.tmp"):
        try:
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            continue
