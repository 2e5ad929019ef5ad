"""Converse."""

from __future__ import annotations

from dataclasses import replace

from rocamadre.api.bedrock_runtime.blocks import Json, write_blocks
from rocamadre.api.bedrock_runtime.conversation import (
    MISSING,
    echoed,
    guard_wish,
    read_request,
    stop_reason,
    traced,
    write_usage,
)
from rocamadre.api.bedrock_runtime.native_fields import check_pointers, native_fields
from rocamadre.api.handlers import handles
from rocamadre.api.inference.generation import begin, resolve_model, whole_input
from rocamadre.core.context import Context


@handles("bedrock-runtime", "Converse", missing=MISSING)
async def converse(ctx: Context, request: Json) -> Json:
    """One turn of a conversation."""
    resolved = resolve_model(ctx, request["modelId"])
    paths = request.get("additionalModelResponseFieldPaths") or ()
    check_pointers(paths)
    wish = guard_wish(request, stream=False)
    generation = await begin(ctx, resolved, await read_request(ctx, request), wish)
    answer, latency_ms = await generation.collect()
    answer = replace(answer, finish=whole_input(answer.finish, generation.request))
    response: Json = {
        "output": {"message": {"role": "assistant", "content": write_blocks(answer.blocks)}},
        "stopReason": stop_reason(answer.finish, generation.guard),
        "usage": write_usage(answer.finish.usage),
        "metrics": {"latencyMs": latency_ms},
        **echoed(request),
        **traced(request, generation),
    }
    if (fields := native_fields(ctx, generation.resolved, paths, answer)) is not None:
        response["additionalModelResponseFields"] = fields
    return response
