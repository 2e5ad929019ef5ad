"""Anthropic Claude: text completions (Claude 2 and Claude Instant)."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, Sampling, StopReason, TextDelta
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import array, choice, integer, number, read_body, record, string
from rocamadre.engines.profiles.prompts import read_human
from rocamadre.engines.profiles.sampling import MOST_TOKENS, settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

_HUMAN = "\n\nHuman:"
BODY = record(
    {
        "prompt": string(1),
        "max_tokens_to_sample": integer(1, MOST_TOKENS),
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "top_k": integer(0, 500),
        "stop_sequences": array(string(1), 0, 8191),
        "anthropic_version": choice("bedrock-2023-05-31"),
    },
    required=("prompt", "max_tokens_to_sample"),
)


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, BODY)
    said = read_human(body["prompt"])
    return GenerationRequest(
        said.messages,
        said.system,
        sampling=settled(
            Sampling(
                max_tokens=body["max_tokens_to_sample"],
                temperature=body.get("temperature", 1.0),
                top_p=body.get("top_p", 1.0),
                top_k=body.get("top_k", 250),
                stop=tuple(dict.fromkeys((*body.get("stop_sequences", ()), _HUMAN))),
            )
        ),
    )


def _completion(text: str, reason: StopReason | None, stop: str | None) -> Json:
    # A turn that ends by itself ends, for this format, where the next question would begin.
    if reason == "end_turn":
        return {"type": "completion", "completion": text, "stop_reason": "stop_sequence", "stop": stop or _HUMAN}
    known = {"max_tokens": "max_tokens", "model_context_window_exceeded": "max_tokens"}
    named = known.get(reason, "stop_sequence") if reason else None
    return {"type": "completion", "completion": text, "stop_reason": named, "stop": stop}


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    return _completion(answer.text, answer.finish.reason, answer.finish.stop_sequence)


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """A chunk per piece of text; the last says why it ended."""

    def write_chunk(event: Event) -> list[Json]:
        if isinstance(event, TextDelta):
            return [_completion(event.text, None, None)]
        if isinstance(event, Finish):
            return [_completion("", event.reason, event.stop_sequence)]
        return []

    return write_chunk


PROFILE = TextProfile(
    "Anthropic Claude (text completions)",
    ("anthropic.claude-v2*", "anthropic.claude-instant-*", "anthropic.claude-v1*"),
    read,
    write,
    chunks,
    marker="prompt",
    body=BODY,
)
