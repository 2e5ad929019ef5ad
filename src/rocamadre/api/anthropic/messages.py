"""POST /v1/messages and /v1/messages/count_tokens of Anthropic's wire."""

from __future__ import annotations

from uuid import uuid4

from rocamadre.api.anthropic.requests import read_generation, read_json
from rocamadre.api.anthropic.streams import stream_reply
from rocamadre.api.bedrock_runtime.native_guards import read_headers
from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.counting import count_ahead
from rocamadre.api.inference.generation import begin, count_input, resolve_model, whole_input
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.claude import model_name
from rocamadre.engines.profiles.claude_body import COUNT_BODY, MESSAGES_BODY
from rocamadre.engines.profiles.claude_read import cache_ttl_s
from rocamadre.engines.profiles.claude_write import MessageChunks, write_message


@route("POST", "/anthropic/v1/messages", "/v1/messages", dialect="anthropic")
async def messages(ctx: Context, request: HttpRequest) -> Reply:
    """Answer a conversation, whole or as a stream."""
    body = read_json(request, MESSAGES_BODY)
    resolved = resolve_model(ctx, body["model"])
    asked = await read_generation(body, request.body)
    _, guard = read_headers(request.headers, {}, stream=bool(body.get("stream")))
    head = {"id": f"msg_{uuid4().hex}", "model": model_name(resolved.base_id)}
    ttl_s = cache_ttl_s(body)
    if body.get("stream"):
        counted = await count_ahead(ctx, resolved, asked)
        generation = await begin(ctx, resolved, asked, guard.wish)
        if generation.guard is not None and generation.guard.blocked:
            counted = 0  # No model reads it.
        return stream_reply(ctx, generation, MessageChunks(head, counted, ttl_s=ttl_s), guard)
    generation = await begin(ctx, resolved, asked, guard.wish)
    answer, _ = await generation.collect()
    answer = Answer(answer.blocks, whole_input(answer.finish, asked))
    said = {**write_message(answer, head, ttl_s=ttl_s), **guard.outcome(generation)}
    return json_reply(said, headers={"request-id": ctx.request_id})


@route("POST", "/anthropic/v1/messages/count_tokens", "/v1/messages/count_tokens", dialect="anthropic")
async def count_message_tokens(ctx: Context, request: HttpRequest) -> Reply:
    """Tokens that the model that will run reads of a request."""
    body = read_json(request, COUNT_BODY)
    resolved = resolve_model(ctx, body["model"])
    if resolved.model.embeds:
        raise InvalidRequest(f"model: {resolved.model.id} makes embeddings; it reads no messages")
    counted = await count_input(ctx, resolved, await read_generation(body, request.body))
    return json_reply({"input_tokens": counted}, headers={"request-id": ctx.request_id})
