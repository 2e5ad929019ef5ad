"""ListFoundationModels, GetFoundationModel, GetFoundationModelAvailability."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.operations import list_models, resolve
from rocamadre.catalog.types import Model, Resolved
from rocamadre.core.arn import make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import NotFound

MODEL_HEADER = "x-rocamadre-model"
MAX_NAME = 20
"""AWS's limit on a model's and a provider's name."""


@handles("bedrock", "ListFoundationModels")
async def list_foundation_models(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """What is really here; aliases are not listed."""
    models = await asyncio.to_thread(list_models, ctx)
    return {"modelSummaries": [_facts(ctx, model) for model in models if _wanted(model, request)]}


@handles("bedrock", "GetFoundationModel")
async def get_foundation_model(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Facts of a model; of an alias, those of the model that stands in, under a name that says so."""
    resolved = await _resolved(ctx, request["modelIdentifier"])
    facts = _facts(ctx, resolved.model)
    if resolved.aliased:
        facts |= {
            "modelArn": make_arn("bedrock", ctx.region, "", f"foundation-model/{resolved.base_id}"),
            "modelId": resolved.base_id,
            "modelName": f"alias of {resolved.model.short_name}"[:MAX_NAME],
        }
    return {"modelDetails": facts}


@handles("bedrock", "GetFoundationModelAvailability")
async def get_foundation_model_availability(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Whatever resolves is available: there are no agreements to sign."""
    await _resolved(ctx, request["modelId"])
    return {
        "modelId": request["modelId"],
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }


async def _resolved(ctx: Context, model_id: str) -> Resolved:
    try:
        resolved = await asyncio.to_thread(resolve, ctx, model_id)
    except UnknownModel as error:
        raise NotFound(error.message) from error
    if resolved.aliased:
        ctx.reply_headers[MODEL_HEADER] = resolved.model.id
    return resolved


def _wanted(model: Model, request: Mapping[str, Any]) -> bool:
    tests = (
        ("byProvider", lambda wanted: model.provider[:MAX_NAME].casefold() == wanted.casefold()),
        ("byCustomizationType", lambda wanted: wanted in model.customizations),
        ("byOutputModality", lambda wanted: wanted in model.output_modalities),
        ("byInferenceType", lambda wanted: wanted == "ON_DEMAND"),
    )
    return all(test(request[name]) for name, test in tests if request.get(name) is not None)


def _facts(ctx: Context, model: Model) -> dict[str, Any]:
    return {
        "modelArn": make_arn("bedrock", ctx.region, "", f"foundation-model/{model.id}"),
        "modelId": model.id,
        "modelName": model.name[:MAX_NAME],
        "providerName": model.provider[:MAX_NAME],
        "inputModalities": list(model.input_modalities),
        "outputModalities": list(model.output_modalities),
        "responseStreamingSupported": not model.embeds,
        "customizationsSupported": list(model.customizations),
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
    }
