"""Asynchronous calls in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Index, String, Table, Text, insert, select, update

from rocamadre.async_invokes.types import AsyncInvoke, Status
from rocamadre.store.sql.database import METADATA

INVOKES = Table(
    "async_invokes",
    METADATA,
    Column("arn", String(256), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("id", String(12), nullable=False),
    Column("token", String(256), nullable=False),
    Column("model_arn", String(2048), nullable=False),
    Column("base_id", String(256), nullable=False),
    Column("model_input", Text, nullable=False, comment="JSON; empty once the call is over."),
    Column("output_uri", String(1024), nullable=False),
    Column("kms_key_id", String(2048), nullable=False),
    Column("bucket_owner", String(12), nullable=False),
    Column("status", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("submitted_at", String(40), nullable=False),
    Column("modified_at", String(40), nullable=False),
    Column("ended_at", String(40)),
    Index("async_invokes_place", "account", "region", "submitted_at"),
)


def insert_invoke(tx: Connection, invoke: AsyncInvoke) -> None:
    """Store a new call."""
    row = {name: getattr(invoke, name) for name in AsyncInvoke.__slots__}
    row |= {
        "submitted_at": invoke.submitted_at.isoformat(),
        "modified_at": invoke.modified_at.isoformat(),
        "ended_at": None,
    }
    tx.execute(insert(INVOKES).values(row))


def select_invoke(tx: Connection, arn: str) -> AsyncInvoke | None:
    """One call, or None."""
    row = tx.execute(select(INVOKES).where(INVOKES.c.arn == arn)).one_or_none()
    return None if row is None else _invoke(row)


def select_invokes(tx: Connection, account: str, region: str) -> list[AsyncInvoke]:
    """All calls of one account in one region, oldest first."""
    query = select(INVOKES).where(INVOKES.c.account == account, INVOKES.c.region == region)
    return [_invoke(row) for row in tx.execute(query.order_by(INVOKES.c.submitted_at, INVOKES.c.id))]


def end_invoke(tx: Connection, arn: str, status: Status, *, message: str, now: datetime) -> None:
    """Write how a call ended, and forget what it was asked; one that is over stays as it is."""
    change = {
        "status": status,
        "message": message[:2048],
        "model_input": "",
        "modified_at": now.isoformat(),
        "ended_at": now.isoformat(),
    }
    tx.execute(update(INVOKES).where(INVOKES.c.arn == arn, INVOKES.c.status == "InProgress").values(change))


def _invoke(row: Any) -> AsyncInvoke:
    values = {name: getattr(row, name) for name in AsyncInvoke.__slots__}
    values |= {
        "submitted_at": datetime.fromisoformat(row.submitted_at),
        "modified_at": datetime.fromisoformat(row.modified_at),
        "ended_at": datetime.fromisoformat(row.ended_at) if row.ended_at else None,
    }
    return AsyncInvoke(**values)
