"""Mistral AI: raw prompts (7B, Mixtral, Large 2402, Small) and chat (Large 2407)."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, Sampling, TextDelta
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.chat_messages import CHAT_MESSAGES, read_chat
from rocamadre.engines.profiles.checks import array, integer, number, read_body, record, string
from rocamadre.engines.profiles.function_tools import (
    TOOLS,
    WholeCalls,
    read_choice,
    read_tools,
    tool_choice,
    tool_uses,
    write_call,
)
from rocamadre.engines.profiles.prompts import read_inst
from rocamadre.engines.profiles.sampling import MOST_SEED, settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

_STOP = array(string(1), 0, 10)
PROMPT_BODY = record(
    {
        "prompt": string(1),
        "max_tokens": integer(1, 8192),
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "top_k": integer(1, 200),
        "stop": _STOP,
    },
    required=("prompt",),
)
CHAT_BODY = record(
    {
        "messages": CHAT_MESSAGES,
        "max_tokens": integer(1, 131_072),
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "stop": _STOP,
        "random_seed": integer(0, MOST_SEED),
        "tools": TOOLS,
        "tool_choice": tool_choice("auto", "none", "any"),
    },
    required=("messages",),
)
_REASONS = {"max_tokens": "length", "model_context_window_exceeded": "length", "tool_use": "tool_calls"}


def read_prompt(body: Any) -> GenerationRequest:
    """From a body with a prompt."""
    read_body(body, PROMPT_BODY)
    said = read_inst(body["prompt"])
    return GenerationRequest(said.messages, said.system, sampling=_sampling(body, 512, 0.5, 0.9))


def read_messages(body: Any) -> GenerationRequest:
    """From a body with messages."""
    read_body(body, CHAT_BODY)
    system, messages = read_chat(body["messages"])
    tools = read_tools(body.get("tools"))
    return GenerationRequest(
        messages,
        system,
        sampling=_sampling(body, None, 0.7, 1.0),
        tools=tools,
        tool_choice=read_choice(body.get("tool_choice"), tools),
    )


def _sampling(body: Json, max_tokens: int | None, temperature: float, top_p: float) -> Sampling:
    return settled(
        Sampling(
            max_tokens=body.get("max_tokens", max_tokens),
            temperature=body.get("temperature", temperature),
            top_p=body.get("top_p", top_p),
            top_k=body.get("top_k"),
            stop=tuple(body.get("stop", ())),
            seed=body.get("random_seed"),
        )
    )


def write_prompt(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body for a prompt."""
    return {"outputs": [{"text": answer.text, "stop_reason": _REASONS.get(answer.finish.reason, "stop")}]}


def prompt_chunks(facts: AnswerFacts) -> ChunkWriter:
    """A chunk per piece of text; the last says why it ended."""

    def write_chunk(event: Event) -> list[Json]:
        if isinstance(event, TextDelta):
            return [{"outputs": [{"text": event.text, "stop_reason": None}]}]
        if isinstance(event, Finish):
            return [{"outputs": [{"text": "", "stop_reason": _REASONS.get(event.reason, "stop")}]}]
        return []

    return write_chunk


def write_chat(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body for messages."""
    calls = [write_call(call, typed=False) for call in tool_uses(answer)]
    return {"choices": [_choice(answer.text, _REASONS.get(answer.finish.reason, "stop"), calls)]}


def chat_chunks(facts: AnswerFacts) -> ChunkWriter:
    """A chunk per piece of text and per call; the last says why it ended."""
    calls = WholeCalls()

    def write_chunk(event: Event) -> list[Json]:
        if isinstance(event, TextDelta):
            return [{"choices": [_choice(event.text, None)]}]
        if isinstance(event, Finish):
            return [{"choices": [_choice("", _REASONS.get(event.reason, "stop"))]}]
        call = calls.feed(event)
        return [{"choices": [_choice("", None, [write_call(call, typed=False)])]}] if call else []

    return write_chunk


def _choice(text: str, reason: str | None, calls: list[Json] | None = None) -> Json:
    message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    return {"index": 0, "message": message, "stop_reason": reason}


CHAT = TextProfile(
    "Mistral chat",
    ("mistral.mistral-large-2407*",),
    read_messages,
    write_chat,
    chat_chunks,
    body=CHAT_BODY,
    tools=True,
)
LARGE_CHAT = TextProfile(
    "Mistral chat",
    ("mistral.mistral-large-2402*",),
    read_messages,
    write_chat,
    chat_chunks,
    marker="messages",
    body=CHAT_BODY,
    tools=True,
)
PROMPT = TextProfile(
    "Mistral",
    (
        "mistral.mistral-7b-*",
        "mistral.mixtral-*",
        "mistral.mistral-large-2402*",
        "mistral.mistral-small-2402*",
    ),
    read_prompt,
    write_prompt,
    prompt_chunks,
    body=PROMPT_BODY,
)
