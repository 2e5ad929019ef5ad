"""Writer Palmyra: OpenAI's chat format or a prompt; streams end with the text `[DONE]`."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, TextDelta
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles import openai_chat
from rocamadre.engines.profiles.checks import read_body, record, string
from rocamadre.engines.profiles.openai_chat import SETTINGS, head, read_sampling, write_usage
from rocamadre.engines.profiles.prompts import read_plain
from rocamadre.engines.profiles.types import AnswerFacts, Chunk, ChunkWriter, Json, TextProfile

PROMPT_BODY = record({**SETTINGS, "prompt": string(1)}, required=("prompt",))
_DONE = "[DONE]"


def read_prompt(body: Any) -> GenerationRequest:
    """From a body with a prompt."""
    read_body(body, PROMPT_BODY)
    return GenerationRequest(read_plain(body["prompt"]).messages, sampling=read_sampling(body))


def write_prompt(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body for a prompt."""
    reason = openai_chat.REASONS.get(answer.finish.reason, "stop")
    return {
        **head(facts, "text_completion", prefix="cmpl"),
        "choices": [{"index": 0, "text": answer.text, "finish_reason": reason}],
        "usage": write_usage(answer.finish.usage),
    }


def write_chat(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body for messages, with the keys that Writer's answers always have."""
    body = openai_chat.write(answer, facts)
    message = body["choices"][0]["message"]
    body["choices"][0]["message"] = {"refusal": None, "tool_calls": [], "reasoning_content": None, **message}
    return body


def chat_chunks(facts: AnswerFacts) -> ChunkWriter:
    """OpenAI's chunks, then `[DONE]`."""
    write = openai_chat.chunks(facts)

    def write_chunk(event: Event) -> list[Chunk]:
        return [*write(event), *([_DONE] if isinstance(event, Finish) else [])]

    return write_chunk


def prompt_chunks(facts: AnswerFacts) -> ChunkWriter:
    """A chunk per piece of text, then `[DONE]`."""
    common = head(facts, "text_completion", prefix="cmpl")

    def write_chunk(event: Event) -> list[Chunk]:
        if isinstance(event, Finish):
            reason = openai_chat.REASONS.get(event.reason, "stop")
            last = {"index": 0, "text": "", "finish_reason": reason}
            return [{**common, "choices": [last], "usage": write_usage(event.usage)}, _DONE]
        if isinstance(event, TextDelta):
            return [{**common, "choices": [{"index": 0, "text": event.text, "finish_reason": None}]}]
        return []

    return write_chunk


PROMPT = TextProfile(
    "Writer Palmyra (prompt)",
    ("writer.palmyra-*",),
    read_prompt,
    write_prompt,
    prompt_chunks,
    marker="prompt",
    body=PROMPT_BODY,
)
CHAT = TextProfile(
    "Writer Palmyra",
    ("writer.palmyra-*",),
    openai_chat.read,
    write_chat,
    chat_chunks,
    body=openai_chat.BODY,
    tools=True,
    structured="response_format",
)
