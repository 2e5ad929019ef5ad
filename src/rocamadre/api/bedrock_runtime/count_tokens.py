"""CountTokens: what the same call would report as its input."""

from __future__ import annotations

from rocamadre.api.bedrock_runtime.blocks import Json
from rocamadre.api.bedrock_runtime.conversation import read_request
from rocamadre.api.bedrock_runtime.invoke_model import read_profile
from rocamadre.api.handlers import handles
from rocamadre.api.inference.generation import count_input, resolve_model
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.profiles.types import TextProfile


@handles("bedrock-runtime", "CountTokens")
async def count_tokens(ctx: Context, request: Json) -> Json:
    """Tokens that the model that will run reads of a request."""
    resolved = resolve_model(ctx, request["modelId"])
    if resolved.model.embeds:
        raise InvalidRequest(
            f"The provided model doesn't support counting tokens: {resolved.model.id} makes embeddings"
        )
    asked = request["input"]
    if (converse := asked.get("converse")) is not None:
        wanted = await read_request(ctx, converse)
    else:
        profile, body = read_profile(resolved, asked["invokeModel"]["body"])
        assert isinstance(profile, TextProfile)
        wanted = profile.read(body)
    return {"inputTokens": await count_input(ctx, resolved, wanted)}
