"""Knowledge bases, data sources, ingestion jobs and documents in SQL. The chunks are in each one's own store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from rocamadre.knowledge.ingestion.tables import ITEMS
from rocamadre.knowledge.ingestion.types import DocumentStatus, Statistics
from rocamadre.knowledge.types import (
    OVER,
    Change,
    DataSource,
    Document,
    IngestionJob,
    JobStatus,
    KnowledgeBase,
)
from rocamadre.store.sql.database import METADATA

T = TypeVar("T")
MOST_FAILURES = 2048
"""Sentences that an ingestion job keeps, and characters that one has at most."""

BASES = Table(
    "knowledge_bases",
    METADATA,
    Column("id", String(10), primary_key=True),
    Column("arn", String(128), nullable=False),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", String(200), nullable=False),
    Column("role_arn", String(2048), nullable=False),
    Column("type", String(16), nullable=False),
    Column("configuration", Text, nullable=False, comment="JSON."),
    Column("storage", Text, nullable=False, comment="JSON."),
    Column("store", String(64), nullable=False),
    Column("embedder", String(256), nullable=False),
    Column("embedder_hash", String(64), nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("failures", Text, nullable=False, comment="JSON."),
    Column("facts", Text, nullable=False, comment="JSON."),
    Column("created_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
    UniqueConstraint("account", "region", "name"),
)
SOURCES = Table(
    "knowledge_data_sources",
    METADATA,
    Column("id", String(10), primary_key=True),
    Column("knowledge_base", String(10), nullable=False, index=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", String(200), nullable=False),
    Column("type", String(64), nullable=False),
    Column("configuration", Text, nullable=False, comment="JSON."),
    Column("ingestion", Text, nullable=False, comment="JSON."),
    Column("encryption", Text, nullable=False, comment="JSON."),
    Column("chunking", Text, nullable=False, comment="JSON."),
    Column("loader", Text, nullable=False, comment="JSON."),
    Column("deletion_policy", String(16), nullable=False),
    Column("status", String(32), nullable=False),
    Column("failures", Text, nullable=False, comment="JSON."),
    Column("created_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
    UniqueConstraint("knowledge_base", "name"),
)
JOBS = Table(
    "knowledge_ingestion_jobs",
    METADATA,
    Column("arn", String(256), primary_key=True),
    Column("id", String(10), nullable=False),
    Column("knowledge_base", String(10), nullable=False),
    Column("data_source", String(10), nullable=False),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("description", String(200), nullable=False),
    Column("status", String(16), nullable=False),
    Column("statistics", Text, nullable=False, comment="JSON."),
    Column("failures", Text, nullable=False, comment="JSON."),
    Column("started_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
    Index("knowledge_ingestion_jobs_place", "knowledge_base", "data_source", "started_at"),
)
DOCUMENTS = Table(
    "knowledge_documents",
    METADATA,
    Column("knowledge_base", String(10), primary_key=True),
    Column("data_source", String(10), primary_key=True),
    Column("id", String(2048), primary_key=True),
    Column("status", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("updated_at", String(40), nullable=False),
    Column("facts", Text, nullable=False, comment="JSON."),
)
CHANGES = Table(
    "knowledge_changes",
    METADATA,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("knowledge_base", String(10), nullable=False),
    Column("data_source", String(10), nullable=False),
    Column("document", String(2048), nullable=False),
    Column("action", String(16), nullable=False),
    Column("staged", String(64), nullable=False),
    Column("uri", String(2048), nullable=False),
    Column("media_type", String(256), nullable=False),
    Column("metadata", Text, nullable=False, comment="JSON."),
    Column("metadata_uri", String(2048), nullable=False),
    Index("knowledge_changes_place", "knowledge_base", "data_source"),
    sqlite_autoincrement=True,
)
_JSON: dict[str, Any] = {
    "configuration": dict[str, Any],
    "storage": dict[str, Any],
    "ingestion": dict[str, Any],
    "encryption": dict[str, Any],
    "chunking": dict[str, Any],
    "loader": dict[str, Any],
    "facts": dict[str, Any],
    "metadata": dict[str, Any],
    "failures": tuple[str, ...],
    "statistics": Statistics,
}
_TIMES = frozenset({"created_at", "updated_at", "started_at"})


def _row(record: Any) -> dict[str, Any]:
    """A record as a row."""
    values: dict[str, Any] = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if each.name in _JSON:
            value = msgspec.json.encode(value).decode()
        elif each.name in _TIMES:
            value = value.isoformat()
        values[each.name] = value
    return values


def _record(kind: type[T], row: Any) -> T:
    """A row as a record."""
    values: dict[str, Any] = {}
    for each in fields(kind):  # type: ignore[arg-type]  # A dataclass.
        value = row._mapping[each.name]
        if each.name in _JSON:
            value = msgspec.json.decode(value, type=_JSON[each.name])
        elif each.name in _TIMES:
            value = datetime.fromisoformat(value)
        values[each.name] = value
    return kind(**values)


# -- knowledge bases -----------------------------------------------------------------------------------------------


def insert_base(tx: Connection, base: KnowledgeBase) -> None:
    """Store a new knowledge base.

    Raises:
        IntegrityError: the name is taken.
    """
    tx.execute(insert(BASES).values(_row(base)))


def update_base(tx: Connection, base: KnowledgeBase) -> None:
    """Write a knowledge base anew.

    Raises:
        IntegrityError: the name is taken.
    """
    tx.execute(update(BASES).where(BASES.c.id == base.id).values(_row(base)))


def select_base(tx: Connection, base_id: str) -> KnowledgeBase | None:
    """One knowledge base, or None; whose it is, is for the caller to check."""
    row = tx.execute(select(BASES).where(BASES.c.id == base_id)).one_or_none()
    return None if row is None else _record(KnowledgeBase, row)


def select_bases(tx: Connection, account: str, region: str) -> list[KnowledgeBase]:
    """All knowledge bases of one account in one region, newest first."""
    query = select(BASES).where(BASES.c.account == account, BASES.c.region == region)
    return [_record(KnowledgeBase, row) for row in tx.execute(query.order_by(BASES.c.updated_at.desc(), BASES.c.id))]


def select_deleting(tx: Connection) -> list[KnowledgeBase]:
    """Knowledge bases of every account whose deletion has begun."""
    return [_record(KnowledgeBase, row) for row in tx.execute(select(BASES).where(BASES.c.status == "DELETING"))]


def delete_base(tx: Connection, base_id: str) -> None:
    """Take away a knowledge base's rows, all of them."""
    for table in (CHANGES, DOCUMENTS, ITEMS, JOBS, SOURCES):
        tx.execute(delete(table).where(table.c.knowledge_base == base_id))
    tx.execute(delete(BASES).where(BASES.c.id == base_id))


# -- data sources --------------------------------------------------------------------------------------------------


def insert_source(tx: Connection, source: DataSource) -> None:
    """Store a new data source.

    Raises:
        IntegrityError: the name is taken.
    """
    tx.execute(insert(SOURCES).values(_row(source)))


def update_source(tx: Connection, source: DataSource) -> None:
    """Write a data source anew.

    Raises:
        IntegrityError: the name is taken.
    """
    tx.execute(update(SOURCES).where(SOURCES.c.id == source.id).values(_row(source)))


def select_source(tx: Connection, base_id: str, source_id: str) -> DataSource | None:
    """One data source, or None."""
    mine = (SOURCES.c.knowledge_base == base_id) & (SOURCES.c.id == source_id)
    row = tx.execute(select(SOURCES).where(mine)).one_or_none()
    return None if row is None else _record(DataSource, row)


def lock_source(tx: Connection, source_id: str) -> str | None:
    """A data source's status; until the transaction ends, others that ask here wait. None when it is not there."""
    mine = SOURCES.c.id == source_id
    tx.execute(update(SOURCES).where(mine).values(status=SOURCES.c.status))
    return tx.execute(select(SOURCES.c.status).where(mine)).scalar()


def select_sources(tx: Connection, base_id: str) -> list[DataSource]:
    """All data sources of a knowledge base, newest first."""
    query = select(SOURCES).where(SOURCES.c.knowledge_base == base_id)
    return [_record(DataSource, row) for row in tx.execute(query.order_by(SOURCES.c.updated_at.desc(), SOURCES.c.id))]


def delete_source(tx: Connection, base_id: str, source_id: str) -> None:
    """Take away a data source's rows, all of them."""
    for table in (CHANGES, DOCUMENTS, ITEMS, JOBS):
        tx.execute(delete(table).where(table.c.knowledge_base == base_id, table.c.data_source == source_id))
    tx.execute(delete(SOURCES).where(SOURCES.c.knowledge_base == base_id, SOURCES.c.id == source_id))


# -- ingestion jobs ------------------------------------------------------------------------------------------------


def insert_job(tx: Connection, job: IngestionJob) -> None:
    """Store a new job."""
    tx.execute(insert(JOBS).values(_row(job)))


def select_job(tx: Connection, arn: str) -> IngestionJob | None:
    """One job by its ARN, which is its run id; or None."""
    row = tx.execute(select(JOBS).where(JOBS.c.arn == arn)).one_or_none()
    return None if row is None else _record(IngestionJob, row)


def select_jobs(tx: Connection, base_id: str, source_id: str = "") -> list[IngestionJob]:
    """Jobs of a data source, or of all of a knowledge base, newest first."""
    query = select(JOBS).where(JOBS.c.knowledge_base == base_id)
    if source_id:
        query = query.where(JOBS.c.data_source == source_id)
    return [_record(IngestionJob, row) for row in tx.execute(query.order_by(JOBS.c.started_at.desc(), JOBS.c.id))]


def move_job(tx: Connection, arn: str, status: JobStatus, *, now: datetime) -> bool:
    """Move a job on; false when it is over, or is stopping and this is no end."""
    kept = OVER if status in OVER or status == "STOPPING" else OVER | {"STOPPING"}
    change = {"status": status, "updated_at": now.isoformat()}
    return tx.execute(update(JOBS).where(JOBS.c.arn == arn, JOBS.c.status.not_in(kept)).values(change)).rowcount == 1


def write_job(
    tx: Connection,
    arn: str,
    *,
    now: datetime,
    status: JobStatus | None = None,
    statistics: Statistics | None = None,
    failures: Sequence[str] | None = None,
) -> None:
    """Write how far a job is; a status as `move_job` does, and of the others what is not None."""
    change: dict[str, Any] = {"updated_at": now.isoformat()}
    if statistics is not None:
        change["statistics"] = msgspec.json.encode(asdict(statistics)).decode()
    if failures is not None:
        change["failures"] = _failures(failures)
    tx.execute(update(JOBS).where(JOBS.c.arn == arn).values(change))
    if status is not None:
        move_job(tx, arn, status, now=now)


def _failures(failures: Sequence[str]) -> str:
    kept = [each[:MOST_FAILURES] for each in failures[:MOST_FAILURES]]
    return msgspec.json.encode(kept).decode()


# -- documents -----------------------------------------------------------------------------------------------------


def write_documents(tx: Connection, documents: Iterable[Document]) -> None:
    """Write what became of documents, in place of what was known of them."""
    rows = [_row(document) for document in documents]
    if not rows:
        return
    keys = [{"of_base": row["knowledge_base"], "of_source": row["data_source"], "of_id": row["id"]} for row in rows]
    there = (
        (DOCUMENTS.c.knowledge_base == bindparam("of_base"))
        & (DOCUMENTS.c.data_source == bindparam("of_source"))
        & (DOCUMENTS.c.id == bindparam("of_id"))
    )
    tx.execute(delete(DOCUMENTS).where(there), keys)
    tx.execute(insert(DOCUMENTS), rows)


def move_documents(
    tx: Connection,
    base_id: str,
    source_id: str,
    ids: Iterable[str],
    status: DocumentStatus,
    *,
    now: datetime,
    reason: str = "",
) -> None:
    """Give documents that are known another status."""
    for identifier in ids:
        here = _document_is(base_id, source_id, identifier)
        change = {"status": status, "reason": reason, "updated_at": now.isoformat()}
        tx.execute(update(DOCUMENTS).where(here).values(change))


def select_document(tx: Connection, base_id: str, source_id: str, identifier: str) -> Document | None:
    """What is known of one document, or None."""
    row = tx.execute(select(DOCUMENTS).where(_document_is(base_id, source_id, identifier))).one_or_none()
    return None if row is None else _record(Document, row)


def select_documents(tx: Connection, base_id: str, source_id: str = "") -> list[Document]:
    """What is known of the documents of a data source, or of all of a knowledge base, by id."""
    query = select(DOCUMENTS).where(DOCUMENTS.c.knowledge_base == base_id)
    if source_id:
        query = query.where(DOCUMENTS.c.data_source == source_id)
    return [_record(Document, row) for row in tx.execute(query.order_by(DOCUMENTS.c.data_source, DOCUMENTS.c.id))]


def count_documents(tx: Connection, base_id: str) -> dict[tuple[str, str], int]:
    """How many documents there are, by data source and status."""
    query = select(DOCUMENTS.c.data_source, DOCUMENTS.c.status, func.count()).where(
        DOCUMENTS.c.knowledge_base == base_id
    )
    rows = tx.execute(query.group_by(DOCUMENTS.c.data_source, DOCUMENTS.c.status))
    return {(source, status): count for source, status, count in rows}


def delete_documents(tx: Connection, base_id: str, source_id: str, ids: Iterable[str]) -> None:
    """Forget documents."""
    for identifier in ids:
        tx.execute(delete(DOCUMENTS).where(_document_is(base_id, source_id, identifier)))


def _document_is(base_id: str, source_id: str, identifier: str) -> Any:
    return (
        (DOCUMENTS.c.knowledge_base == base_id)
        & (DOCUMENTS.c.data_source == source_id)
        & (DOCUMENTS.c.id == identifier)
    )


# -- documents brought one by one ----------------------------------------------------------------------------------


def insert_changes(tx: Connection, changes: Iterable[Change]) -> None:
    """Store what a client wants in or out; each gets its `sequence`."""
    for change in changes:
        row = _row(change)
        del row["sequence"]
        tx.execute(insert(CHANGES).values(row))


def select_changes(tx: Connection, base_id: str, source_id: str) -> list[Change]:
    """What waits for a data source, in the order in which it came."""
    mine = (CHANGES.c.knowledge_base == base_id) & (CHANGES.c.data_source == source_id)
    return [_record(Change, row) for row in tx.execute(select(CHANGES).where(mine).order_by(CHANGES.c.sequence))]


def delete_changes(tx: Connection, sequences: Iterable[int]) -> None:
    """Forget what was done."""
    for sequence in sequences:
        tx.execute(delete(CHANGES).where(CHANGES.c.sequence == sequence))
