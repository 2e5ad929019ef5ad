"""Amazon Titan Text."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, Sampling, TextDelta
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import array, integer, number, read_body, record, string
from rocamadre.engines.profiles.prompts import read_titan
from rocamadre.engines.profiles.sampling import settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

BODY = record(
    {
        "inputText": string(1),
        "textGenerationConfig": record(
            {
                "temperature": number(0, 1),
                "topP": number(0, 1),
                "maxTokenCount": integer(1, 8192),
                "stopSequences": array(string(1)),
            }
        ),
    },
    required=("inputText",),
)
_REASONS = {
    "end_turn": "FINISHED",
    "max_tokens": "LENGTH",
    "model_context_window_exceeded": "LENGTH",
    "stop_sequence": "STOP_CRITERIA_MET",
    "content_filtered": "CONTENT_FILTERED",
    "guardrail_intervened": "CONTENT_FILTERED",
}


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, BODY)
    config = body.get("textGenerationConfig", {})
    said = read_titan(body["inputText"])
    return GenerationRequest(
        said.messages,
        said.system,
        sampling=settled(
            Sampling(
                max_tokens=config.get("maxTokenCount", 512),
                temperature=config.get("temperature", 0.7),
                top_p=config.get("topP", 0.9),
                stop=tuple(config.get("stopSequences", ())),
            )
        ),
    )


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    usage = answer.finish.usage
    return {
        "inputTextTokenCount": usage.input_tokens,
        "results": [
            {
                "tokenCount": usage.output_tokens,
                "outputText": answer.text,
                "completionReason": _REASONS.get(answer.finish.reason, "FINISHED"),
            }
        ],
    }


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """A chunk per piece of text; the last says why and how much."""

    def chunk(text: str, count: int | None, reason: str | None) -> Json:
        return {
            "outputText": text,
            "index": 0,
            "totalOutputTextTokenCount": count,
            "completionReason": reason,
            "inputTextTokenCount": facts.input_tokens,
        }

    def write_chunk(event: Event) -> list[Json]:
        if isinstance(event, TextDelta):
            return [chunk(event.text, None, None)]
        if isinstance(event, Finish):
            return [chunk("", event.usage.output_tokens, _REASONS.get(event.reason, "FINISHED"))]
        return []

    return write_chunk


PROFILE = TextProfile(
    "Amazon Titan Text",
    ("amazon.titan-text-*", "amazon.titan-tg1-*"),
    read,
    write,
    chunks,
    counts_first=True,
    body=BODY,
)
