"""Making, finding, changing and deleting knowledge bases."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import IntegrityError

from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context, Platform
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.knowledge.answers.sessions import forget_sessions
from rocamadre.knowledge.embedding import embedder_of
from rocamadre.knowledge.kinds import kind_of
from rocamadre.knowledge.storage import describe
from rocamadre.knowledge.stores import open_store, staging_dir
from rocamadre.knowledge.tables import (
    delete_base,
    insert_base,
    select_base,
    select_bases,
    select_deleting,
    select_jobs,
    update_base,
)
from rocamadre.knowledge.types import OVER, KnowledgeBase
from rocamadre.store.sql.tags import add_tags, forget_tags

__all__ = [
    "NewKnowledgeBase",
    "create_knowledge_base",
    "delete_knowledge_base",
    "embedder_of",
    "get_knowledge_base",
    "list_knowledge_bases",
    "new_id",
    "open_store",
    "staging_dir",
    "update_knowledge_base",
]

ARN_KIND = "knowledge-base"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewKnowledgeBase:
    """A knowledge base as it is asked for; configurations as the wire has them, empty for none."""

    name: str
    role_arn: str
    configuration: Mapping[str, Any]
    storage: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def new_id() -> str:
    """Ten random capital letters and digits, as Bedrock's agents and knowledge bases have them."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


def create_knowledge_base(ctx: Context, wish: NewKnowledgeBase) -> KnowledgeBase:
    """Make a knowledge base; it can be filled at once.

    Raises:
        Conflict: the name is taken.
        InvalidRequest: a configuration is wrong, or the embedder does not fit.
        NotBuilt: it asks for what Rocamadre lacks.
        UnknownModel: the embedder is not here.
        TooManyTags: over 50.
    """
    made = kind_of(wish.configuration["type"]).create(ctx, wish.configuration, wish.storage)
    now, base_id = ctx.platform.clock.now(), new_id()
    base = KnowledgeBase(
        id=base_id,
        arn=make_arn("bedrock", ctx.region, ctx.account, f"{ARN_KIND}/{base_id}"),
        account=ctx.account,
        region=ctx.region,
        name=wish.name,
        description=wish.description,
        role_arn=wish.role_arn,
        type=wish.configuration["type"],
        configuration=wish.configuration,
        storage=wish.storage,
        store=made.store,
        embedder=made.embedder,
        embedder_hash=made.embedder_hash,
        dimensions=made.dimensions,
        status="ACTIVE",
        failures=(),
        facts=made.facts,
        created_at=now,
        updated_at=now,
    )
    try:
        with ctx.platform.sql.begin() as tx:
            insert_base(tx, base)
            add_tags(tx, base.arn, wish.tags)
    except IntegrityError as error:
        raise _taken(wish.name) from error
    logger.info(
        "knowledge_base.created",
        extra={
            "knowledge_base": base.id,
            "asked_store": wish.storage.get("type", "none"),
            "store": base.store,
            "mapping": describe(wish.storage, base.store),
            "embedder": base.embedder,
        },
    )
    return base


def get_knowledge_base(ctx: Context, id_or_arn: str) -> KnowledgeBase:
    """One knowledge base by id or ARN.

    Raises:
        NotFound: none in this account and region.
    """
    wanted = id_or_arn
    if wanted.startswith("arn:"):
        arn = Arn.parse(wanted)
        wanted = arn.id if (arn.account, arn.region, arn.kind) == (ctx.account, ctx.region, ARN_KIND) else ""
    with ctx.platform.sql.connect() as connection:
        base = select_base(connection, wanted)
    if base is None or (base.account, base.region) != (ctx.account, ctx.region):
        raise NotFound(
            f"Knowledge Base with id {id_or_arn[:200]} does not exist in account {ctx.account}, region {ctx.region}; "
            "ListKnowledgeBases shows what exists"
        )
    return base


def list_knowledge_bases(ctx: Context) -> list[KnowledgeBase]:
    """The account's knowledge bases in this region, those changed last first."""
    with ctx.platform.sql.connect() as connection:
        return select_bases(connection, ctx.account, ctx.region)


def update_knowledge_base(ctx: Context, id_or_arn: str, wish: NewKnowledgeBase) -> KnowledgeBase:
    """Change name, description and role; what the vectors were made with stays as it is. Tags are not looked at.

    Raises:
        NotFound: it does not exist.
        Conflict: the name is taken, or it is being deleted.
        InvalidRequest: a configuration is another than before.
    """
    base = get_knowledge_base(ctx, id_or_arn)
    if base.status != "ACTIVE":
        raise Conflict(f"knowledge base {base.id} is {base.status}; only an active one can be updated")
    if wish.configuration["type"] != base.type:
        raise InvalidRequest(f"knowledgeBaseConfiguration.type: {base.id} is of type {base.type}, which stays")
    made = kind_of(base.type).update(ctx, base, wish.configuration, wish.storage)
    changed = replace(
        base,
        name=wish.name,
        description=wish.description,
        role_arn=wish.role_arn,
        configuration=wish.configuration,
        facts=made.facts,
        updated_at=ctx.platform.clock.now(),
    )
    try:
        with ctx.platform.sql.begin() as tx:
            update_base(tx, changed)
    except IntegrityError as error:
        raise _taken(wish.name) from error
    return changed


def delete_knowledge_base(ctx: Context, id_or_arn: str) -> KnowledgeBase:
    """Delete a knowledge base with its data sources, its chunks and every file of it, whatever policies these have.

    What a kill leaves half deleted is `DELETING`; the server's next start, or deleting it again, finishes the work.

    Raises:
        NotFound: it does not exist.
        Conflict: an ingestion job runs.
    """
    base = get_knowledge_base(ctx, id_or_arn)
    deleting = replace(base, status="DELETING", updated_at=ctx.platform.clock.now())
    with ctx.platform.sql.begin() as tx:
        update_base(tx, deleting)  # Before looking: from here on no job can begin.
        running = [job for job in select_jobs(tx, base.id) if job.status not in OVER]
        if running:
            raise Conflict(
                f"ingestion job {running[0].id} of data source {running[0].data_source} is {running[0].status}; wait "
                "for it, or stop it with StopIngestionJob, then delete the knowledge base"
            )
    _destroy(ctx.platform, deleting)
    return deleting


def finish_deletions(platform: Platform) -> None:
    """At a server's start: delete what a kill left half deleted."""
    with platform.sql.connect() as connection:
        left = select_deleting(connection)
    for base in left:
        _destroy(platform, base)


def _destroy(platform: Platform, base: KnowledgeBase) -> None:
    """The files first: while there is a row, somebody can find that they are to go."""
    kind_of(base.type).destroy(platform, base)
    with platform.sql.begin() as tx:
        delete_base(tx, base.id)
        forget_tags(tx, base.arn)
        forget_sessions(tx, base.id)
    logger.info("knowledge_base.deleted", extra={"knowledge_base": base.id})


def _taken(name: str) -> Conflict:
    return Conflict(f"KnowledgeBase with name {name} already exists; choose another name, or use the one there is")
