"""ListInferenceProfiles, GetInferenceProfile, CreateInferenceProfile, DeleteInferenceProfile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.catalog.profiles import create_profile, delete_profile, get_profile, list_profiles
from rocamadre.catalog.types import InferenceProfile
from rocamadre.core.context import Context


@handles("bedrock", "ListInferenceProfiles")
async def list_inference_profiles(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """System-defined profiles of the models here, then the account's own."""
    profiles = await asyncio.to_thread(partial(list_profiles, ctx, type_equals=request.get("typeEquals")))
    shown, token = page(ctx, profiles, request=request, operation="ListInferenceProfiles", key=lambda item: item.arn)
    answer: dict[str, Any] = {"inferenceProfileSummaries": [_facts(profile) for profile in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "GetInferenceProfile")
async def get_inference_profile(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One profile, by id or ARN."""
    return _facts(await asyncio.to_thread(get_profile, ctx, request["inferenceProfileIdentifier"]))


@handles("bedrock", "CreateInferenceProfile")
async def create_inference_profile(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """An application's own profile; usage by profile is in the access log and metrics."""
    create = partial(
        create_profile,
        ctx,
        name=request["inferenceProfileName"],
        copy_from=request["modelSource"]["copyFrom"],
        description=request.get("description", ""),
        tags=tags_by_key(request.get("tags", [])),
    )
    profile = await asyncio.to_thread(create)
    return {"inferenceProfileArn": profile.arn, "status": "ACTIVE"}


@handles("bedrock", "DeleteInferenceProfile")
async def delete_inference_profile(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Application profiles only."""
    await asyncio.to_thread(delete_profile, ctx, request["inferenceProfileIdentifier"])
    return {}


def _facts(profile: InferenceProfile) -> dict[str, Any]:
    optional = {
        "description": profile.description,
        "createdAt": profile.created_at,
        "updatedAt": profile.updated_at,
    }
    return {
        "inferenceProfileName": profile.name,
        "inferenceProfileArn": profile.arn,
        "inferenceProfileId": profile.id,
        "models": [{"modelArn": arn} for arn in profile.model_arns],
        "status": "ACTIVE",
        "type": profile.type,
    } | {name: value for name, value in optional.items() if value}
