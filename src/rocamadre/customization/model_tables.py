"""Tables of an account's own models and of what runs them; rows as values, and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)

from rocamadre.customization.model_types import (
    CopyJob,
    CustomModel,
    Deployment,
    ImportedModel,
    ImportJob,
    Throughput,
)
from rocamadre.store.sql.database import METADATA

T = TypeVar("T", CustomModel, ImportedModel, Deployment, Throughput, ImportJob, CopyJob)


def _columns() -> tuple[Column[Any], ...]:
    return (
        Column("arn", String(512), primary_key=True),
        Column("account", String(12), nullable=False),
        Column("region", String(32), nullable=False),
        Column("id", String(12), nullable=False),
        Column("created_at", String(40), nullable=False),
    )


MODELS = Table(
    "customization_models",
    METADATA,
    *_columns(),
    Column("name", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("base_model_id", String(256), nullable=False),
    Column("base_model_arn", String(512), nullable=False),
    Column("foundation_arn", String(512), nullable=False),
    Column("customization_type", String(32), nullable=False),
    Column("job_arn", String(512), nullable=False),
    Column("folder", String(140), nullable=False),
    Column("facts", Text, nullable=False, comment="JSON."),
    UniqueConstraint("account", "region", "name"),
    Index("customization_models_place", "account", "region", "created_at"),
)

IMPORTED = Table(
    "customization_imported_models",
    METADATA,
    *_columns(),
    Column("name", String(64), nullable=False),
    Column("job_arn", String(512), nullable=False),
    Column("job_name", String(64), nullable=False),
    Column("source_uri", String(1100), nullable=False),
    Column("architecture", String(128), nullable=False),
    Column("instruct", Boolean, nullable=False),
    Column("folder", String(140), nullable=False),
    Column("facts", Text, nullable=False, comment="JSON."),
    UniqueConstraint("account", "region", "name"),
)

DEPLOYMENTS = Table(
    "customization_deployments",
    METADATA,
    *_columns(),
    Column("name", String(64), nullable=False),
    Column("model_arn", String(512), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("update_model_arn", String(512), nullable=False),
    Column("update_status", String(16), nullable=False),
    Column("updated_at", String(40), nullable=False),
    UniqueConstraint("account", "region", "name"),
)

THROUGHPUTS = Table(
    "customization_throughputs",
    METADATA,
    *_columns(),
    Column("name", String(64), nullable=False),
    Column("model_arn", String(512), nullable=False, index=True),
    Column("desired_model_arn", String(512), nullable=False),
    Column("foundation_arn", String(512), nullable=False),
    Column("units", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("commitment", String(16), nullable=False),
    Column("expires_at", String(40)),
    Column("updated_at", String(40), nullable=False),
    UniqueConstraint("account", "region", "name"),
)

IMPORT_JOBS = Table(
    "customization_import_jobs",
    METADATA,
    *_columns(),
    Column("name", String(64), nullable=False),
    Column("model_name", String(64), nullable=False),
    Column("model_arn", String(512), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("role_arn", String(2048), nullable=False),
    Column("source_uri", String(1100), nullable=False),
    Column("status", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("updated_at", String(40), nullable=False),
    Column("ended_at", String(40)),
    Column("echoed", Text, nullable=False, comment="JSON."),
    UniqueConstraint("account", "region", "name"),
)

COPY_JOBS = Table(
    "customization_copy_jobs",
    METADATA,
    *_columns(),
    Column("source_arn", String(512), nullable=False),
    Column("source_name", String(64), nullable=False),
    Column("target_arn", String(512), nullable=False),
    Column("target_name", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("echoed", Text, nullable=False, comment="JSON."),
)

REMOVALS = Table(
    "customization_removals",
    METADATA,
    Column("folder", String(140), primary_key=True, comment="Below `<home>/models`; nothing uses it any more."),
)

_TABLES: dict[type, Table] = {
    CustomModel: MODELS,
    ImportedModel: IMPORTED,
    Deployment: DEPLOYMENTS,
    Throughput: THROUGHPUTS,
    ImportJob: IMPORT_JOBS,
    CopyJob: COPY_JOBS,
}
_JSON = ("facts", "echoed")
_TIMES = ("created_at", "updated_at", "ended_at", "expires_at")


def table_of(kind: type[Any]) -> Table:
    """Where values of a type are kept."""
    return _TABLES[kind]


def insert_row(tx: Connection, value: Any) -> None:
    """Store a new one.

    Raises:
        IntegrityError: the ARN or the name is taken.
    """
    row = {name: getattr(value, name) for name in type(value).__slots__}
    tx.execute(insert(_TABLES[type(value)]).values(_plain(row)))


def change_row(tx: Connection, kind: type[Any], arn: str, **values: Any) -> bool:
    """Write some of its columns; False when it is not there."""
    table = _TABLES[kind]
    return tx.execute(update(table).where(table.c.arn == arn).values(_plain(values))).rowcount == 1


def delete_row(tx: Connection, kind: type[Any], arn: str) -> bool:
    """Remove it; False when it is not there."""
    table = _TABLES[kind]
    return tx.execute(delete(table).where(table.c.arn == arn)).rowcount == 1


def select_row(tx: Connection, kind: type[T], arn: str) -> T | None:
    """One by ARN, whoever's it is."""
    table = _TABLES[kind]
    row = tx.execute(select(table).where(table.c.arn == arn)).one_or_none()
    return None if row is None else _value(kind, row)


def select_one(tx: Connection, kind: type[T], account: str, region: str, *, arn: str = "", name: str = "") -> T | None:
    """One of an account in a region, by ARN or by name."""
    table = _TABLES[kind]
    query = select(table).where(table.c.account == account, table.c.region == region)
    query = query.where(table.c.arn == arn) if arn else query.where(table.c.name == name)
    row = tx.execute(query).one_or_none()
    return None if row is None else _value(kind, row)


def select_all(tx: Connection, kind: type[T], account: str | None = None, region: str | None = None) -> list[T]:
    """All of an account in a region, or of everybody, oldest first."""
    table = _TABLES[kind]
    query = select(table)
    if account is not None:
        query = query.where(table.c.account == account)
    if region is not None:
        query = query.where(table.c.region == region)
    return [_value(kind, row) for row in tx.execute(query.order_by(table.c.created_at, table.c.arn))]


def select_pending(tx: Connection, model_arn: str) -> list[str]:
    """ARNs of what is about to run a custom model, or is being copied from it."""
    queries = (
        select(DEPLOYMENTS.c.arn).where(
            DEPLOYMENTS.c.update_model_arn == model_arn, DEPLOYMENTS.c.update_status == "Updating"
        ),
        select(THROUGHPUTS.c.arn).where(THROUGHPUTS.c.desired_model_arn == model_arn),
        select(COPY_JOBS.c.arn).where(COPY_JOBS.c.source_arn == model_arn, COPY_JOBS.c.status == "InProgress"),
    )
    return sorted({arn for query in queries for arn in tx.execute(query).scalars()})


def note_removals(tx: Connection, folders: Sequence[str]) -> None:
    """Write down that folders are to be removed, in the transaction that lets go of them."""
    for folder in folders:
        if folder and tx.execute(select(REMOVALS.c.folder).where(REMOVALS.c.folder == folder)).first() is None:
            tx.execute(insert(REMOVALS).values(folder=folder))


def select_removals(tx: Connection) -> list[str]:
    """Folders to remove."""
    return list(tx.execute(select(REMOVALS.c.folder)).scalars())


def forget_removal(tx: Connection, folder: str) -> None:
    """It is gone."""
    tx.execute(delete(REMOVALS).where(REMOVALS.c.folder == folder))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as columns hold them."""
    found = dict(values)
    for name, value in values.items():
        if name in _JSON:
            found[name] = msgspec.json.encode(value).decode()
        elif isinstance(value, datetime):
            found[name] = value.isoformat()
    return found


def _value(kind: type[T], row: Any) -> T:
    found = {name: getattr(row, name) for name in kind.__slots__}
    for name, value in found.items():
        if name in _JSON:
            found[name] = msgspec.json.decode(value)
        elif name in _TIMES and value is not None:
            found[name] = datetime.fromisoformat(value)
    return kind(**found)
