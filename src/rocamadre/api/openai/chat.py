"""POST /v1/chat/completions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import begin, resolve_model
from rocamadre.api.openai.chat_messages import read_messages
from rocamadre.api.openai.fields import Fields, read_fields
from rocamadre.api.openai.requests import (
    SHARED,
    Delivery,
    add_usage,
    finish_reason,
    read_delivery,
    read_sampling,
    seed_of,
    write_usage,
)
from rocamadre.api.openai.streams import Events, collect_all, open_events, sse, sse_reply
from rocamadre.core.context import Context
from rocamadre.core.messages import Finish, GenerationRequest, ReasoningDelta, TextDelta, TokenLogprob, Usage
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.sampling import MOST_TOKENS

_LATER = {
    "tools": "tools",
    "functions": "tools",
    "function_call": "tools",
    "parallel_tool_calls": "tools",
    "audio": "audio",
    "prediction": "predicted outputs",
    "reasoning_effort": "reasoning effort",
    "verbosity": "verbosity",
    "web_search_options": "web search",
    "store": "stored completions",
}
_KNOWN = SHARED | frozenset(
    {
        *_LATER,
        "max_completion_tokens",
        "messages",
        "modalities",
        "prompt_cache_key",
        "response_format",
        "safety_identifier",
        "service_tier",
        "tool_choice",
        "top_logprobs",
    }
)


@route("POST", "/v1/chat/completions", "/openai/v1/chat/completions", dialect="openai")
async def chat_completions(ctx: Context, request: HttpRequest) -> Reply:
    """Answer a conversation."""
    fields = read_fields(request)
    model = fields.required("model")
    if not isinstance(model, str):
        raise fields.wrong_type("model", "a string")
    delivery = read_delivery(fields)
    asked = _read(fields)
    resolved = resolve_model(ctx, model)
    head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(ctx.platform.clock.now().timestamp())}
    starts = [partial(begin, ctx, resolved, each) for each in _choices(asked, delivery.choices)]
    if delivery.stream:
        chunks = _Chunks({**head, "model": resolved.model.id}, delivery, logprobs=asked.logprobs is not None)
        events = await open_events(starts)
        return sse_reply(ctx, _pieces(events, chunks, delivery.choices), events.close)
    answers = await collect_all(starts)
    return json_reply(
        {
            "id": head["id"],
            "object": "chat.completion",
            "created": head["created"],
            "model": resolved.model.id,
            "choices": [_choice(place, answer, asked.logprobs is not None) for place, answer in enumerate(answers)],
            "usage": write_usage(add_usage([answer.finish.usage for answer in answers])),
        }
    )


def _read(fields: Fields) -> GenerationRequest:
    fields.only(_KNOWN)
    fields.refuse(_LATER)
    fields.choice("tool_choice", ("none", "auto"))
    fields.choice("service_tier", ("auto", "default"))
    fields.text("prompt_cache_key")
    fields.text("safety_identifier")
    if fields.raw("modalities") not in (None, ["text"]):
        raise fields.wrong("modalities", "only ['text'] is taken")
    form = fields.record("response_format")
    if form.raw("type") not in (None, "text"):
        raise form.wrong("type", "Rocamadre does not have structured output yet; only 'text' is taken")
    top = fields.integer("top_logprobs", 0, 20)
    wanted = fields.flag("logprobs")
    if top is not None and not wanted:
        raise fields.wrong("top_logprobs", "it needs 'logprobs' to be true")
    max_tokens = fields.integer("max_completion_tokens", 1, MOST_TOKENS)
    if max_tokens is None:
        max_tokens = fields.integer("max_tokens", 1, MOST_TOKENS)
    system, messages = read_messages(fields)
    return GenerationRequest(
        messages, system, sampling=read_sampling(fields, max_tokens), logprobs=(top or 0) if wanted else None
    )


def _choices(asked: GenerationRequest, count: int) -> list[GenerationRequest]:
    if count == 1:
        return [asked]
    return [
        replace(asked, sampling=replace(asked.sampling, seed=seed_of(asked.sampling, choice)))
        for choice in range(count)
    ]


def _choice(place: int, answer: Answer, logprobs: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    return {
        "index": place,
        "message": message,
        "logprobs": write_logprobs(answer.logprobs) if logprobs else None,
        "finish_reason": finish_reason(answer.finish),
    }


def write_logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
    """Log-probabilities in the form of chat completions."""
    return {
        "content": [
            {
                "token": token.text,
                "logprob": token.logprob if token.logprob is not None else 0.0,
                "bytes": list(token.data),
                "top_logprobs": [
                    {"token": text, "logprob": logprob, "bytes": list(data)} for text, data, logprob in token.top
                ],
            }
            for token in tokens
        ],
        "refusal": None,
    }


class _Chunks:
    """Writes one stream's chunks. What all share is encoded once."""

    def __init__(self, head: dict[str, Any], delivery: Delivery, *, logprobs: bool) -> None:
        self._head = {**head, "object": "chat.completion.chunk"}
        self._logprobs = logprobs
        self.include_usage = delivery.include_usage
        empty = msgspec.json.encode({**self._head, "choices": []})
        self._before = b"data: " + empty[: -len(b"]}")]
        self._after = b'],"usage":null}\n\n' if delivery.include_usage else b"]}\n\n"

    def text(self, place: int, event: TextDelta) -> bytes:
        """A piece of text."""
        logprobs = b"null"
        if self._logprobs:
            logprobs = msgspec.json.encode(write_logprobs(event.logprobs))
        return b'%b{"index":%d,"delta":{"content":%b},"logprobs":%b,"finish_reason":null}%b' % (
            self._before,
            place,
            msgspec.json.encode(event.text),
            logprobs,
            self._after,
        )

    def other(self, place: int, delta: dict[str, Any], reason: str | None = None) -> bytes:
        """Any other delta."""
        choice = {"index": place, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._before + msgspec.json.encode(choice) + self._after

    def usage(self, usage: Usage) -> bytes:
        """The last chunk, without choices."""
        return sse({**self._head, "choices": [], "usage": write_usage(usage)})


async def _pieces(events: Events, chunks: _Chunks, choices: int) -> AsyncGenerator[bytes, None]:
    for place in range(choices):
        yield chunks.other(place, {"role": "assistant", "content": "", "refusal": None})
    usages: list[Usage] = []
    async for place, event in events:
        if type(event) is TextDelta:
            yield chunks.text(place, event)
        elif isinstance(event, ReasoningDelta):
            yield chunks.other(place, {"reasoning_content": event.text})
        elif isinstance(event, Finish):
            usages.append(event.usage)
            yield chunks.other(place, {}, finish_reason(event))
    if chunks.include_usage:
        yield chunks.usage(add_usage(usages))
