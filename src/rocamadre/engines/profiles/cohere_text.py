"""Cohere Command (v14): text completions."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, Sampling, TextDelta
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import array, boolean, integer, number, only, read_body, record, string
from rocamadre.engines.profiles.prompts import read_plain
from rocamadre.engines.profiles.sampling import settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

BODY = record(
    {
        "prompt": string(1),
        "max_tokens": integer(1, 4096),
        "temperature": number(0, 5),
        "p": number(0, 1),
        "k": integer(0, 500),
        "stop_sequences": array(string(1)),
        "return_likelihoods": only("NONE", why="likelihoods in this body format"),
        "num_generations": only(1, why="several answers to one request"),
        "truncate": only("NONE", why="cutting of prompts that are too long"),
        "stream": boolean,
    },
    required=("prompt",),
    later={"logit_bias": "logit bias in this body format"},
)
REASONS = {
    "max_tokens": "MAX_TOKENS",
    "model_context_window_exceeded": "MAX_TOKENS",
    "content_filtered": "ERROR_TOXIC",
    "guardrail_intervened": "ERROR_TOXIC",
    "malformed_tool_use": "ERROR",
    "malformed_model_output": "ERROR",
}


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, BODY)
    said = read_plain(body["prompt"])
    return GenerationRequest(
        said.messages,
        sampling=settled(
            Sampling(
                max_tokens=body.get("max_tokens", 256),
                temperature=body.get("temperature", 0.9),
                top_p=body.get("p", 0.75),
                top_k=body.get("k", 0),
                stop=tuple(body.get("stop_sequences", ())),
            )
        ),
    )


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    return _whole(answer.text, answer.finish, facts)


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """With `stream` true a chunk per piece of text; without it the whole answer in one chunk, as AWS does."""
    pieced = facts.body.get("stream") is True
    said: list[str] = []

    def write_chunk(event: Event) -> list[Json]:
        if isinstance(event, TextDelta):
            said.append(event.text)
            return [{"text": event.text, "is_finished": False}] if pieced else []
        if isinstance(event, Finish):
            if not pieced:
                return [_whole("".join(said), event, facts)]
            ended = {"is_finished": True, "finish_reason": REASONS.get(event.reason, "COMPLETE"), "text": ""}
            return [{**ended, "id": dashed(facts.id), "prompt": facts.body.get("prompt", "")}]
        return []

    return write_chunk


def dashed(answer_id: str) -> str:
    """An answer's id in the form that Cohere's have.

    >>> dashed("0123456789abcdef0123456789abcdef")
    '01234567-89ab-cdef-0123-456789abcdef'
    """
    return "-".join((answer_id[:8], answer_id[8:12], answer_id[12:16], answer_id[16:20], answer_id[20:]))


def _whole(text: str, finish: Finish, facts: AnswerFacts) -> Json:
    reason = REASONS.get(finish.reason, "COMPLETE")
    return {
        "id": dashed(facts.id),
        "prompt": facts.body.get("prompt", ""),
        "generations": [{"id": dashed(facts.id[16:] + facts.id[:16]), "text": text, "finish_reason": reason}],
    }


PROFILE = TextProfile(
    "Cohere Command",
    ("cohere.command-text-*", "cohere.command-light-text-*"),
    read,
    write,
    chunks,
    body=BODY,
)
