"""CreateKnowledgeBase, GetKnowledgeBase, UpdateKnowledgeBase, ListKnowledgeBases, DeleteKnowledgeBase."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rocamadre.api.bedrock_agent.tags import TAGGABLE
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.core.context import Context
from rocamadre.core.errors import NotBuilt
from rocamadre.knowledge.operations import (
    ARN_KIND,
    NewKnowledgeBase,
    create_knowledge_base,
    delete_knowledge_base,
    get_knowledge_base,
    list_knowledge_bases,
    update_knowledge_base,
)
from rocamadre.knowledge.types import KnowledgeBase

STORE_HEADER = "x-rocamadre-store"
"""Names the store that holds the chunks, whatever store the client named."""

TAGGABLE[ARN_KIND] = get_knowledge_base
_MISSING = (
    "knowledgeBaseConfiguration: types KENDRA and MANAGED are refused; embeddingDataType BINARY, audio, video and "
    "modelConfiguration are refused; supplementalDataStorageConfiguration is stored and shown, no image is extracted",
    "storageConfiguration: stored and shown; the chunks are in the embedded store, or the one of the settings",
    "roleArn: stored and shown, not assumed",
)


@handles("bedrock-agent", "CreateKnowledgeBase", missing=_MISSING)
async def create(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """A knowledge base, `ACTIVE` at once."""
    base = await asyncio.to_thread(create_knowledge_base, ctx, _wish(request))
    return _answer(ctx, base)


@handles("bedrock-agent", "GetKnowledgeBase")
async def get(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One knowledge base."""
    return _answer(ctx, await asyncio.to_thread(get_knowledge_base, ctx, request["knowledgeBaseId"]))


@handles("bedrock-agent", "UpdateKnowledgeBase", missing=_MISSING)
async def update(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Another name, description or role."""
    base = await asyncio.to_thread(update_knowledge_base, ctx, request["knowledgeBaseId"], _wish(request))
    return _answer(ctx, base)


@handles("bedrock-agent", "ListKnowledgeBases")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's knowledge bases, those changed last first."""
    bases = await asyncio.to_thread(list_knowledge_bases, ctx)
    shown, token = page(ctx, bases, request=request, operation="ListKnowledgeBases", key=lambda base: base.id)
    answer: dict[str, Any] = {"knowledgeBaseSummaries": [_summary(base) for base in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock-agent", "DeleteKnowledgeBase")
async def delete(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take a knowledge base away, with all that is in it."""
    base = await asyncio.to_thread(delete_knowledge_base, ctx, request["knowledgeBaseId"])
    return {"knowledgeBaseId": base.id, "status": base.status}


def _wish(request: Mapping[str, Any]) -> NewKnowledgeBase:
    if request.get("metadataConfigurations"):
        raise NotBuilt("metadataConfigurations: Rocamadre does not have these; every attribute can be filtered by")
    return NewKnowledgeBase(
        name=request["name"],
        role_arn=request["roleArn"],
        configuration=request["knowledgeBaseConfiguration"],
        storage=request.get("storageConfiguration", {}),
        description=request.get("description", ""),
        tags=request.get("tags", {}),
    )


def _answer(ctx: Context, base: KnowledgeBase) -> dict[str, Any]:
    ctx.reply_headers[STORE_HEADER] = base.store
    facts: dict[str, Any] = _summary(base) | {
        "knowledgeBaseArn": base.arn,
        "roleArn": base.role_arn,
        "knowledgeBaseConfiguration": base.configuration,
        "createdAt": base.created_at,
    }
    if base.storage:
        facts["storageConfiguration"] = base.storage
    if base.failures:
        facts["failureReasons"] = list(base.failures)
    return {"knowledgeBase": facts}


def _summary(base: KnowledgeBase) -> dict[str, Any]:
    facts = {"knowledgeBaseId": base.id, "name": base.name, "status": base.status, "updatedAt": base.updated_at}
    return facts | ({"description": base.description} if base.description else {})
