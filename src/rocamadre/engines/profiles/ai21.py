"""AI21 Labs: Jurassic-2 (a prompt) and Jamba (messages)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Document, Finish, GenerationRequest, Message, Sampling
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.chat_messages import CHAT_MESSAGES, read_chat
from rocamadre.engines.profiles.checks import (
    Check,
    anything,
    array,
    boolean,
    integer,
    number,
    only,
    optional,
    read_body,
    record,
    string,
)
from rocamadre.engines.profiles.function_tools import TOOLS, read_choice, read_tools, tool_choice
from rocamadre.engines.profiles.openai_chat import FORMAT, STOPS, chunks, read_format, write
from rocamadre.engines.profiles.prompts import read_plain
from rocamadre.engines.profiles.sampling import MOST_SEED, settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

_PENALTY: Check = optional(
    record(
        {
            "scale": only(0, 0.0, why="penalties in this body format"),
            "applyToWhitespaces": boolean,
            "applyToPunctuations": boolean,
            "applyToNumbers": boolean,
            "applyToStopwords": boolean,
            "applyToEmojis": boolean,
        }
    )
)
JURASSIC_BODY = record(
    {
        "prompt": string(1),
        "maxTokens": integer(1, 8191),
        "minTokens": integer(0, 8191),
        "temperature": number(0, 1),
        "topP": number(0, 1),
        "stopSequences": optional(array(string(1))),
        "numResults": only(1, why="several answers to one request"),
        "topKReturn": only(0, why="the candidates of each step in this body format"),
        "countPenalty": _PENALTY,
        "presencePenalty": _PENALTY,
        "frequencyPenalty": _PENALTY,
    },
    required=("prompt",),
    later={"logitBias": "logit bias in this body format"},
)
JAMBA_BODY = record(
    {
        "messages": CHAT_MESSAGES,
        "model": string(),
        "max_tokens": integer(1, 262_144),
        "temperature": number(0, 2),
        "top_p": number(0, 1),
        "stop": STOPS,
        "n": only(1, why="several answers to one request"),
        "stream": optional(boolean),
        "frequency_penalty": optional(number(-2, 2)),
        "presence_penalty": optional(number(-2, 2)),
        "seed": optional(integer(0, MOST_SEED)),
        "documents": optional(
            array(
                record(
                    {
                        "id": string(),
                        "content": string(1),
                        "metadata": optional(
                            array(record({"key": string(1), "value": anything}, required=("key", "value")))
                        ),
                    },
                    required=("content",),
                )
            )
        ),
        "tools": TOOLS,
        "tool_choice": tool_choice("auto", "none", "required"),
        "response_format": FORMAT,
    },
    required=("messages",),
)
_LENGTH = ("max_tokens", "model_context_window_exceeded")


def read_jurassic(body: Any) -> GenerationRequest:
    """From a body with a prompt."""
    read_body(body, JURASSIC_BODY)
    most, least = body.get("maxTokens", 200), body.get("minTokens")
    if least and least > most:
        raise InvalidRequest(f"#/minTokens: {least} is more than maxTokens, which is {most}")
    return GenerationRequest(
        read_plain(body["prompt"]).messages,
        sampling=settled(
            Sampling(
                max_tokens=most,
                min_tokens=least,
                temperature=body.get("temperature", 0.5),
                top_p=body.get("topP", 0.5),
                stop=tuple(body.get("stopSequences") or ()),
            )
        ),
    )


def write_jurassic(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    return {
        "id": int(facts.id[:8], 16),
        "prompt": {"text": facts.body.get("prompt", "")},
        "completions": [{"data": {"text": answer.text}, "finishReason": _reason(answer.finish)}],
    }


def _reason(finish: Finish) -> Json:
    if finish.reason in _LENGTH:
        return {"reason": "length", "length": finish.usage.output_tokens}
    if finish.reason == "stop_sequence":
        return {"reason": "stop", "sequence": finish.stop_sequence}
    return {"reason": "endoftext"}


def jurassic_chunks(facts: AnswerFacts) -> ChunkWriter:
    """Jurassic-2 never streams; callers ask `TextProfile.streams` first."""
    raise InvalidRequest("The model is unsupported for streaming")


def read_jamba(body: Any) -> GenerationRequest:
    """From a body with messages."""
    read_body(body, JAMBA_BODY)
    system, messages = read_chat(body["messages"])
    documents = tuple(_document(each, index) for index, each in enumerate(body.get("documents") or ()))
    if documents:
        *before, last = messages
        messages = (*before, Message(last.role, (*documents, *last.content)))
    tools, stop = read_tools(body.get("tools")), body.get("stop") or ()
    return GenerationRequest(
        messages,
        system,
        sampling=settled(
            Sampling(
                max_tokens=body.get("max_tokens", 4096),
                temperature=body.get("temperature", 1.0),
                top_p=body.get("top_p", 1.0),
                seed=body.get("seed"),
                stop=(stop,) if isinstance(stop, str) else tuple(stop),
                frequency_penalty=body.get("frequency_penalty"),
                presence_penalty=body.get("presence_penalty"),
            )
        ),
        tools=tools,
        tool_choice=read_choice(body.get("tool_choice"), tools),
        schema=read_format(body.get("response_format")),
    )


def _document(document: Mapping[str, Any], index: int) -> Document:
    facts = {each["key"]: str(each["value"]) for each in document.get("metadata") or ()}
    name = facts.pop("title", "") or document.get("id") or f"doc_{index}"
    return Document(name, "\n".join([*(f"{key}: {value}" for key, value in facts.items()), document["content"]]))


JURASSIC = TextProfile(
    "AI21 Jurassic-2",
    ("ai21.j2-*",),
    read_jurassic,
    write_jurassic,
    jurassic_chunks,
    body=JURASSIC_BODY,
    streams=False,
)
JAMBA = TextProfile(
    "AI21 Jamba",
    ("ai21.jamba-*",),
    read_jamba,
    write,
    chunks,
    body=JAMBA_BODY,
    tools=True,
    structured="response_format",
)
