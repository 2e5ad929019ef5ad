"""Create-, Get-, Update- and DeleteProvisionedModelThroughput, ListProvisionedModelThroughputs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.catalog.targets import IMPORTED
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.customization.model_types import Throughput
from rocamadre.customization.throughput import (
    create_throughput,
    delete_throughput,
    get_throughput,
    list_throughputs,
    update_throughput,
)

TAGGABLE["provisioned-model"] = get_throughput


@handles("bedrock", "CreateProvisionedModelThroughput")
async def create(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """An engine process for one model alone, a slot per model unit; `InService` once it has answered."""
    make = partial(
        create_throughput,
        ctx,
        name=request["provisionedModelName"],
        model_id=request["modelId"],
        units=request["modelUnits"],
        commitment=request.get("commitmentDuration", ""),
        tags=tags_by_key(request.get("tags", [])),
    )
    return {"provisionedModelArn": (await asyncio.to_thread(make)).arn}


@handles("bedrock", "GetProvisionedModelThroughput")
async def get(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One by name or ARN."""
    found = await asyncio.to_thread(get_throughput, ctx, request["provisionedModelId"])
    return _facts(found) | ({"failureMessage": found.message} if found.message else {})


@handles("bedrock", "ListProvisionedModelThroughputs")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's, newest first."""
    find = partial(
        list_throughputs,
        ctx,
        after=request.get("creationTimeAfter"),
        before=request.get("creationTimeBefore"),
        name_contains=request.get("nameContains", ""),
        status=request.get("statusEquals", ""),
        model_arn=request.get("modelArnEquals", ""),
        newest_first=request.get("sortOrder") != "Ascending",
    )
    found = await asyncio.to_thread(find)
    operation = "ListProvisionedModelThroughputs"
    shown, token = page(ctx, found, request=request, operation=operation, key=lambda item: item.arn)
    answer: dict[str, Any] = {"provisionedModelSummaries": [_facts(each) for each in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "UpdateProvisionedModelThroughput")
async def update(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Another name, or another model of the same foundation model; requests wait while it is loaded."""
    change = partial(
        update_throughput,
        ctx,
        request["provisionedModelId"],
        name=request.get("desiredProvisionedModelName", ""),
        model_id=request.get("desiredModelId", ""),
    )
    await asyncio.to_thread(change)
    return {}


@handles("bedrock", "DeleteProvisionedModelThroughput")
async def delete(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Its engine too; refused before a commitment ends."""
    found = await asyncio.to_thread(delete_throughput, ctx, request["provisionedModelId"])
    await ctx.platform.engines.unload(found.arn)
    return {}


def _facts(found: Throughput) -> dict[str, Any]:
    facts = {
        "provisionedModelName": found.name,
        "provisionedModelArn": found.arn,
        "modelArn": found.model_arn,
        "desiredModelArn": found.desired_model_arn,
        "foundationModelArn": _foundation(found),
        "modelUnits": found.units,
        "desiredModelUnits": found.units,
        "status": found.status,
        "creationTime": found.created_at,
        "lastModifiedTime": found.updated_at,
    }
    if found.commitment:
        facts |= {"commitmentDuration": found.commitment, "commitmentExpirationTime": found.expires_at}
    return facts


def _foundation(found: Throughput) -> str:
    """A model without a foundation model gets a name of that form, which the member's pattern demands."""
    if Arn.parse(found.foundation_arn).kind == "foundation-model":
        return found.foundation_arn
    own = f"{IMPORTED}.{found.foundation_arn.rpartition('/')[2]}"
    return make_arn("bedrock", found.region, "", f"foundation-model/{own}")
