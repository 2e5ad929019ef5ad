"""Bedrock's batch jobs in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Index, Integer, String, Table, Text, UniqueConstraint, insert, select, update

from rocamadre.batch.types import OVER, BatchJob, Status
from rocamadre.store.sql.database import METADATA

JOBS = Table(
    "batch_jobs",
    METADATA,
    Column("arn", String(256), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("id", String(12), nullable=False),
    Column("name", String(128), nullable=False),
    Column("role_arn", String(2048), nullable=False),
    Column("model_id", String(2048), nullable=False),
    Column("invocation_type", String(16), nullable=False),
    Column("input_uri", String(1024), nullable=False),
    Column("output_uri", String(1024), nullable=False),
    Column("timeout_hours", Integer, nullable=False),
    Column("echoed", Text, nullable=False, comment="JSON; see `NewBatchJob.echoed`."),
    Column("status", String(24), nullable=False),
    Column("message", Text, nullable=False),
    Column("submitted_at", String(40), nullable=False),
    Column("modified_at", String(40), nullable=False),
    Column("ended_at", String(40)),
    Column("total_records", Integer),
    Column("good_records", Integer, nullable=False),
    Column("bad_records", Integer, nullable=False),
    UniqueConstraint("account", "region", "name"),
    Index("batch_jobs_place", "account", "region", "submitted_at"),
)


def insert_job(tx: Connection, job: BatchJob) -> None:
    """Store a new job.

    Raises:
        IntegrityError: the name is taken.
    """
    row = {name: getattr(job, name) for name in BatchJob.__slots__}
    row |= {
        "echoed": msgspec.json.encode(job.echoed).decode(),
        "submitted_at": job.submitted_at.isoformat(),
        "modified_at": job.modified_at.isoformat(),
        "ended_at": None,
    }
    tx.execute(insert(JOBS).values(row))


def select_job(tx: Connection, account: str, region: str, job_id: str) -> BatchJob | None:
    """One job, or None."""
    mine = (JOBS.c.account == account) & (JOBS.c.region == region) & (JOBS.c.id == job_id)
    row = tx.execute(select(JOBS).where(mine)).one_or_none()
    return None if row is None else _job(row)


def select_by_arn(tx: Connection, arn: str) -> BatchJob | None:
    """One job, or None."""
    row = tx.execute(select(JOBS).where(JOBS.c.arn == arn)).one_or_none()
    return None if row is None else _job(row)


def select_by_name(tx: Connection, account: str, region: str, name: str) -> str | None:
    """The ARN of the job of this name."""
    mine = (JOBS.c.account == account) & (JOBS.c.region == region) & (JOBS.c.name == name)
    return tx.execute(select(JOBS.c.arn).where(mine)).scalar()


def select_jobs(tx: Connection, account: str, region: str) -> list[BatchJob]:
    """All jobs of one account in one region, oldest first."""
    query = select(JOBS).where(JOBS.c.account == account, JOBS.c.region == region)
    return [_job(row) for row in tx.execute(query.order_by(JOBS.c.submitted_at, JOBS.c.id))]


def move(tx: Connection, arn: str, status: Status, *, now: datetime, message: str = "") -> bool:
    """Move a job on; false when it is over, or being stopped and this is no end."""
    over = status in OVER
    kept = OVER if over or status == "Stopping" else OVER | {"Stopping"}
    change: dict[str, Any] = {"status": status, "message": message[:2048], "modified_at": now.isoformat()}
    if over:
        change["ended_at"] = now.isoformat()
    found = tx.execute(update(JOBS).where(JOBS.c.arn == arn, JOBS.c.status.not_in(kept)).values(change))
    return found.rowcount == 1


def write_counts(tx: Connection, arn: str, *, now: datetime, **values: int) -> None:
    """Write how far a job is, while it is not over."""
    here = (JOBS.c.arn == arn) & JOBS.c.status.not_in(OVER)
    tx.execute(update(JOBS).where(here).values(modified_at=now.isoformat(), **values))


def _job(row: Any) -> BatchJob:
    values = {name: getattr(row, name) for name in BatchJob.__slots__}
    values |= {
        "echoed": msgspec.json.decode(row.echoed),
        "submitted_at": datetime.fromisoformat(row.submitted_at),
        "modified_at": datetime.fromisoformat(row.modified_at),
        "ended_at": datetime.fromisoformat(row.ended_at) if row.ended_at else None,
    }
    return BatchJob(**values)
