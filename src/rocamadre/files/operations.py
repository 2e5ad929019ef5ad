"""Keeping, finding and deleting files.

A content is written under a temporary name, flushed and renamed to its id; then the row is committed. What a kill left
without a row is removed some other day, by the next file that is added.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine as SqlEngine

from rocamadre.core.clock import Clock
from rocamadre.core.errors import InvalidRequest, NotFound, QuotaExceeded
from rocamadre.core.ids import short_id
from rocamadre.core.settings import Settings
from rocamadre.files.tables import (
    account_bytes,
    delete_file_row,
    expired_ids,
    known_ids,
    put_file,
    select_file,
    select_files,
)
from rocamadre.files.types import StoredFile

_PIECE_BYTES = 1 << 20
_LEFT_BEHIND_S = 86_400.0
_ID = re.compile(r"file-[a-z0-9]{24}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME = 512


class FileHost(Protocol):
    """What the functions here need: a server's platform and a job's both have it."""

    @property
    def settings(self) -> Settings:
        """All settings."""
        ...

    @property
    def sql(self) -> SqlEngine:
        """The database."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...


class Upload:
    """A file that is being written. `add` what comes, then `keep` or `drop` it.

    Args:
        host: Where.
    """

    def __init__(self, host: FileHost) -> None:
        folder = _folder(host)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(host)
        self.size_bytes = 0
        self._host = host
        self._most = host.settings.files.max_file_bytes
        self._path = folder / f".{short_id(24)}"
        self._file = open(self._path, "xb", opener=_private)  # closed by keep or drop

    def add(self, piece: bytes) -> None:
        """Append to it.

        Raises:
            InvalidRequest: it has become too large.
        """
        self.size_bytes += len(piece)
        if self.size_bytes > self._most:
            raise InvalidRequest(f"a file has at most {self._most} bytes (setting files.max_file_bytes)")
        self._file.write(piece)

    def keep(
        self,
        *,
        account: str,
        region: str,
        name: str,
        purpose: str,
        expires_at: datetime | None = None,
        file_id: str = "",
    ) -> StoredFile:
        """Make it a file; it is there when this returns, whatever dies.

        Args:
            account: Whose.
            region: Where.
            name: What people call it.
            purpose: One of `PURPOSES`, or `BATCH_OUTPUT`.
            expires_at: When it is to be gone.
            file_id: A file of this id is replaced; empty makes a new one.

        Raises:
            QuotaExceeded: the account has no room for it.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        host = self._host
        file = StoredFile(
            id=file_id or f"file-{short_id(24)}",
            account=account,
            region=region,
            name=clean_name(name),
            purpose=purpose,
            size_bytes=self.size_bytes,
            created_at=host.clock.now(),
            expires_at=expires_at,
        )
        with host.sql.begin() as tx:
            used, most = account_bytes(tx, account), host.settings.files.max_account_bytes
            if used + self.size_bytes > most:
                raise QuotaExceeded(
                    f"the files of account {account} have {used} bytes; with this one they would have more than {most} "
                    "(setting files.max_account_bytes); delete some"
                )
            self._path.replace(_path(host, file.id))
            put_file(tx, file)
        return file

    def drop(self) -> None:
        """Forget it, unless it was kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def write_file(
    host: FileHost,
    lines: Iterable[bytes],
    *,
    account: str,
    region: str,
    name: str,
    purpose: str,
    file_id: str,
    expires_at: datetime | None = None,
) -> StoredFile:
    """Keep what a job made; a repeat replaces it. See `Upload.keep`."""
    upload = Upload(host)
    try:
        for line in lines:
            upload.add(line)
        return upload.keep(
            account=account, region=region, name=name, purpose=purpose, file_id=file_id, expires_at=expires_at
        )
    finally:
        upload.drop()


def get_file(host: FileHost, account: str, region: str, file_id: str) -> StoredFile:
    """One file.

    Raises:
        NotFound: none of this id is here, or its time has come.
    """
    with host.sql.connect() as connection:
        file = select_file(connection, account, region, file_id)
    if file is None or _is_over(file, host.clock.now()):
        raise NotFound(f"No such File object: {file_id[:100]}")
    return file


def list_files(host: FileHost, account: str, region: str, *, purpose: str | None = None) -> list[StoredFile]:
    """The account's files in this region, oldest first."""
    now = host.clock.now()
    with host.sql.connect() as connection:
        files = select_files(connection, account, region)
    return [file for file in files if not _is_over(file, now) and purpose in (None, file.purpose)]


def delete_file(host: FileHost, account: str, region: str, file_id: str) -> None:
    """Delete a file.

    Raises:
        NotFound: none of this id is here.
    """
    file = get_file(host, account, region, file_id)
    with host.sql.begin() as tx:
        delete_file_row(tx, file.id)
    _path(host, file.id).unlink(missing_ok=True)


def read_file(host: FileHost, file: StoredFile) -> Iterator[bytes]:
    """A file's content in pieces of at most 1 MiB; deleted meanwhile, it is still read to its end.

    Raises:
        NotFound: it was deleted just now.
    """
    try:
        stream = _path(host, file.id).open("rb")
    except FileNotFoundError:
        raise NotFound(f"No such File object: {file.id}") from None
    with stream:
        while piece := stream.read(_PIECE_BYTES):
            yield piece


def clean_name(name: str) -> str:
    """The last part of a client's file name, without control characters.

    >>> clean_name("../../etc/rows.jsonl")
    'rows.jsonl'
    """
    last = re.split(r"[/\\]", name)[-1]
    return _CONTROL.sub("", last)[:_LONGEST_NAME] or "file"


def _is_over(file: StoredFile, now: datetime) -> bool:
    return file.expires_at is not None and file.expires_at <= now


def _folder(host: FileHost) -> Path:
    return host.settings.home / "files"


def _path(host: FileHost, file_id: str) -> Path:
    assert _ID.fullmatch(file_id)
    return _folder(host) / file_id


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sweep(host: FileHost) -> None:
    """Remove files whose time has come, and what kills left behind a day ago or more."""
    with host.sql.begin() as tx:
        expired = expired_ids(tx, host.clock.now())
        for file_id in expired:
            delete_file_row(tx, file_id)
        known = known_ids(tx)
    for file_id in expired:
        _path(host, file_id).unlink(missing_ok=True)
    oldest = time.time() - _LEFT_BEHIND_S
    for path in _folder(host).iterdir():
        with suppress(FileNotFoundError):
            if path.name not in known and path.stat().st_mtime < oldest:
                path.unlink()
