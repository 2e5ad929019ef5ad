"""GET /anthropic/v1/models and GET /anthropic/v1/models/{id}."""

from __future__ import annotations

from typing import Any

from rocamadre.api.anthropic.requests import check_headers
from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import resolve_model
from rocamadre.catalog.operations import list_models
from rocamadre.catalog.types import Model
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest

_MOST = 1000
_UNKNOWN_DATE = "1970-01-01T00:00:00Z"
"""Anthropic's own sign of a release date that is not known; the catalog keeps none."""


@route("GET", "/anthropic/v1/models", dialect="anthropic")
async def models(ctx: Context, request: HttpRequest) -> Reply:
    """The models that are here and write text, a page at a time."""
    check_headers(request)
    parameters = request.parameters()
    limit = _limit(parameters.get("limit", "20"))
    known = [each for each in list_models(ctx) if not each.embeds]
    ids = [each.id for each in known]
    if (after := parameters.get("after_id")) is not None:
        first = _place(ids, after, "after_id") + 1
        page, more = known[first : first + limit], len(known) > first + limit
    elif (before := parameters.get("before_id")) is not None:
        end = _place(ids, before, "before_id")
        page, more = known[max(0, end - limit) : end], end > limit
    else:
        page, more = known[:limit], len(known) > limit
    return json_reply(
        {
            "data": [_write(each) for each in page],
            "has_more": more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        },
        headers={"request-id": ctx.request_id},
    )


@route("GET", "/anthropic/v1/models/{}", dialect="anthropic")
async def model(ctx: Context, request: HttpRequest) -> Reply:
    """One model, by its id or by another that stands for it; `x-rocamadre-model` then says which it is."""
    check_headers(request)
    resolved = resolve_model(ctx, request.path_values[0])
    return json_reply(_write(resolved.model), headers={"request-id": ctx.request_id})


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:5]) <= _MOST):
        raise InvalidRequest(f"limit: Input should be a whole number from 1 to {_MOST}")
    return int(text[:5])


def _place(ids: list[str], wanted: str, name: str) -> int:
    if wanted not in ids:
        raise InvalidRequest(f"{name}: {wanted[:80]!r} is no model of this list")
    return ids.index(wanted)


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
