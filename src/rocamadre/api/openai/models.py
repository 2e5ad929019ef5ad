"""GET /v1/models and GET /v1/models/{id}."""

from __future__ import annotations

from typing import Any

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import resolve_model
from rocamadre.catalog.operations import list_models
from rocamadre.catalog.types import Model
from rocamadre.core.context import Context


@route("GET", "/v1/models", "/openai/v1/models", dialect="openai")
async def models(ctx: Context, request: HttpRequest) -> Reply:
    """Every model that is here."""
    created = _started(ctx)
    return json_reply({"object": "list", "data": [_write(each, each.id, created) for each in list_models(ctx)]})


@route("GET", "/v1/models/{}", "/openai/v1/models/{}", dialect="openai")
async def model(ctx: Context, request: HttpRequest) -> Reply:
    """One model, by its id or by another that stands for it; `x-rocamadre-model` then says which it is."""
    resolved = resolve_model(ctx, request.path_values[0])
    return json_reply(_write(resolved.model, resolved.model.id, _started(ctx)))


def _started(ctx: Context) -> int:
    # The catalog keeps no dates; the server's start is when the model became available here.
    platform = ctx.platform
    age_s = platform.clock.monotonic() - platform.server.started if platform.server else 0.0
    return int(platform.clock.now().timestamp() - age_s)


def _write(model: Model, name: str, created: int) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": model.provider,
        "context_length": model.context_length,
        "modalities": {"input": list(model.input_modalities), "output": list(model.output_modalities)},
    }
