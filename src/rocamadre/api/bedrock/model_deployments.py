"""Create-, Get-, List-, Update- and DeleteCustomModelDeployment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.core.context import Context
from rocamadre.customization.deployments import (
    create_deployment,
    delete_deployment,
    get_deployment,
    list_deployments,
    update_deployment,
)
from rocamadre.customization.model_types import Deployment

TAGGABLE["custom-model-deployment"] = get_deployment


@handles("bedrock", "CreateCustomModelDeployment")
async def create(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """A custom model under an ARN of its own; `Active` once it has answered."""
    make = partial(
        create_deployment,
        ctx,
        name=request["modelDeploymentName"],
        model_arn=request["modelArn"],
        description=request.get("description", ""),
        tags=tags_by_key(request.get("tags", [])),
    )
    return {"customModelDeploymentArn": (await asyncio.to_thread(make)).arn}


@handles("bedrock", "GetCustomModelDeployment")
async def get(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One deployment by name or ARN."""
    found = await asyncio.to_thread(get_deployment, ctx, request["customModelDeploymentIdentifier"])
    answer = {**_facts(found), "modelDeploymentName": found.name}
    if found.description:
        answer["description"] = found.description
    if found.update_status:
        answer["updateDetails"] = {"modelArn": found.update_model_arn, "updateStatus": found.update_status}
    return answer


@handles("bedrock", "ListCustomModelDeployments")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's deployments, newest first."""
    find = partial(
        list_deployments,
        ctx,
        after=request.get("createdAfter"),
        before=request.get("createdBefore"),
        name_contains=request.get("nameContains", ""),
        status=request.get("statusEquals", ""),
        model_arn=request.get("modelArnEquals", ""),
        newest_first=request.get("sortOrder") != "Ascending",
    )
    found = await asyncio.to_thread(find)
    shown, token = page(ctx, found, request=request, operation="ListCustomModelDeployments", key=lambda item: item.arn)
    summaries = [{**_facts(each), "customModelDeploymentName": each.name} for each in shown]
    answer: dict[str, Any] = {"modelDeploymentSummaries": summaries}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "UpdateCustomModelDeployment")
async def update(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Another model under the same ARN; the old one answers until the new one has."""
    change = partial(update_deployment, ctx, request["customModelDeploymentIdentifier"], model_arn=request["modelArn"])
    return {"customModelDeploymentArn": (await asyncio.to_thread(change)).arn}


@handles("bedrock", "DeleteCustomModelDeployment")
async def delete(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The deployment and its tags; the model stays."""
    await asyncio.to_thread(delete_deployment, ctx, request["customModelDeploymentIdentifier"])
    return {}


def _facts(found: Deployment) -> dict[str, Any]:
    facts = {
        "customModelDeploymentArn": found.arn,
        "modelArn": found.model_arn,
        "createdAt": found.created_at,
        "lastUpdatedAt": found.updated_at,
        "status": found.status,
    }
    return facts | ({"failureMessage": found.message} if found.message else {})
