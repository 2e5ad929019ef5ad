"""The OpenAI wire's batches in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, Integer, String, Table, Text, insert, select, update

from rocamadre.batch.openai.types import OVER, Batch, Status
from rocamadre.store.sql.database import METADATA

BATCHES = Table(
    "openai_batches",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("input_file_id", String(64), nullable=False),
    Column("metadata", Text, nullable=False, comment="JSON."),
    Column("output_expires_s", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("times", Text, nullable=False, comment="JSON; see `Batch.times`."),
    Column("errors", Text, nullable=False, comment="JSON."),
    Column("output_file_id", String(64), nullable=False),
    Column("error_file_id", String(64), nullable=False),
    Column("total", Integer, nullable=False),
    Column("good", Integer, nullable=False),
    Column("bad", Integer, nullable=False),
    Column("read", BigInteger, nullable=False),
    Column("written", BigInteger, nullable=False),
    Index("openai_batches_place", "account", "region", "created_at"),
)
_JSON = ("metadata", "times", "errors")


def insert_batch(tx: Connection, batch: Batch) -> None:
    """Store a new batch."""
    row = {name: getattr(batch, name) for name in Batch.__slots__}
    row |= {name: msgspec.json.encode(row[name]).decode() for name in _JSON}
    row["created_at"] = batch.created_at.isoformat()
    tx.execute(insert(BATCHES).values(row))


def select_batch(tx: Connection, batch_id: str) -> Batch | None:
    """One batch, or None; whose it is, is for the caller to check."""
    row = tx.execute(select(BATCHES).where(BATCHES.c.id == batch_id)).one_or_none()
    return None if row is None else _batch(row)


def select_batches(tx: Connection, account: str, region: str) -> list[Batch]:
    """All batches of one account in one region, newest first."""
    query = select(BATCHES).where(BATCHES.c.account == account, BATCHES.c.region == region)
    return [_batch(row) for row in tx.execute(query.order_by(BATCHES.c.created_at.desc(), BATCHES.c.id))]


def move(tx: Connection, batch_id: str, status: Status, *, now: datetime, **values: Any) -> bool:
    """Move a batch on; false when it is over, or being cancelled and this is no end."""
    kept = OVER if status in OVER or status == "cancelling" else OVER | {"cancelling"}
    batch = select_batch(tx, batch_id)
    if batch is None or batch.status in kept:
        return False
    times = msgspec.json.encode({**batch.times, status: int(now.timestamp())}).decode()
    change = {"status": status, "times": times, **values}
    here = (BATCHES.c.id == batch_id) & BATCHES.c.status.not_in(kept)
    return tx.execute(update(BATCHES).where(here).values(change)).rowcount == 1


def write(tx: Connection, batch_id: str, **values: Any) -> None:
    """Write columns of a batch that is not over."""
    tx.execute(update(BATCHES).where(BATCHES.c.id == batch_id, BATCHES.c.status.not_in(OVER)).values(values))


def _batch(row: Any) -> Batch:
    values = {name: getattr(row, name) for name in Batch.__slots__}
    values |= {name: msgspec.json.decode(values[name]) for name in _JSON}
    values["created_at"] = datetime.fromisoformat(row.created_at)
    return Batch(**values)
