"""CreatePromptRouter, GetPromptRouter, ListPromptRouters, DeletePromptRouter."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.catalog.routers import create_router, delete_router, get_router, list_routers
from rocamadre.catalog.types import PromptRouter
from rocamadre.core.context import Context

TAGGABLE["prompt-router"] = get_router


@handles("bedrock", "CreatePromptRouter")
async def create_prompt_router(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """An account's own router."""
    create = partial(
        create_router,
        ctx,
        name=request["promptRouterName"],
        models=[model["modelArn"] for model in request["models"]],
        fallback=request["fallbackModel"]["modelArn"],
        quality_difference=float(request["routingCriteria"]["responseQualityDifference"]),
        description=request.get("description", ""),
        tags=tags_by_key(request.get("tags", [])),
    )
    return {"promptRouterArn": (await asyncio.to_thread(create)).arn}


@handles("bedrock", "GetPromptRouter")
async def get_prompt_router(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One router, by ARN."""
    return _facts(await asyncio.to_thread(get_router, ctx, request["promptRouterArn"]))


@handles("bedrock", "ListPromptRouters")
async def list_prompt_routers(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The default routers, then the account's own."""
    routers = await asyncio.to_thread(partial(list_routers, ctx, type_equals=request.get("type")))
    shown, token = page(ctx, routers, request=request, operation="ListPromptRouters", key=lambda item: item.arn)
    answer: dict[str, Any] = {"promptRouterSummaries": [_facts(router) for router in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "DeletePromptRouter")
async def delete_prompt_router(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """An account's own routers only."""
    await asyncio.to_thread(delete_router, ctx, request["promptRouterArn"])
    return {}


def _facts(router: PromptRouter) -> dict[str, Any]:
    optional = {
        "description": router.description,
        "createdAt": router.created_at,
        "updatedAt": router.updated_at,
    }
    return {
        "promptRouterName": router.name,
        "promptRouterArn": router.arn,
        "routingCriteria": {"responseQualityDifference": router.quality_difference},
        "models": [{"modelArn": arn} for arn in router.models],
        "fallbackModel": {"modelArn": router.fallback},
        "status": "AVAILABLE",
        "type": router.type,
    } | {name: value for name, value in optional.items() if value}
