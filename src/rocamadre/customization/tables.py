"""Customization jobs in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Index, String, Table, Text, UniqueConstraint, insert, select, update

from rocamadre.customization.types import OVER, Job, Part, PartDetails, PartStatus, Source, Status, Teacher, Wire
from rocamadre.store.sql.database import METADATA

JOBS = Table(
    "customization_jobs",
    METADATA,
    Column("arn", String(1011), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("id", String(12), nullable=False, index=True),
    Column("wire", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("model_name", String(63), nullable=False),
    Column("model_arn", String(1011), nullable=False),
    Column("role_arn", String(2048), nullable=False),
    Column("base_id", String(2048), nullable=False),
    Column("base_arn", String(2048), nullable=False),
    Column("local_id", String(2048), nullable=False),
    Column("type", String(32), nullable=False),
    Column("training", Text, nullable=False, comment="JSON."),
    Column("validation", Text, nullable=False, comment="JSON."),
    Column("output_uri", String(1024), nullable=False),
    Column("hyperparameters", Text, nullable=False, comment="JSON."),
    Column("settings", Text, nullable=False, comment="JSON."),
    Column("teacher", Text, nullable=False, comment="JSON."),
    Column("echoed", Text, nullable=False, comment="JSON."),
    Column("model_tags", Text, nullable=False, comment="JSON."),
    Column("status", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("parts", Text, nullable=False, comment="JSON."),
    Column("facts", Text, nullable=False, comment="JSON."),
    Column("created_at", String(40), nullable=False),
    Column("modified_at", String(40), nullable=False),
    Column("ended_at", String(40)),
    UniqueConstraint("account", "region", "wire", "name"),
    Index("customization_jobs_place", "account", "region", "created_at"),
)
_JSON: dict[str, Any] = {
    "training": Source,
    "validation": tuple[Source, ...],
    "hyperparameters": dict[str, str],
    "settings": dict[str, Any],
    "teacher": Teacher | None,
    "echoed": dict[str, Any],
    "model_tags": dict[str, str],
    "parts": dict[str, PartDetails],
    "facts": dict[str, Any],
}
_TIMES = ("created_at", "modified_at", "ended_at")


def insert_job(tx: Connection, job: Job) -> None:
    """Store a new job.

    Raises:
        IntegrityError: the name is taken.
    """
    row = {name: getattr(job, name) for name in Job.__slots__}
    row |= {name: _text(row[name]) for name in _JSON}
    row |= {name: row[name].isoformat() if row[name] else None for name in _TIMES}
    tx.execute(insert(JOBS).values(row))


def select_by_arn(tx: Connection, arn: str) -> Job | None:
    """One job, or None; whose it is, is for the caller to check."""
    row = tx.execute(select(JOBS).where(JOBS.c.arn == arn)).one_or_none()
    return None if row is None else _job(row)


def select_by_name(tx: Connection, account: str, region: str, wire: Wire, name: str) -> Job | None:
    """The job of this name."""
    mine = (JOBS.c.account == account) & (JOBS.c.region == region) & (JOBS.c.wire == wire) & (JOBS.c.name == name)
    row = tx.execute(select(JOBS).where(mine)).one_or_none()
    return None if row is None else _job(row)


def select_jobs(tx: Connection, account: str, region: str, wire: Wire | None = None) -> list[Job]:
    """All jobs of one account in one region, oldest first."""
    query = select(JOBS).where(JOBS.c.account == account, JOBS.c.region == region)
    if wire is not None:
        query = query.where(JOBS.c.wire == wire)
    return [_job(row) for row in tx.execute(query.order_by(JOBS.c.created_at, JOBS.c.id))]


def select_maker(tx: Connection, account: str, region: str, model_name: str) -> str | None:
    """The ARN of a job that makes a model of this name now."""
    mine = (JOBS.c.account == account) & (JOBS.c.region == region) & (JOBS.c.model_name == model_name)
    return tx.execute(select(JOBS.c.arn).where(mine, JOBS.c.status.not_in(OVER)).limit(1)).scalar()


def select_trainers(tx: Connection, model_arn: str) -> list[str]:
    """ARNs of jobs that train from a custom model now."""
    query = select(JOBS.c.arn).where(JOBS.c.local_id == model_arn, JOBS.c.status.not_in(OVER))
    return list(tx.execute(query.order_by(JOBS.c.arn)).scalars())


def move(tx: Connection, arn: str, status: Status, *, now: datetime, message: str = "") -> bool:
    """Move a job on, and its unfinished part with it; false when it is over, or is stopping and this is no end."""
    over = status in OVER
    kept = OVER if over or status == "Stopping" else OVER | {"Stopping"}
    change: dict[str, Any] = {"status": status, "message": message[:2048], "modified_at": now.isoformat()}
    if over:
        change["ended_at"] = now.isoformat()
    here = (JOBS.c.arn == arn) & JOBS.c.status.not_in(kept)
    if tx.execute(update(JOBS).where(here).values(change)).rowcount != 1:
        return False
    if status != "InProgress":
        _move_unfinished(tx, arn, status, now)
    return True


def move_part(tx: Connection, arn: str, part: Part, status: PartStatus, *, now: datetime) -> None:
    """Move one part of a job that is not over."""
    parts = _parts(tx, arn)
    before = parts.get(part)
    if before is None or before.status == status:
        return
    moment = now.isoformat()
    parts[part] = PartDetails(status, moment if before.status == "NotStarted" else before.created_at, moment)
    here = (JOBS.c.arn == arn) & JOBS.c.status.not_in(OVER)
    tx.execute(update(JOBS).where(here).values(parts=_text(parts), modified_at=moment))


def reopen(tx: Connection, job: Job, *, now: datetime) -> bool:
    """Let a job that was stopped, or has failed, begin again; false when it is in another state."""
    moment = now.isoformat()
    change = {
        "status": "InProgress",
        "message": "",
        "modified_at": moment,
        "ended_at": None,
        "parts": _text({name: PartDetails("NotStarted", moment, moment) for name in job.parts}),
        "facts": _text({**job.facts, "resumed": job.facts.get("resumed", 0) + 1}),
    }
    here = (JOBS.c.arn == job.arn) & JOBS.c.status.in_(("Stopped", "Failed"))
    return tx.execute(update(JOBS).where(here).values(change)).rowcount == 1


def select_ended(tx: Connection, *, before: datetime) -> list[str]:
    """ARNs of the jobs that were stopped, or failed, before a time."""
    query = select(JOBS.c.arn).where(JOBS.c.status.in_(("Stopped", "Failed")), JOBS.c.ended_at < before.isoformat())
    return list(tx.execute(query).scalars())


def write_facts(tx: Connection, arn: str, facts: dict[str, Any], *, now: datetime) -> None:
    """Add to what is known of a job."""
    found = tx.execute(select(JOBS.c.facts).where(JOBS.c.arn == arn)).scalar()
    if found is None:
        return
    together = msgspec.json.decode(found, type=dict[str, Any]) | facts
    tx.execute(update(JOBS).where(JOBS.c.arn == arn).values(facts=_text(together), modified_at=now.isoformat()))


def _move_unfinished(tx: Connection, arn: str, status: Status, now: datetime) -> None:
    moment = now.isoformat()
    parts = {
        name: PartDetails(status, part.created_at, moment) if part.status in ("InProgress", "Stopping") else part
        for name, part in _parts(tx, arn).items()
    }
    tx.execute(update(JOBS).where(JOBS.c.arn == arn).values(parts=_text(parts)))


def _parts(tx: Connection, arn: str) -> dict[str, PartDetails]:
    text = tx.execute(select(JOBS.c.parts).where(JOBS.c.arn == arn)).scalar()
    return msgspec.json.decode(text, type=dict[str, PartDetails]) if text else {}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _job(row: Any) -> Job:
    values = {name: getattr(row, name) for name in Job.__slots__}
    values |= {name: msgspec.json.decode(values[name], type=kind) for name, kind in _JSON.items()}
    values |= {name: datetime.fromisoformat(values[name]) if values[name] else None for name in _TIMES}
    return Job(**values)
