"""POST /_rocamadre/tokenize: a prompt as the model reads it."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import msgspec

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import resolve_model
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest, Message, Text

_MOST_CHARACTERS = 1_000_000


class _Turn(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["user", "assistant"]
    content: str


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body: a raw `prompt`, or `messages` that the model's chat template is applied to."""

    model: str
    prompt: str | None = None
    messages: list[_Turn] = []
    system: str = ""


@route("POST", "/_rocamadre/tokenize")
async def tokenize(context: Context, request: HttpRequest) -> Reply:
    """The prompt's text after the chat template, and its token ids."""
    try:
        asked = msgspec.json.decode(request.body, type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not of the expected form: {error}") from error
    if (asked.prompt is None) == (not asked.messages):
        raise InvalidRequest("give either 'prompt' or 'messages'")
    if asked.prompt is not None and asked.system:
        raise InvalidRequest("'system' goes with 'messages'; a raw prompt is read as it is")
    size = len(asked.prompt or "") + len(asked.system) + sum(len(turn.content) for turn in asked.messages)
    if size > _MOST_CHARACTERS:
        raise InvalidRequest(f"{size} characters were given; at most {_MOST_CHARACTERS} are taken")
    resolved = await asyncio.to_thread(resolve_model, context, asked.model)
    engine = await context.platform.engines.engine(resolved.model.load_spec)
    turns = tuple(Message(turn.role, (Text(turn.content),)) for turn in asked.messages)
    rendered = await engine.render(GenerationRequest(turns, asked.system, asked.prompt))
    reply: dict[str, Any] = {
        "model": resolved.model.id,
        "engine": resolved.model.engine,
        "prompt": rendered.prompt,
        "tokens": list(rendered.token_ids),
        "count": len(rendered.token_ids),
    }
    return json_reply(reply)
