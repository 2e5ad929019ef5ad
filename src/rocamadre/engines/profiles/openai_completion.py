"""OpenAI's completions: a raw prompt is continued as it is. One of the three formats that imported models take."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, TextDelta, TokenLogprob
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import boolean, integer, optional, read_body, record, string
from rocamadre.engines.profiles.openai_chat import REASONS, SETTINGS, head, read_sampling, write_usage
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

DEFAULT_TOKENS = 16
"""OpenAI's own default for completions."""

BODY = record(
    {
        **{name: check for name, check in SETTINGS.items() if name != "max_completion_tokens"},
        "prompt": string(1),
        "echo": optional(boolean),
        "logprobs": optional(integer(0, 20)),
        "best_of": optional(integer(1, 1)),
    },
    required=("prompt",),
    later={"suffix": "text to end with (suffix)", "logit_bias": "logit bias in this body format"},
)
MARKS = frozenset(BODY.fields) - {"prompt", "temperature", "top_p"}
"""Keys by which a body with a `prompt` is known to be OpenAI's and not Llama's."""


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, BODY)
    given = dict(body)
    if given.get("max_tokens") is None:
        given["max_tokens"] = DEFAULT_TOKENS
    return GenerationRequest(
        prompt=body["prompt"],
        sampling=read_sampling(given),
        logprobs=body.get("logprobs"),
        echo=bool(body.get("echo")),
    )


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    reason = REASONS.get(answer.finish.reason, "stop")
    return {
        **head(facts, "text_completion", prefix="cmpl"),
        "choices": [_choice(answer.text, reason, answer.logprobs, facts)],
        "usage": write_usage(answer.finish.usage),
    }


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """A chunk per piece of text; the last says why it ended, and how much it was."""
    common = head(facts, "text_completion", prefix="cmpl")

    def write_chunk(event: Event) -> list[Json]:
        if isinstance(event, TextDelta):
            return [{**common, "choices": [_choice(event.text, None, event.logprobs, facts)]}]
        if isinstance(event, Finish):
            choice = _choice("", REASONS.get(event.reason, "stop"), (), facts)
            return [{**common, "choices": [choice], "usage": write_usage(event.usage)}]
        return []

    return write_chunk


def _choice(text: str, reason: str | None, steps: tuple[TokenLogprob, ...], facts: AnswerFacts) -> Json:
    wanted = facts.body.get("logprobs") is not None
    return {"index": 0, "text": text, "logprobs": _logprobs(steps) if wanted else None, "finish_reason": reason}


def _logprobs(steps: tuple[TokenLogprob, ...]) -> Json:
    return {
        "tokens": [step.text for step in steps],
        "token_logprobs": [step.logprob for step in steps],
        "top_logprobs": [{text: logprob for text, _, logprob in step.top} or None for step in steps],
    }


LOCAL = TextProfile("OpenAI completion", (), read, write, chunks, body=BODY)
