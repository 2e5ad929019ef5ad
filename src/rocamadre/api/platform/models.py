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


@route("GET", "/_rocamadre/models")
async def models(context: Context, request: HttpRequest) -> Reply:
    """Every model that is here, and every alias in the order in which they decide."""
    found, aliases = await asyncio.gather(
        asyncio.to_thread(list_models, context), asyncio.to_thread(list_aliases, context.platform)
    )
    return json_reply({"models": [_facts(each) for each in found], "aliases": [asdict(each) for each in aliases]})


@route("GET", "/_rocamadre/models/{}")
async def model(context: Context, request: HttpRequest) -> Reply:
    """One model, by any id that stands for it, with its card and where it comes from."""
    resolved = await asyncio.to_thread(resolve_model, context, request.path_values[0])
    lineage = await asyncio.to_thread(read_lineage, resolved.model)
    return json_reply({**_facts(resolved.model), "aliased": resolved.aliased, **asdict(lineage)})


def _facts(model: Model) -> dict[str, Any]:
    """Everything but paths and engine options, which are the machine's business."""
    facts = asdict(model)
    del facts["path"], facts["options"]
    return facts
