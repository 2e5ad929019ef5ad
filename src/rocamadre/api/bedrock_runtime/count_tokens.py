"""CountTokens: what the same call would report as its input."""

from __future__ import annotations

from rocamadre.api.bedrock_runtime.blocks import Json, read_messages, read_system, refuse
from rocamadre.api.bedrock_runtime.invoke_model import read_profile
from rocamadre.api.bedrock_runtime.settings import read_sampling
from rocamadre.api.handlers import handles
from rocamadre.api.inference.generation import count_input, resolve_model
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest
from rocamadre.engines.profiles.types import EmbeddingProfile


@handles("bedrock-runtime", "CountTokens", missing=("input: a toolConfig in converse is refused; tools come later",))
async def count_tokens(ctx: Context, request: Json) -> Json:
    """Tokens that the model that will run reads of a request."""
    resolved = resolve_model(ctx, request["modelId"])
    if resolved.model.embeds:
        raise InvalidRequest(
            f"The provided model doesn't support counting tokens: {resolved.model.id} makes embeddings"
        )
    asked = request["input"]
    if (converse := asked.get("converse")) is not None:
        refuse(converse, {"toolConfig": "tools"})
        read_sampling(None, converse.get("additionalModelRequestFields"))
        wanted = GenerationRequest(
            read_messages(converse.get("messages") or ()), read_system(converse.get("system") or ())
        )
    else:
        profile, body = read_profile(resolved, asked["invokeModel"]["body"])
        assert not isinstance(profile, EmbeddingProfile)
        wanted = profile.read(body)
    return {"inputTokens": await count_input(ctx, resolved, wanted)}
