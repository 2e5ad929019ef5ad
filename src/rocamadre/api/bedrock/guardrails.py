"""CreateGuardrail, GetGuardrail, UpdateGuardrail, ListGuardrails, DeleteGuardrail, CreateGuardrailVersion."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.core.arn import Arn
from rocamadre.core.context import Context
from rocamadre.guardrails.operations import (
    Wish,
    check_mine,
    create_guardrail,
    create_version,
    delete_guardrail,
    get_guardrail,
    list_guardrails,
    update_guardrail,
)
from rocamadre.guardrails.types import DRAFT, Summary, Version

TAGGABLE["guardrail"] = check_mine

_NOT_HERE = (
    "automatedReasoningPolicyConfig: refused, there are no automated reasoning policies",
    "contentPolicyConfig: IMAGE among the modalities is refused, images are not examined",
    "crossRegionConfig: remembered, every check runs on this machine; both tiers run the same checks",
    "kmsKeyId: remembered, nothing is encrypted with it; an alias is refused",
)
_SIDES = {"inputAction": "BLOCK", "outputAction": "BLOCK", "inputEnabled": True, "outputEnabled": True}
_MEMBERS: dict[str, tuple[str, dict[str, str]]] = {
    "topicPolicyConfig": ("topicPolicy", {"topicsConfig": "topics"}),
    "contentPolicyConfig": ("contentPolicy", {"filtersConfig": "filters"}),
    "wordPolicyConfig": ("wordPolicy", {"wordsConfig": "words", "managedWordListsConfig": "managedWordLists"}),
    "sensitiveInformationPolicyConfig": (
        "sensitiveInformationPolicy",
        {"piiEntitiesConfig": "piiEntities", "regexesConfig": "regexes"},
    ),
    "contextualGroundingPolicyConfig": ("contextualGroundingPolicy", {"filtersConfig": "filters"}),
}


@handles("bedrock", "CreateGuardrail", missing=_NOT_HERE)
async def create(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """A new guardrail; its draft is ready at once."""
    made = await asyncio.to_thread(create_guardrail, ctx, _wish(request))
    return {"guardrailId": made.id, "guardrailArn": made.arn, "version": made.version, "createdAt": made.created_at}


@handles("bedrock", "UpdateGuardrail", missing=_NOT_HERE)
async def update(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The draft as a whole, replaced."""
    changed = await asyncio.to_thread(update_guardrail, ctx, request["guardrailIdentifier"], _wish(request))
    return {
        "guardrailId": changed.id,
        "guardrailArn": changed.arn,
        "version": changed.version,
        "updatedAt": changed.updated_at,
    }


@handles("bedrock", "GetGuardrail")
async def get(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The draft, or a numbered version, with defaults written out."""
    version = request.get("guardrailVersion", DRAFT)
    return _facts(await asyncio.to_thread(get_guardrail, ctx, request["guardrailIdentifier"], version))


@handles("bedrock", "ListGuardrails")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The drafts of all guardrails, or all versions of one."""
    found = await asyncio.to_thread(list_guardrails, ctx, request.get("guardrailIdentifier"))
    shown, token = page(
        ctx, found, request=request, operation="ListGuardrails", key=lambda each: f"{each.arn}:{each.version}"
    )
    answer: dict[str, Any] = {"guardrails": [_summary(each) for each in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "DeleteGuardrail")
async def delete(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One version, or the guardrail with all of them."""
    await asyncio.to_thread(delete_guardrail, ctx, request["guardrailIdentifier"], request.get("guardrailVersion"))
    return {}


@handles("bedrock", "CreateGuardrailVersion")
async def number(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The draft as it is now, under the next number."""
    make = partial(create_version, ctx, request["guardrailIdentifier"], request.get("description", ""))
    made = await asyncio.to_thread(make)
    return {"guardrailId": made.id, "version": made.version}


def _wish(request: Mapping[str, Any]) -> Wish:
    return Wish(
        name=request["name"],
        request=request,
        blocked_input=request["blockedInputMessaging"],
        blocked_output=request["blockedOutputsMessaging"],
        description=request.get("description", ""),
        kms_key_id=request.get("kmsKeyId", ""),
        tags=tags_by_key(request.get("tags", [])),
    )


def _facts(version: Version) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": version.name,
        "guardrailId": version.id,
        "guardrailArn": version.arn,
        "version": version.version,
        "status": "READY",
        "createdAt": version.created_at,
        "updatedAt": version.updated_at,
        "statusReasons": [],
        "failureRecommendations": [],
        "blockedInputMessaging": version.blocked_input,
        "blockedOutputsMessaging": version.blocked_output,
    }
    for config, settings in version.policies.items():
        member, lists = _MEMBERS[config]
        facts[member] = {
            shown: [_with_defaults(given, item) for item in settings[given]]
            for given, shown in lists.items()
            if settings.get(given)
        }
        if settings.get("tierConfig"):
            facts[member]["tier"] = settings["tierConfig"]
        elif member in {"topicPolicy", "contentPolicy"}:
            facts[member]["tier"] = {"tierName": "CLASSIC"}
    if version.description:
        facts["description"] = version.description
    if version.kms_key_arn:
        facts["kmsKeyArn"] = version.kms_key_arn
    return facts | _profile(version.profile_arn)


def _with_defaults(given: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """An item with what counts where it says nothing."""
    defaults: dict[str, Any] = dict(_SIDES)
    if "threshold" in item:
        defaults = {"action": "BLOCK", "enabled": True}
    elif "inputStrength" in item:
        defaults |= {"inputModalities": ["TEXT"], "outputModalities": ["TEXT"]}
    elif given in {"piiEntitiesConfig", "regexesConfig"}:
        defaults |= {"inputAction": item["action"], "outputAction": item["action"]}
    return {**defaults, **item}


def _summary(each: Summary) -> dict[str, Any]:
    facts = {
        "id": each.id,
        "arn": each.arn,
        "status": "READY",
        "name": each.name,
        "version": each.version,
        "createdAt": each.created_at,
        "updatedAt": each.updated_at,
    }
    if each.description:
        facts["description"] = each.description
    return facts | _profile(each.profile_arn)


def _profile(arn: str) -> dict[str, Any]:
    if not arn:
        return {}
    return {"crossRegionDetails": {"guardrailProfileId": Arn.parse(arn).id, "guardrailProfileArn": arn}}
