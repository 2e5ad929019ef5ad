"""Mistral AI: raw prompts (7B, Mixtral, Large 2402, Small) and chat (Large 2407)."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, Sampling, TextDelta
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.chat_messages import CHAT_MESSAGES, read_chat
from rocamadre.engines.profiles.checks import array, choice, integer, number, read_body, record, string
from rocamadre.engines.profiles.prompts import read_inst
from rocamadre.engines.profiles.sampling import MOST_SEED, settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

_SAMPLING = {
    "max_tokens": integer(1, 8192),
    "temperature": number(0, 1),
    "top_p": number(0, 1),
    "top_k": integer(1, 200),
    "stop": array(string(1), 0, 10),
}
_PROMPT = record({"prompt": string(1), **_SAMPLING}, required=("prompt",))
_CHAT = record(
    {
        "messages": CHAT_MESSAGES,
        "max_tokens": integer(1, 131_072),
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "stop": array(string(1), 0, 10),
        "random_seed": integer(0, MOST_SEED),
        "tool_choice": choice("auto", "none"),
    },
    required=("messages",),
    later={"tools": "tools"},
)
_REASONS = {"max_tokens": "length", "model_context_window_exceeded": "length", "tool_use": "tool_calls"}


def read_prompt(body: Any) -> GenerationRequest:
    """From a body with a prompt."""
    read_body(body, _PROMPT)
    said = read_inst(body["prompt"])
    return GenerationRequest(said.messages, said.system, sampling=_sampling(body, 512, 0.5, 0.9))


def read_messages(body: Any) -> GenerationRequest:
    """From a body with messages."""
    read_body(body, _CHAT)
    system, messages = read_chat(body["messages"])
    return GenerationRequest(messages, system, sampling=_sampling(body, None, 0.7, 1.0))


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
    return {"choices": [_choice(answer.text, _REASONS.get(answer.finish.reason, "stop"))]}


def chat_chunks(facts: AnswerFacts) -> ChunkWriter:
    """A chunk per piece of text; the last says why it ended."""

    def write_chunk(event: Event) -> list[Json]:
        if isinstance(event, TextDelta):
            return [{"choices": [_choice(event.text, None)]}]
        if isinstance(event, Finish):
            return [{"choices": [_choice("", _REASONS.get(event.reason, "stop"))]}]
        return []

    return write_chunk


def _choice(text: str, reason: str | None) -> Json:
    return {"index": 0, "message": {"role": "assistant", "content": text}, "stop_reason": reason}


CHAT = TextProfile("Mistral chat", ("mistral.mistral-large-2407*",), read_messages, write_chat, chat_chunks)
LARGE_CHAT = TextProfile(
    "Mistral chat", ("mistral.mistral-large-2402*",), read_messages, write_chat, chat_chunks, marker="messages"
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
)
