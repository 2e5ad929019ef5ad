"""GET /anthropic/v1/models and GET /anthropic/v1/models/{id}."""

from __future__ import annotations

from typing import Any

from rocamadre.api.anthropic.listing import one_page
from rocamadre.api.anthropic.requests import check_headers
from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import resolve_model
from rocamadre.catalog.operations import list_models
from rocamadre.catalog.types import Model
from rocamadre.core.context import Context

_UNKNOWN_DATE = "1970-01-01T00:00:00Z"
"""Anthropic's own sign of a release date that is not known; the catalog keeps none."""


@route("GET", "/anthropic/v1/models", dialect="anthropic")
async def models(ctx: Context, request: HttpRequest) -> Reply:
    """The models that are here and write text, a page at a time."""
    check_headers(request)
    known = [each for each in list_models(ctx) if not each.embeds]
    page = one_page(known, request.parameters(), write=_write)
    return json_reply(page, headers={"request-id": ctx.request_id})


@route("GET", "/anthropic/v1/models/{}", dialect="anthropic")
async def model(ctx: Context, request: HttpRequest) -> Reply:
    """One model, by its id or by another that stands for it; `x-rocamadre-model` then says which it is."""
    check_headers(request)
    resolved = resolve_model(ctx, request.path_values[0])
    return json_reply(_write(resolved.model), headers={"request-id": ctx.request_id})


def _write(model: Model) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": _UNKNOWN_DATE,
        "lifecycle": "active",
        "max_input_tokens": model.context_length,
        "max_tokens": model.context_length,
    }
