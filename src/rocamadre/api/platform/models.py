"""GET /_rocamadre/models: all that is known of the models here, which Bedrock's operations have no members for."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import resolve_model
from rocamadre.catalog.changes import list_aliases
from rocamadre.catalog.lineage import read_lineage
from rocamadre.catalog.operations import list_models
from rocamadre.catalog.types import Model
from rocamadre.core.context import Context
from rocamadre.core.errors import NotFound
from rocamadre.customization.model_types import CustomModel
from rocamadre.customization.models import get_custom_model, list_custom_models


@route("GET", "/_rocamadre/models")
async def models(context: Context, request: HttpRequest) -> Reply:
    """Every model that is here, the account's own, and every alias in the order in which they decide."""
    found, aliases, custom = await asyncio.gather(
        asyncio.to_thread(list_models, context),
        asyncio.to_thread(list_aliases, context.platform),
        asyncio.to_thread(list_custom_models, context),
    )
    return json_reply(
        {
            "models": [_facts(each) for each in found],
            "aliases": [asdict(each) for each in aliases],
            "custom": [_own(each) for each in custom],
        }
    )


@route("GET", "/_rocamadre/models/{}")
async def model(context: Context, request: HttpRequest) -> Reply:
    """One model, by any id that stands for it, with its card and where it comes from.

    Of a custom model also `custom`: how it was trained, and its parity certificate.
    """
    resolved = await asyncio.to_thread(resolve_model, context, request.path_values[0])
    lineage = await asyncio.to_thread(read_lineage, resolved.model)
    answer = {**_facts(resolved.model), "aliased": resolved.aliased, **asdict(lineage)}
    if resolved.model_arn:
        answer["custom"] = await asyncio.to_thread(_find_own, context, resolved.model_arn)
    return json_reply(answer)


def _find_own(context: Context, arn: str) -> dict[str, Any] | None:
    """What is known of a custom model; None for an imported one."""
    try:
        found = get_custom_model(context, arn)
    except NotFound:
        return None
    return {**_own(found), "facts": dict(found.facts)}


def _own(model: CustomModel) -> dict[str, Any]:
    """A custom model's facts, but for where its files are."""
    return {name: getattr(model, name) for name in CustomModel.__slots__ if name not in ("folder", "facts")}


def _facts(model: Model) -> dict[str, Any]:
    """Everything but paths and engine options, which are the machine's business."""
    facts = asdict(model)
    del facts["path"], facts["options"]
    return facts
