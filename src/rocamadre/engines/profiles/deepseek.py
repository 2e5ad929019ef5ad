"""DeepSeek R1: raw prompts. DeepSeek V3 takes OpenAI's chat format."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, ReasoningDelta, Sampling, TextDelta
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import array, integer, number, read_body, record, string
from rocamadre.engines.profiles.prompts import read_deepseek
from rocamadre.engines.profiles.sampling import settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

BODY = record(
    {
        "prompt": string(1),
        "max_tokens": integer(1, 32_768),
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "stop": array(string(1), 0, 10),
    },
    required=("prompt",),
)
_REASONS = {"max_tokens": "length", "model_context_window_exceeded": "length"}
_END_OF_THOUGHTS = "\n</think>\n\n"


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, BODY)
    said = read_deepseek(body["prompt"])
    return GenerationRequest(
        said.messages,
        said.system,
        sampling=settled(
            Sampling(
                max_tokens=body.get("max_tokens", 512),
                temperature=body.get("temperature", 0.5),
                top_p=body.get("top_p", 0.9),
                stop=tuple(body.get("stop", ())),
            )
        ),
    )


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body. What the model thought stands before its answer, as R1's prompts leave it."""
    thoughts = answer.reasoning + _END_OF_THOUGHTS if answer.reasoning else ""
    return {"choices": [_choice(thoughts + answer.text, _REASONS.get(answer.finish.reason, "stop"))]}


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """A chunk per piece of text; the last says why it ended."""
    thinking = False

    def write_chunk(event: Event) -> list[Json]:
        nonlocal thinking
        if isinstance(event, Finish):
            return [{"choices": [_choice("", _REASONS.get(event.reason, "stop"))]}]
        if isinstance(event, ReasoningDelta) and event.text:
            thinking = True
            return [{"choices": [_choice(event.text, None)]}]
        if isinstance(event, TextDelta):
            before, thinking = _END_OF_THOUGHTS if thinking else "", False
            return [{"choices": [_choice(before + event.text, None)]}]
        return []

    return write_chunk


def _choice(text: str, reason: str | None) -> Json:
    return {"text": text, "stop_reason": reason}


PROFILE = TextProfile("DeepSeek R1", ("deepseek.r1-*",), read, write, chunks, body=BODY)
