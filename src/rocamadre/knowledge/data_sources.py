"""Making, finding, changing and deleting data sources."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotBuilt, NotFound
from rocamadre.jobs.runner import JobSpec
from rocamadre.knowledge.chunkers.registry import settings_of
from rocamadre.knowledge.ingestion.types import KIND_NAME, Request
from rocamadre.knowledge.operations import get_knowledge_base, new_id
from rocamadre.knowledge.sources.web import agent_of, crawl_of
from rocamadre.knowledge.tables import (
    delete_source,
    insert_source,
    lock_source,
    select_base,
    select_jobs,
    select_source,
    select_sources,
    update_source,
)
from rocamadre.knowledge.types import OVER, DataSource, DeletionPolicy, KnowledgeBase

logger = logging.getLogger(__name__)

_MEMBERS = {"S3": "s3Configuration", "WEB": "webConfiguration", "CUSTOM": ""}
_SAAS = {
    "CONFLUENCE": "Confluence",
    "SALESFORCE": "Salesforce",
    "SHAREPOINT": "SharePoint",
    "REDSHIFT_METADATA": "the metadata of Amazon Redshift",
    "MANAGED_KNOWLEDGE_BASE_CONNECTOR": "Amazon's managed connectors",
}
_CHUNKING = {
    "FIXED_SIZE": "fixedSizeChunkingConfiguration",
    "HIERARCHICAL": "hierarchicalChunkingConfiguration",
    "SEMANTIC": "semanticChunkingConfiguration",
    "NONE": "",
}


@dataclass(frozen=True, slots=True)
class NewDataSource:
    """A data source as it is asked for; configurations as the wire has them, empty for none.

    Attributes:
        chunking: See `types.DataSource.chunking`.
        loader: See `types.DataSource.loader`.
    """

    name: str
    configuration: Mapping[str, Any]
    description: str = ""
    ingestion: Mapping[str, Any] = field(default_factory=dict)
    encryption: Mapping[str, Any] = field(default_factory=dict)
    deletion_policy: DeletionPolicy = "DELETE"
    chunking: Mapping[str, Any] = field(default_factory=dict)
    loader: Mapping[str, Any] = field(default_factory=dict)


def create_data_source(ctx: Context, base_id: str, wish: NewDataSource) -> DataSource:
    """Make a data source; nothing is read before an ingestion job is started.

    Raises:
        NotFound: the knowledge base does not exist.
        Conflict: the name is taken, or the knowledge base is being deleted.
        InvalidRequest: a configuration is wrong.
        NotBuilt: a connector that Rocamadre lacks.
    """
    base = get_knowledge_base(ctx, base_id)
    if base.type != "VECTOR":
        raise InvalidRequest(
            f"knowledge base {base.id} is of type {base.type}, which reads its database itself; it has no data sources"
        )
    check_source(wish)
    now = ctx.platform.clock.now()
    source = DataSource(
        id=new_id(),
        knowledge_base=base.id,
        account=ctx.account,
        region=ctx.region,
        name=wish.name,
        description=wish.description,
        type=wish.configuration["type"],
        configuration=wish.configuration,
        ingestion=wish.ingestion,
        encryption=wish.encryption,
        chunking=wish.chunking,
        loader=wish.loader,
        deletion_policy=wish.deletion_policy,
        status="AVAILABLE",
        failures=(),
        created_at=now,
        updated_at=now,
    )
    try:
        with ctx.platform.sql.begin() as tx:
            insert_source(tx, source)
            _check_active(tx, base)
    except IntegrityError as error:
        raise _taken(base, wish.name) from error
    return source


def get_data_source(ctx: Context, base_id: str, source_id: str) -> DataSource:
    """One data source.

    Raises:
        NotFound: it, or its knowledge base, does not exist.
    """
    base = get_knowledge_base(ctx, base_id)
    with ctx.platform.sql.connect() as connection:
        source = select_source(connection, base.id, source_id)
    if source is None:
        raise NotFound(
            f"DataSource with id {source_id} does not exist in knowledge base {base.id}; ListDataSources shows what "
            "exists"
        )
    return source


def list_data_sources(ctx: Context, base_id: str) -> list[DataSource]:
    """A knowledge base's data sources, those changed last first.

    Raises:
        NotFound: the knowledge base does not exist.
    """
    base = get_knowledge_base(ctx, base_id)
    with ctx.platform.sql.connect() as connection:
        return select_sources(connection, base.id)


def update_data_source(ctx: Context, base_id: str, source_id: str, wish: NewDataSource) -> DataSource:
    """Change a data source; the next ingestion job follows the new configuration, for all documents.

    Raises:
        NotFound: it does not exist.
        Conflict: the name is taken, or an ingestion job runs.
        InvalidRequest: a configuration is wrong, or the type is another.
    """
    before = get_data_source(ctx, base_id, source_id)
    check_source(wish)
    if wish.configuration["type"] != before.type:
        raise InvalidRequest(f"dataSourceConfiguration.type: data source {source_id} is of type {before.type}")
    changed = replace(
        before,
        name=wish.name,
        description=wish.description,
        configuration=wish.configuration,
        ingestion=wish.ingestion,
        encryption=wish.encryption,
        chunking=wish.chunking,
        loader=wish.loader,
        deletion_policy=wish.deletion_policy,
        updated_at=ctx.platform.clock.now(),
    )
    try:
        with ctx.platform.sql.begin() as tx:
            check_idle(tx, before)
            update_source(tx, changed)
    except IntegrityError as error:
        raise _taken(get_knowledge_base(ctx, base_id), wish.name) from error
    return changed


def delete_data_source(ctx: Context, base_id: str, source_id: str) -> DataSource:
    """Delete a data source; with the policy DELETE a job takes its chunks away first, with RETAIN they stay.

    Raises:
        NotFound: it does not exist.
        Conflict: an ingestion job runs.
    """
    source = get_data_source(ctx, base_id, source_id)
    deleting = replace(source, status="DELETING", updated_at=ctx.platform.clock.now())
    if source.status == "DELETING":
        return source
    request = Request(ctx.account, ctx.region, source.knowledge_base, source.id, new_id(), "clear")
    with ctx.platform.sql.begin() as tx:
        check_idle(tx, source)
        if source.deletion_policy == "RETAIN":
            delete_source(tx, source.knowledge_base, source.id)
        else:
            update_source(tx, deleting)
            ctx.platform.jobs.enqueue(tx, JobSpec(KIND_NAME, request.run_id, request.arguments()))
    return deleting


def check_idle(tx: Connection, source: DataSource) -> None:
    """See that nothing reads a data source; until the transaction ends, nothing begins to.

    Raises:
        NotFound: it was deleted meanwhile.
        Conflict: an ingestion job runs, or it is being deleted.
    """
    status = lock_source(tx, source.id)
    if status is None:
        raise NotFound(f"DataSource with id {source.id} does not exist in knowledge base {source.knowledge_base}")
    if status != "AVAILABLE":
        raise Conflict(f"data source {source.id} is {status}")
    for job in select_jobs(tx, source.knowledge_base, source.id):
        if job.status not in OVER:
            raise Conflict(
                f"ingestion job {job.id} of data source {source.id} is {job.status}; one at a time: wait for it, or "
                "stop it with StopIngestionJob"
            )


def check_source(wish: NewDataSource) -> None:
    """See that a data source's configurations hold what their types need.

    Raises:
        InvalidRequest: they do not.
        NotBuilt: a connector that Rocamadre lacks.
    """
    kind = wish.configuration["type"]
    if kind in _SAAS:
        raise NotBuilt(
            f"dataSourceConfiguration.type {kind}: Rocamadre has no connector to {_SAAS[kind]}; there are S3, WEB and "
            "CUSTOM (IngestKnowledgeBaseDocuments)"
        )
    if kind not in _MEMBERS:
        raise InvalidRequest(f"dataSourceConfiguration.type {kind!r} is none of {', '.join(_MEMBERS)}")
    given = sorted(name for name in wish.configuration if name != "type")
    if given != ([_MEMBERS[kind]] if _MEMBERS[kind] else []):
        raise InvalidRequest(
            f"dataSourceConfiguration of type {kind} holds {_MEMBERS[kind] or 'no member'} besides its type; it holds "
            f"{', '.join(given) or 'none'}"
        )
    if kind == "WEB" and not wish.configuration["webConfiguration"]["sourceConfiguration"]["urlConfiguration"].get(
        "seedUrls"
    ):
        raise InvalidRequest("webConfiguration.sourceConfiguration.urlConfiguration needs seedUrls, each with a url")
    if kind == "WEB":
        crawl_of(wish.configuration["webConfiguration"])
        agent_of(wish.configuration["webConfiguration"])
    if wish.loader and kind != "CUSTOM":
        raise InvalidRequest(f"a loader goes with a data source of type CUSTOM, not with {kind}")
    _check_chunking(wish.ingestion.get("chunkingConfiguration"))
    if wish.chunking:
        settings_of(wish.chunking)
    _check_parsing(wish.ingestion.get("parsingConfiguration"))
    enrichment = wish.ingestion.get("contextEnrichmentConfiguration")
    if enrichment and "bedrockFoundationModelConfiguration" not in enrichment:
        raise InvalidRequest("contextEnrichmentConfiguration needs bedrockFoundationModelConfiguration")


def _check_chunking(given: Mapping[str, Any] | None) -> None:
    """The values' ranges are of the model; here is what they have to do with each other."""
    if not given:
        return
    strategy = given["chunkingStrategy"]
    wanted = _CHUNKING.get(strategy)
    held = sorted(name for name in given if name != "chunkingStrategy")
    if wanted is not None and held != ([wanted] if wanted else []):
        raise InvalidRequest(
            f"chunkingConfiguration with the strategy {strategy} holds {wanted or 'no configuration'}; it holds "
            f"{', '.join(held) or 'none'}"
        )
    settings_of(given)


def _check_parsing(given: Mapping[str, Any] | None) -> None:
    if not given:
        return
    strategy = given["parsingStrategy"]
    if strategy == "BEDROCK_FOUNDATION_MODEL" and "bedrockFoundationModelConfiguration" not in given:
        raise InvalidRequest(
            "parsingConfiguration with the strategy BEDROCK_FOUNDATION_MODEL needs bedrockFoundationModelConfiguration"
        )
    logger.warning("data_source.parsed_here", extra={"strategy": strategy})


def _check_active(tx: Connection, base: KnowledgeBase) -> None:
    there = select_base(tx, base.id)
    if there is None or there.status != "ACTIVE":
        raise Conflict(f"knowledge base {base.id} is being deleted")


def _taken(base: KnowledgeBase, name: str) -> Conflict:
    return Conflict(f"DataSource with name {name} already exists in knowledge base {base.id}; choose another name")
