"""POST /v1/chat/completions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec

from rocamadre.api.bedrock_runtime.native_guards import CONFIG, read_headers
from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import Generation, begin, resolve_model
from rocamadre.api.inference.tiers import settle_service
from rocamadre.api.openai.chat_messages import read_messages
from rocamadre.api.openai.fields import Fields, read_fields
from rocamadre.api.openai.formats import read_format
from rocamadre.api.openai.parts import read_aside
from rocamadre.api.openai.requests import (
    SHARED,
    Delivery,
    add_usage,
    check_caching,
    check_effort,
    finish_reason,
    model_of,
    read_delivery,
    read_sampling,
    read_service_tier,
    seed_of,
    write_usage,
)
from rocamadre.api.openai.streams import Events, collect_all, open_events, sse, sse_reply
from rocamadre.api.openai.tools import read_tools, write_arguments
from rocamadre.core.context import Context
from rocamadre.core.messages import (
    Event,
    Finish,
    GenerationRequest,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolUse,
    ToolUseDelta,
    ToolUseStart,
    Usage,
)
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.sampling import MOST_TOKENS

_LATER = {
    "audio": "audio",
    "moderation": "moderation",
    "prediction": "predicted outputs",
    "store": "stored completions",
    "web_search_options": "web search",
}
_KNOWN = SHARED | frozenset(
    {
        *_LATER,
        CONFIG,
        "function_call",
        "functions",
        "max_completion_tokens",
        "messages",
        "modalities",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "service_tier",
        "tool_choice",
        "tools",
        "top_logprobs",
        "verbosity",
    }
)


@route("POST", "/v1/chat/completions", "/openai/v1/chat/completions", dialect="openai")
async def chat_completions(ctx: Context, request: HttpRequest) -> Reply:
    """Answer a conversation."""
    fields = read_fields(request, guarded=True)
    model = fields.required("model")
    if not isinstance(model, str):
        raise fields.wrong_type("model", "a string")
    delivery = read_delivery(fields)
    _, guard = read_headers(request.headers, fields.only_of(CONFIG), stream=delivery.stream)
    asked = guard.mark(await read_aside(request, partial(_read, fields)))
    tier = read_service_tier(fields)
    settle_service(ctx, tier=tier, latency=None)
    resolved = resolve_model(ctx, model)
    head: dict[str, Any] = {"id": f"chatcmpl-{uuid4().hex}", "created": int(ctx.platform.clock.now().timestamp())}
    if tier:
        head["service_tier"] = tier
    begun: list[Generation] = []

    async def start(each: GenerationRequest) -> Generation:
        begun.append(await begin(ctx, resolved, each, guard.wish))
        return begun[-1]

    starts = [partial(start, each) for each in _choices(asked, delivery.choices)]
    if delivery.stream:
        events = await open_events(starts)
        shown = {**head, "model": model_of(ctx, resolved)}
        chunks = _Chunks(shown, delivery, logprobs=asked.logprobs is not None, told=lambda: guard.outcome(*begun))
        return sse_reply(ctx, _pieces(events, chunks, delivery.choices), events.close)
    answers = await collect_all(starts)
    return json_reply(
        {
            **head,
            "object": "chat.completion",
            "model": model_of(ctx, resolved),
            "choices": [_choice(place, answer, asked.logprobs is not None) for place, answer in enumerate(answers)],
            "usage": write_usage(add_usage([answer.finish.usage for answer in answers])),
            **guard.outcome(*begun),
        }
    )


def _read(fields: Fields) -> GenerationRequest:
    fields.only(_KNOWN)
    fields.refuse(_LATER)
    for name, instead in (("functions", "tools"), ("function_call", "tool_choice")):
        if name in fields:
            raise fields.unsupported(name, f"functions gave way to tools; send {instead!r}")
    check_caching(fields)
    check_effort(fields, "reasoning_effort")
    check_effort(fields, "verbosity")
    fields.text("safety_identifier")
    if fields.raw("modalities") not in (None, ["text"]):
        raise fields.wrong("modalities", "only ['text'] is taken")
    top = fields.integer("top_logprobs", 0, 20)
    wanted = fields.flag("logprobs")
    if top is not None and not wanted:
        raise fields.wrong("top_logprobs", "it needs 'logprobs' to be true")
    max_tokens = fields.integer("max_completion_tokens", 1, MOST_TOKENS)
    if max_tokens is None:
        max_tokens = fields.integer("max_tokens", 1, MOST_TOKENS)
    tools = read_tools(fields, nested=True)
    conversation = read_messages(fields)
    return GenerationRequest(
        conversation.messages,
        conversation.system,
        sampling=read_sampling(fields, max_tokens),
        tools=tools.specs,
        tool_choice=tools.choice,
        schema=read_format(fields, "response_format", nested=True),
        cache_system=conversation.cache_system,
        logprobs=(top or 0) if wanted else None,
    )


def _choices(asked: GenerationRequest, count: int) -> list[GenerationRequest]:
    if count == 1:
        return [asked]
    return [
        replace(asked, sampling=replace(asked.sampling, seed=seed_of(asked.sampling, choice)))
        for choice in range(count)
    ]


def _choice(place: int, answer: Answer, logprobs: bool) -> dict[str, Any]:
    calls = [block for block in answer.blocks if isinstance(block, ToolUse)]
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if calls:
        message["content"] = answer.text or None
        message["tool_calls"] = [_call(call) for call in calls]
    return {
        "index": place,
        "message": message,
        "logprobs": write_logprobs(answer.logprobs) if logprobs else None,
        "finish_reason": finish_reason(answer.finish),
    }


def _call(call: ToolUse) -> dict[str, Any]:
    function = {"name": call.name, "arguments": write_arguments(call.input)}
    return {"id": call.id, "type": "function", "function": function}


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

    def __init__(
        self, head: dict[str, Any], delivery: Delivery, *, logprobs: bool, told: Callable[[], dict[str, Any]]
    ) -> None:
        self._head = {**head, "object": "chat.completion.chunk"}
        self._told = told
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

    def end(self, place: int, reason: str, *, last: bool) -> bytes:
        """The end of a choice; with the last, what guardrails did."""
        told = self._told() if last else {}
        if not told:
            return self.other(place, {}, reason)
        choice = {"index": place, "delta": {}, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self.include_usage else {}
        return sse({**self._head, "choices": [choice], **usage, **told})

    def usage(self, usage: Usage) -> bytes:
        """The last chunk, without choices."""
        return sse({**self._head, "choices": [], "usage": write_usage(usage)})

    def begin(self, place: int, first: Event) -> bytes:
        """The chunk that says who speaks. Content is null where a call comes first, as there may be none."""
        content = None if isinstance(first, ToolUseStart) else ""
        return self.other(place, {"role": "assistant", "content": content, "refusal": None})

    def call(self, place: int, index: int, event: ToolUseStart | ToolUseDelta) -> bytes:
        """A piece of a tool call: its id and name first, then its arguments bit by bit."""
        call: dict[str, Any] = {"index": index}
        if isinstance(event, ToolUseStart):
            call |= {"id": event.id, "type": "function", "function": {"name": event.name, "arguments": ""}}
        else:
            call["function"] = {"arguments": event.json}
        return self.other(place, {"tool_calls": [call]})


async def _pieces(events: Events, chunks: _Chunks, choices: int) -> AsyncGenerator[bytes, None]:
    calls = [-1] * choices
    begun = [False] * choices
    usages: list[Usage] = []
    async for place, event in events:
        if not begun[place]:
            begun[place] = True
            yield chunks.begin(place, event)
        if type(event) is TextDelta:
            yield chunks.text(place, event)
        elif isinstance(event, ToolUseStart | ToolUseDelta):
            calls[place] += isinstance(event, ToolUseStart)
            yield chunks.call(place, calls[place], event)
        elif isinstance(event, ReasoningDelta):
            yield chunks.other(place, {"reasoning_content": event.text})
        elif isinstance(event, Finish):
            usages.append(event.usage)
            yield chunks.end(place, finish_reason(event), last=len(usages) == choices)
    if chunks.include_usage:
        yield chunks.usage(add_usage(usages))
