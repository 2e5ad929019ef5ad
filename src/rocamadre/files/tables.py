"""Files in SQL; their contents are in `<home>/files`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, String, Table, Text, delete, func, insert, select

from rocamadre.files.types import StoredFile
from rocamadre.store.sql.database import METADATA

FILES = Table(
    "files",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("expires_at", String(40)),
    Index("files_place", "account", "region", "created_at"),
)


def put_file(tx: Connection, file: StoredFile) -> None:
    """Store a file's row; one with this id is replaced."""
    tx.execute(delete(FILES).where(FILES.c.id == file.id))
    row = {name: getattr(file, name) for name in StoredFile.__slots__}
    row["created_at"] = file.created_at.isoformat()
    row["expires_at"] = file.expires_at.isoformat() if file.expires_at else None
    tx.execute(insert(FILES).values(row))


def select_file(tx: Connection, account: str, region: str, file_id: str) -> StoredFile | None:
    """One file, or None."""
    mine = (FILES.c.account == account) & (FILES.c.region == region) & (FILES.c.id == file_id)
    row = tx.execute(select(FILES).where(mine)).one_or_none()
    return None if row is None else _file(row)


def select_files(tx: Connection, account: str, region: str) -> list[StoredFile]:
    """All files of one account in one region, oldest first."""
    query = select(FILES).where(FILES.c.account == account, FILES.c.region == region)
    return [_file(row) for row in tx.execute(query.order_by(FILES.c.created_at, FILES.c.id))]


def delete_file_row(tx: Connection, file_id: str) -> None:
    """Forget a file."""
    tx.execute(delete(FILES).where(FILES.c.id == file_id))


def account_bytes(tx: Connection, account: str) -> int:
    """What an account's files have together."""
    return tx.execute(select(func.sum(FILES.c.size_bytes)).where(FILES.c.account == account)).scalar() or 0


def known_ids(tx: Connection) -> set[str]:
    """The ids of all files."""
    return set(tx.execute(select(FILES.c.id)).scalars())


def expired_ids(tx: Connection, now: datetime) -> list[str]:
    """The ids of files whose time has come."""
    query = select(FILES.c.id).where(FILES.c.expires_at.is_not(None), FILES.c.expires_at <= now.isoformat())
    return list(tx.execute(query).scalars())


def _file(row: Any) -> StoredFile:
    values = {name: getattr(row, name) for name in StoredFile.__slots__}
    values["created_at"] = datetime.fromisoformat(row.created_at)
    values["expires_at"] = datetime.fromisoformat(row.expires_at) if row.expires_at else None
    return StoredFile(**values)
