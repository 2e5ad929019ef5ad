"""Anthropic Claude: messages."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    Block,
    Document,
    Event,
    Finish,
    GenerationRequest,
    Media,
    Message,
    Reasoning,
    ReasoningDelta,
    Sampling,
    Text,
    TextDelta,
    Usage,
)
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import (
    Check,
    anything,
    array,
    choice,
    either,
    integer,
    number,
    read_body,
    record,
    string,
)
from rocamadre.engines.profiles.documents import decode_text
from rocamadre.engines.profiles.sampling import MOST_TOKENS, settled
from rocamadre.engines.profiles.turns import check_turns, merge_turns
from rocamadre.engines.profiles.types import AnswerFacts, Json, TextProfile

_CACHE = {"cache_control": "prompt caching", "citations": "citations"}
_TEXT: Check = record({"type": choice("text"), "text": string(1)}, required=("type", "text"), later=_CACHE)
_SOURCE: Check = record(
    {"type": choice("base64", "text"), "media_type": string(1), "data": string(1)},
    required=("type", "media_type", "data"),
)
_BLOCK: Check = record(
    {
        "type": choice("text", "image", "document", "thinking"),
        "text": string(1),
        "source": _SOURCE,
        "title": string(),
        "thinking": string(),
        "signature": string(),
    },
    required=("type",),
    later={**_CACHE, "context": "document context"},
)
_BODY = record(
    {
        "anthropic_version": choice("bedrock-2023-05-31"),
        "max_tokens": integer(1, MOST_TOKENS),
        "messages": array(
            record(
                {
                    "role": choice("user", "assistant"),
                    "content": either((str, string(1)), (list, array(_BLOCK, 1))),
                },
                required=("role", "content"),
            ),
            1,
        ),
        "system": either((str, string()), (list, array(_TEXT))),
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "top_k": integer(0, 500),
        "stop_sequences": array(string(1), 0, 8191),
        "metadata": record({"user_id": anything}),
        "thinking": record({"type": choice("disabled")}, required=("type",), later={"budget_tokens": "thinking"}),
    },
    required=("anthropic_version", "max_tokens", "messages"),
    later={
        "tools": "tools",
        "tool_choice": "tools",
        "output_config": "structured output",
        "output_format": "structured output",
        "anthropic_beta": "Anthropic's beta features",
        "context_management": "context management",
        "mcp_servers": "MCP servers",
    },
)
_REASONS = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "content_filtered": "refusal",
    "model_context_window_exceeded": "model_context_window_exceeded",
}


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, _BODY)
    system = body.get("system", "")
    if not isinstance(system, str):
        system = "\n\n".join(block["text"] for block in system)
    messages = merge_turns(
        Message(each["role"], _blocks(each["content"], f"#/messages/{index}/content"))
        for index, each in enumerate(body["messages"])
    )
    return GenerationRequest(
        check_turns(messages),
        system,
        sampling=settled(
            Sampling(
                max_tokens=body["max_tokens"],
                temperature=body.get("temperature", 1.0),
                top_p=body.get("top_p", 1.0),
                top_k=body.get("top_k", 0),
                stop=tuple(body.get("stop_sequences", ())),
            )
        ),
    )


def _blocks(content: Any, at: str) -> tuple[Block, ...]:
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_block(each, f"{at}/{index}") for index, each in enumerate(content))


def _block(block: Json, at: str) -> Block:
    kind = block["type"]
    key = {"image": "source", "document": "source"}.get(kind, kind)
    if key not in block:
        raise InvalidRequest(
            f"Malformed input request: {at}: required key [{key}] not found, please reformat your input and try again."
        )
    if kind == "text":
        return Text(block["text"])
    if kind == "thinking":
        return Reasoning(block["thinking"])
    source = block["source"]
    if kind == "image":
        return Media("image", source["media_type"].removeprefix("image/"), _bytes(source, at))
    if source["media_type"] != "text/plain":
        raise InvalidRequest(f"{at}: documents of type {source['media_type'][:40]!r} are not taken; text/plain is")
    text = source["data"] if source["type"] == "text" else decode_text(_bytes(source, at), at=at)
    return Document(block.get("title") or "document", text)


def _bytes(source: Json, at: str) -> bytes:
    if source["type"] != "base64":
        raise InvalidRequest(f"{at}: the source's type must be base64")
    try:
        return base64.b64decode(source["data"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{at}: the source's data is not valid base64") from error


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    finish = answer.finish
    content: list[Json] = []
    for block in answer.blocks:
        if isinstance(block, Text):
            content.append({"type": "text", "text": block.text})
        elif isinstance(block, Reasoning):
            content.append({"type": "thinking", "thinking": block.text, "signature": ""})
    return {
        **_message(facts),
        "content": content,
        "stop_reason": _REASONS[finish.reason],
        "stop_sequence": finish.stop_sequence,
        "usage": {**_input_usage(finish.usage), "output_tokens": finish.usage.output_tokens},
    }


class _Chunks:
    """Claude's event sequence: blocks are opened and closed around what the model writes."""

    def __init__(self, facts: AnswerFacts) -> None:
        self._facts = facts
        self._index = -1
        self._open = ""
        self._begun = False

    def __call__(self, event: Event) -> list[Json]:
        result = [] if self._begun else self._begin()
        if isinstance(event, TextDelta):
            result += self._switch("text", {"type": "text", "text": ""})
            result.append(self._delta({"type": "text_delta", "text": event.text}))
        elif isinstance(event, ReasoningDelta):
            result += self._switch("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            result.append(self._delta({"type": "thinking_delta", "thinking": event.text}))
        elif isinstance(event, Finish):
            result += self._close()
            delta = {"stop_reason": _REASONS[event.reason], "stop_sequence": event.stop_sequence}
            usage = {"output_tokens": event.usage.output_tokens}
            result.append({"type": "message_delta", "delta": delta, "usage": usage})
            result.append({"type": "message_stop"})
        return result

    def _begin(self) -> list[Json]:
        self._begun = True
        usage = {**_input_usage(Usage(self._facts.input_tokens)), "output_tokens": 0}
        message = {
            **_message(self._facts),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        return [{"type": "message_start", "message": message}]

    def _switch(self, kind: str, block: Json) -> list[Json]:
        if self._open == kind:
            return []
        result = self._close()
        self._open = kind
        self._index += 1
        return [*result, {"type": "content_block_start", "index": self._index, "content_block": block}]

    def _close(self) -> list[Json]:
        if not self._open:
            return []
        self._open = ""
        return [{"type": "content_block_stop", "index": self._index}]

    def _delta(self, delta: Json) -> Json:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}


def _message(facts: AnswerFacts) -> Json:
    # Claude's own answers name the model without the vendor and the version, as in claude-3-haiku-20240307.
    name = facts.base_id.removeprefix("anthropic.").partition("-v1")[0].partition("-v2")[0]
    return {"id": f"msg_bdrk_{facts.id}", "type": "message", "role": "assistant", "model": name}


def _input_usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
    }


PROFILE = TextProfile("Anthropic Claude", ("anthropic.claude-*",), read, write, _Chunks, counts_first=True)
