"""GET /v1/models; GET and DELETE /v1/models/{id}."""

from __future__ import annotations

import asyncio
from typing import Any

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import resolve_model
from rocamadre.catalog.operations import list_models, resolve
from rocamadre.catalog.types import Model
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.customization.model_types import CustomModel
from rocamadre.customization.models import delete_custom_model, list_custom_models, openai_id
from rocamadre.customization.openai import fine_tuned_model
from rocamadre.customization.tables import select_by_arn


@route("GET", "/v1/models", "/openai/v1/models", dialect="openai")
async def models(ctx: Context, request: HttpRequest) -> Reply:
    """Every model that is here, then the account's custom models."""
    created = _started(ctx)
    own = await asyncio.to_thread(_own, ctx)
    return json_reply(
        {"object": "list", "data": [*(_write(each, each.id, created) for each in list_models(ctx)), *own]}
    )


@route("GET", "/v1/models/{}", "/openai/v1/models/{}", dialect="openai")
async def model(ctx: Context, request: HttpRequest) -> Reply:
    """One model, by its id or by another that stands for it; `x-rocamadre-model` then says which it is."""
    asked = request.path_values[0]
    resolved = resolve_model(ctx, asked)
    return json_reply(_write(resolved.model, asked if resolved.target_arn else resolved.model.id, _started(ctx)))


@route("DELETE", "/v1/models/{}", "/openai/v1/models/{}", dialect="openai")
async def delete(ctx: Context, request: HttpRequest) -> Reply:
    """Delete a custom model of the account's, its weights too; models that everybody has are refused."""
    asked = request.path_values[0]
    resolved = resolve_model(ctx, asked)
    if not resolved.target_arn or resolved.target_arn != resolved.model_arn:
        raise InvalidRequest(f"{asked[:200]!r} is no fine-tuned model; only those are deleted here")
    await asyncio.to_thread(delete_custom_model, ctx, resolved.model_arn)
    await ctx.platform.engines.unload(resolved.model_arn)
    return json_reply({"id": asked, "object": "model", "deleted": True})


def _own(ctx: Context) -> list[dict[str, Any]]:
    """The account's custom models under the ids by which OpenAI's clients ask for them."""
    found = []
    for each in list_custom_models(ctx, status="Active", newest_first=False):
        found.append(_write(resolve(ctx, each.arn).model, _name(ctx, each), int(each.created_at.timestamp())))
    return found


def _name(ctx: Context, model: CustomModel) -> str:
    """A custom model's id as its job told it, where a client of this wire asked for that job."""
    with ctx.platform.sql.connect() as connection:
        job = select_by_arn(connection, model.job_arn) if model.job_arn else None
    if job is not None and job.wire == "openai":
        return fine_tuned_model(job)
    return openai_id(ctx.platform, arn=model.arn, base_id=model.base_model_id, name=model.name)


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
