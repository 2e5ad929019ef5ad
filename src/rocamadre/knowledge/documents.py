"""Documents that a client brings, asks for and takes away one by one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.ids import short_id
from rocamadre.jobs.rundir import write_whole
from rocamadre.jobs.runner import JobSpec
from rocamadre.knowledge.data_sources import get_data_source
from rocamadre.knowledge.ingestion.types import KIND_NAME, DocumentStatus, Request
from rocamadre.knowledge.operations import new_id
from rocamadre.knowledge.stores import staging_dir
from rocamadre.knowledge.tables import (
    insert_changes,
    lock_source,
    move_documents,
    select_document,
    select_documents,
    write_documents,
)
from rocamadre.knowledge.types import Change, DataSource, Document

MOST_ID_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document as it is brought.

    Attributes:
        id: The client's own, or the S3 URI.
        content: Bytes that came with the request; None when they are at `uri`.
        uri: `s3://bucket/key`; empty when the content came along.
        media_type: Of `content`.
        metadata: Attributes that came along.
        metadata_uri: `s3://bucket/key` of a file of attributes; empty for none.
    """

    id: str
    content: bytes | None = None
    uri: str = ""
    media_type: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    metadata_uri: str = ""


def ingest_documents(ctx: Context, base_id: str, source_id: str, documents: Sequence[NewDocument]) -> list[Document]:
    """Take documents in, each in place of what its id had before; a job parses and embeds them.

    Raises:
        NotFound: the data source does not exist.
        InvalidRequest: one id is there twice, or the data source takes no documents one by one.
    """
    source = _direct_source(ctx, base_id, source_id)
    _check_ids(source, [document.id for document in documents])
    changes = [_staged(ctx, source, document) for document in documents]
    return _queue(ctx, source, changes, "STARTING")


def delete_documents(ctx: Context, base_id: str, source_id: str, ids: Sequence[str]) -> list[Document]:
    """Take documents out of the knowledge base; what is in S3 stays there.

    Raises:
        NotFound: the data source does not exist.
        InvalidRequest: one id is there twice, or the data source takes no documents one by one.
    """
    source = _direct_source(ctx, base_id, source_id)
    _check_ids(source, ids)
    known = {document.id: document for document in get_documents(ctx, base_id, source_id, ids)}
    there = [identifier for identifier in ids if known[identifier].status != "NOT_FOUND"]
    changes = [Change(0, source.knowledge_base, source.id, identifier, "delete") for identifier in there]
    moved = {document.id: document for document in _queue(ctx, source, changes, "DELETING")}
    return [moved.get(identifier, known[identifier]) for identifier in ids]


def get_documents(ctx: Context, base_id: str, source_id: str, ids: Sequence[str]) -> list[Document]:
    """What is known of documents, in the order asked for; `NOT_FOUND` of those that are not there.

    Raises:
        NotFound: the data source does not exist.
    """
    source = get_data_source(ctx, base_id, source_id)
    with ctx.platform.sql.connect() as connection:
        return [
            select_document(connection, source.knowledge_base, source.id, identifier)
            or Document(source.knowledge_base, source.id, identifier, "NOT_FOUND", "", ctx.platform.clock.now())
            for identifier in ids
        ]


def list_documents(ctx: Context, base_id: str, source_id: str) -> list[Document]:
    """What is known of a data source's documents, by id.

    Raises:
        NotFound: the data source does not exist.
    """
    source = get_data_source(ctx, base_id, source_id)
    with ctx.platform.sql.connect() as connection:
        return select_documents(connection, source.knowledge_base, source.id)


def _direct_source(ctx: Context, base_id: str, source_id: str) -> DataSource:
    source = get_data_source(ctx, base_id, source_id)
    if source.type not in ("CUSTOM", "S3"):
        raise InvalidRequest(
            f"data source {source.id} is of type {source.type}; documents are brought one by one to data sources of "
            "type CUSTOM and S3"
        )
    return source


def _check_ids(source: DataSource, ids: Sequence[str]) -> None:
    if len(set(ids)) != len(ids):
        twice = next(each for each in ids if list(ids).count(each) > 1)
        raise InvalidRequest(f"the document {twice[:200]!r} is there twice; give each once in a request")
    if source.type != "S3":
        return
    bucket = source.configuration["s3Configuration"]["bucketArn"].rpartition(":")[2]
    for identifier in ids:
        if not identifier.startswith(f"s3://{bucket}/") or identifier.endswith("/"):
            raise InvalidRequest(
                f"{identifier[:200]!r} is no object of the bucket {bucket}, which data source {source.id} reads"
            )


def _staged(ctx: Context, source: DataSource, document: NewDocument) -> Change:
    """A change whose content, if it came along, is in a file: written before the row that names it."""
    staged = ""
    if document.content is not None:
        folder = staging_dir(ctx.platform, source.knowledge_base)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(folder.parent, 0o700)
        staged = short_id(24)
        write_whole(folder / staged, document.content)
    return Change(
        0,
        source.knowledge_base,
        source.id,
        document.id,
        "ingest",
        staged,
        document.uri,
        document.media_type,
        document.metadata,
        document.metadata_uri,
    )


def _queue(ctx: Context, source: DataSource, changes: Sequence[Change], status: DocumentStatus) -> list[Document]:
    if not changes:
        return []
    now = ctx.platform.clock.now()
    base_id, ids = source.knowledge_base, [change.document for change in changes]
    request = Request(ctx.account, ctx.region, base_id, source.id, new_id(), "documents")
    with ctx.platform.sql.begin() as tx:
        if lock_source(tx, source.id) != "AVAILABLE":
            raise InvalidRequest(f"data source {source.id} is being deleted")
        insert_changes(tx, changes)
        known = {identifier: select_document(tx, base_id, source.id, identifier) for identifier in ids}
        new = [Document(base_id, source.id, each, status, "", now) for each in ids if known[each] is None]
        write_documents(tx, new)
        move_documents(tx, base_id, source.id, [each for each in ids if known[each]], status, now=now)
        ctx.platform.jobs.enqueue(tx, JobSpec(KIND_NAME, request.run_id, request.arguments()))
    return [Document(base_id, source.id, each, status, "", now) for each in ids]
