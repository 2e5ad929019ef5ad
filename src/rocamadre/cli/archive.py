"""A state folder as one file: a gzip tar whose first member lists every other with its hash."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from rocamadre import __version__
from rocamadre.cli.exits import CommandFailed
from rocamadre.store.objects.blobs import blobs_kept
from rocamadre.store.sql.database import SCHEMA_VERSION

MANIFEST = "manifest.json"
FORMAT = 1
"""Raised when an older program could not read what this one writes."""

_PIECE_BYTES = 1 << 20
_LEFT_OUT = frozenset({"aws", "cache", "logs", "sock", "server.json", "up.lock", "worker.lock"})
"""Made again by themselves, or true of the running server only."""


def write_archive(home: Path, file: Path, *, models: bool, advance: Callable[[int], None]) -> dict[str, Any]:
    """Write a state folder to a file of mode 0600.

    Args:
        home: The folder; a server may be using it.
        file: Written under a temporary name, then renamed.
        models: Whether weights go in.
        advance: Called with the bytes just written.

    Returns:
        The manifest: `format`, `version`, `schema`, `created_at`, and `files` by path with `sha256` and `size_bytes`.
    """
    with blobs_kept(home / "objects"), tempfile.TemporaryDirectory(prefix="roca-backup-", dir=home) as scratch:
        sources = dict(_sources(home, Path(scratch), models=models))
        manifest = {
            "format": FORMAT,
            "version": __version__,
            "schema": SCHEMA_VERSION,
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "files": {name: _entry(source) for name, source in sorted(sources.items())},
        }
        temporary = file.with_name(file.name + ".tmp")
        descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            with (
                os.fdopen(descriptor, "wb") as output,
                tarfile.open(fileobj=output, mode="w:gz", compresslevel=1) as tar,
            ):
                listing = json.dumps(manifest).encode()
                _add(tar, MANIFEST, io.BytesIO(listing), len(listing), 0o600)
                for name, source in sorted(sources.items()):
                    with open(source, "rb") as content:
                        # The size in the manifest counts: a file that grew since is cut there, and stays consistent.
                        size = manifest["files"][name]["size_bytes"]  # type: ignore[index]
                        _add(tar, name, content, size, source.stat().st_mode & 0o777)
                        advance(size)
                output.flush()
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    return manifest


def read_archive(file: Path, home: Path, *, advance: Callable[[int], None]) -> Path | None:
    """Put a state folder back.

    Args:
        file: What `write_archive` wrote.
        home: Replaced in one step, after every file was checked.
        advance: Called with the bytes just read.

    Returns:
        Where the folder that was there has gone; None when there was nothing in it.

    Raises:
        CommandFailed: the file is damaged, is no backup, or is of a newer Rocamadre.
    """
    fresh = home.with_name(f"{home.name}.restoring")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    try:
        with tarfile.open(file, mode="r:gz") as tar:
            manifest = _read_manifest(tar, file)
            for member in tar:
                _extract(tar, member, fresh, manifest["files"])
                advance(member.size)
        missing = sorted(name for name in manifest["files"] if not (fresh / name).is_file())
        if missing:
            raise CommandFailed(f"{file} is cut off: {missing[0]} and {len(missing) - 1} more files are missing")
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise CommandFailed(f"{file} is no whole backup: {error}") from error
    except CommandFailed:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    (home / "up.lock").unlink(missing_ok=True)
    kept = None
    if home.exists() and any(home.iterdir()):
        kept = home.with_name(f"{home.name}.before-{time.strftime('%Y%m%d-%H%M%S')}")
        home.replace(kept)
    elif home.exists():
        home.rmdir()
    fresh.replace(home)
    return kept


def _sources(home: Path, scratch: Path, *, models: bool) -> Iterator[tuple[str, Path]]:
    """Every file to keep, by its path in the home; databases as copies of one moment."""
    for path in _files(home):
        name = path.relative_to(home)
        top = name.parts[0]
        if top in _LEFT_OUT or top.startswith("roca-backup-") or (top == "models" and not models):
            continue
        if path.is_symlink() or not path.is_file() or path.suffix == ".tmp":
            continue
        if path.name.endswith(("-wal", "-shm", "-journal")):
            continue
        if path.suffix == ".sqlite":
            copy = scratch / f"{len(list(scratch.iterdir()))}.sqlite"
            with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(copy)) as still:
                live.backup(still)
            copy.chmod(0o600)
            yield name.as_posix(), copy
        else:
            yield name.as_posix(), path


def _files(home: Path) -> Iterator[Path]:
    """Databases first, the rest looked for after they were copied: so the objects that an index names are found."""
    databases = sorted(home.rglob("*.sqlite"))
    yield from databases
    yield from sorted(set(home.rglob("*")) - set(databases))


def _entry(source: Path) -> dict[str, Any]:
    with open(source, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        return {"sha256": digest, "size_bytes": content.tell()}


def _add(tar: tarfile.TarFile, name: str, content: Any, size_bytes: int, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size_bytes, mode, int(time.time())
    tar.addfile(member, content)


def _read_manifest(tar: tarfile.TarFile, file: Path) -> dict[str, Any]:
    first = tar.next()
    content = tar.extractfile(first) if first is not None and first.name == MANIFEST else None
    if content is None:
        raise CommandFailed(f"{file} was not written by `roca backup`")
    manifest = json.load(content)
    if manifest["format"] > FORMAT or manifest["schema"] > SCHEMA_VERSION:
        raise CommandFailed(f"{file} is of Rocamadre {manifest['version']}, newer than this one ({__version__})")
    assert isinstance(manifest["files"], dict)
    return dict(manifest)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, files: dict[str, Any]) -> None:
    if member.name == MANIFEST:
        return
    listed = files.get(member.name)
    path = folder / member.name
    content = tar.extractfile(member) if member.isreg() else None
    if listed is None or content is None or not path.resolve().is_relative_to(folder.resolve()):
        raise CommandFailed(f"the backup holds {member.name!r}, which its list does not")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        while piece := content.read(_PIECE_BYTES):
            digest.update(piece)
            output.write(piece)
    if digest.hexdigest() != listed["sha256"]:
        raise CommandFailed(f"{member.name} in the backup is damaged (its hash differs)")
    path.chmod(member.mode & 0o700)
