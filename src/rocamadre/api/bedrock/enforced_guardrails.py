"""PutEnforcedGuardrailConfiguration, ListEnforcedGuardrailsConfiguration, DeleteEnforcedGuardrailConfiguration."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.core.arn import Arn
from rocamadre.core.context import Context
from rocamadre.guardrails.enforced import delete_configuration, list_configurations, put_configuration
from rocamadre.guardrails.types import Enforced


@handles("bedrock", "PutEnforcedGuardrailConfiguration")
async def put(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Enforce a version in this account and region."""
    wish = request["guardrailInferenceConfig"]
    made = await asyncio.to_thread(put_configuration, ctx, request.get("configId"), wish)
    return {"configId": made.config_id, "updatedAt": made.updated_at, "updatedBy": made.updated_by}


@handles("bedrock", "ListEnforcedGuardrailsConfiguration")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """What is enforced: one configuration, or none."""
    found = await asyncio.to_thread(list_configurations, ctx)
    shown, token = page(
        ctx, found, request=request, operation="ListEnforcedGuardrailsConfiguration", key=lambda each: each.config_id
    )
    answer: dict[str, Any] = {"guardrailsConfig": [_facts(each) for each in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "DeleteEnforcedGuardrailConfiguration")
async def delete(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Enforce it no more."""
    await asyncio.to_thread(delete_configuration, ctx, request["configId"])
    return {}


def _facts(each: Enforced) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "configId": each.config_id,
        "guardrailArn": each.guardrail_arn,
        "guardrailId": Arn.parse(each.guardrail_arn).id,
        "guardrailVersion": each.version,
        "inputTags": "HONOR" if each.messages == "SELECTIVE" else "IGNORE",
        "selectiveContentGuarding": {"system": each.system, "messages": each.messages},
        "createdAt": each.created_at,
        "createdBy": each.created_by,
        "updatedAt": each.updated_at,
        "updatedBy": each.updated_by,
        "owner": "ACCOUNT",
    }
    if each.included_models:
        facts["modelEnforcement"] = {
            "includedModels": list(each.included_models),
            "excludedModels": list(each.excluded_models),
        }
    return facts
