"""Message batches in SQL; their requests and results are in `<home>/message-batches`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, String, Table, delete, insert, select, update

from rocamadre.batch.anthropic.types import End, MessageBatch
from rocamadre.store.sql.database import METADATA

BATCHES = Table(
    "anthropic_batches",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("end", String(16), nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("total", Integer, nullable=False),
    Column("cancel_initiated_at", String(40)),
    Column("ended_at", String(40)),
    Column("succeeded", Integer, nullable=False),
    Column("errored", Integer, nullable=False),
    Column("canceled", Integer, nullable=False),
    Column("expired", Integer, nullable=False),
    Index("anthropic_batches_place", "account", "region", "created_at"),
)
_TIMES = ("created_at", "cancel_initiated_at", "ended_at")


def insert_batch(tx: Connection, batch: MessageBatch) -> None:
    """Store a new batch."""
    row = {name: getattr(batch, name) for name in MessageBatch.__slots__}
    row |= {name: row[name].isoformat() if row[name] else None for name in _TIMES}
    tx.execute(insert(BATCHES).values(row))


def select_batch(tx: Connection, batch_id: str) -> MessageBatch | None:
    """One batch, or None; whose it is, is for the caller to check."""
    row = tx.execute(select(BATCHES).where(BATCHES.c.id == batch_id)).one_or_none()
    return None if row is None else _batch(row)


def select_batches(tx: Connection, account: str, region: str) -> list[MessageBatch]:
    """All batches of one account in one region, newest first."""
    query = select(BATCHES).where(BATCHES.c.account == account, BATCHES.c.region == region)
    return [_batch(row) for row in tx.execute(query.order_by(BATCHES.c.created_at.desc(), BATCHES.c.id))]


def select_created(tx: Connection) -> dict[str, datetime]:
    """When each batch of every account was created."""
    query = select(BATCHES.c.id, BATCHES.c.created_at)
    return {row.id: datetime.fromisoformat(row.created_at) for row in tx.execute(query)}


def begin_cancel(tx: Connection, batch_id: str, *, now: datetime) -> bool:
    """Mark a batch as being cancelled; false when it was already, or has ended."""
    here = (BATCHES.c.id == batch_id) & (BATCHES.c.status == "in_progress")
    values = {"status": "canceling", "cancel_initiated_at": now.isoformat()}
    return tx.execute(update(BATCHES).where(here).values(values)).rowcount == 1


def end_batch(tx: Connection, batch_id: str, end: End, *, now: datetime, **counts: int) -> None:
    """Write how a batch ended; one that has ended is left as it is."""
    here = (BATCHES.c.id == batch_id) & (BATCHES.c.status != "ended")
    values = {"status": "ended", "end": end, "ended_at": now.isoformat(), **counts}
    tx.execute(update(BATCHES).where(here).values(values))


def delete_batch_row(tx: Connection, batch_id: str) -> None:
    """Forget a batch."""
    tx.execute(delete(BATCHES).where(BATCHES.c.id == batch_id))


def _batch(row: Any) -> MessageBatch:
    values = {name: getattr(row, name) for name in MessageBatch.__slots__}
    values |= {name: datetime.fromisoformat(values[name]) if values[name] else None for name in _TIMES}
    return MessageBatch(**values)
