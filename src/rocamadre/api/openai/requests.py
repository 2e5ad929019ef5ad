"""Parameters that chat and text completions share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.fields import Fields
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.messages import Finish, Sampling, StopReason, Usage
from rocamadre.engines.profiles.sampling import MOST_SEED, MOST_TOKENS, settled

MOST_CHOICES = 16
MOST_STOPS = 16

SHARED = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "metadata",
        "min_p",
        "min_tokens",
        "model",
        "n",
        "presence_penalty",
        "repetition_penalty",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "top_k",
        "top_p",
        "user",
    }
)
"""Keys that both take; `min_p`, `min_tokens`, `repetition_penalty` and `top_k` are extensions."""

_TIERS = {
    "auto": "default",
    "default": "default",
    "fast": "priority",
    "flex": "flex",
    "priority": "priority",
    "scale": "default",
    "ultrafast": "priority",
}
"""What each tier is served as; nothing is reserved on this machine."""

_REASONS: dict[StopReason, str] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the answer goes back.

    Attributes:
        choices: How many answers.
        stream: Piece by piece.
        include_usage: The stream's last chunk says the usage.
    """

    choices: int
    stream: bool
    include_usage: bool


def read_delivery(fields: Fields) -> Delivery:
    """How the answer is wanted.

    Raises:
        BadParameter: see its message.
    """
    options = fields.record("stream_options")
    options.only(("include_usage", "include_obfuscation"))
    options.refuse({"include_obfuscation": "obfuscation of streams"})
    stream = fields.flag("stream")
    if "stream_options" in fields and not stream:
        raise BadParameter(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    return Delivery(fields.integer("n", 1, MOST_CHOICES) or 1, stream, options.flag("include_usage"))


def read_sampling(fields: Fields, max_tokens: int | None) -> Sampling:
    """How tokens are picked.

    Raises:
        BadParameter: see its message.
    """
    fields.text("user")
    read_metadata(fields)
    return settled(
        Sampling(
            max_tokens=max_tokens,
            min_tokens=fields.integer("min_tokens", 0, MOST_TOKENS),
            temperature=fields.number("temperature", 0, 2),
            top_p=fields.number("top_p", 0, 1),
            top_k=fields.integer("top_k", 0, 1_000_000),
            min_p=fields.number("min_p", 0, 1),
            seed=_seed(fields),
            stop=tuple(stop for stop in fields.texts("stop", MOST_STOPS) if stop),
            repetition_penalty=fields.number("repetition_penalty", 1e-6, 1000),
            frequency_penalty=fields.number("frequency_penalty", -2, 2),
            presence_penalty=fields.number("presence_penalty", -2, 2),
            logit_bias=_logit_bias(fields),
        )
    )


def read_metadata(fields: Fields) -> dict[str, str]:
    """The client's own notes on the request.

    Raises:
        BadParameter: more than 16 pairs, keys over 64 or values over 512 characters, or no strings.
    """
    if "metadata" not in fields:
        return {}
    fields.record("metadata")
    metadata: dict[str, Any] = fields.raw("metadata")
    if len(metadata) > 16:
        raise BadParameter(
            f"Invalid 'metadata': too many properties. Expected at most 16, but got {len(metadata)} instead.",
            param="metadata",
        )
    for key, value in metadata.items():
        if not isinstance(value, str) or len(key) > 64 or len(value) > 512:
            raise BadParameter(
                f"Invalid 'metadata.{key[:64]}': keys have at most 64 characters, values are strings of at most 512.",
                param=f"metadata.{key[:64]}",
            )
    return metadata


def read_service_tier(fields: Fields) -> str | None:
    """The tier that a request is served as, which its answer names; None where it asks for none.

    Raises:
        BadParameter: there is no such tier.
    """
    asked = fields.choice("service_tier", _TIERS)
    return _TIERS[asked] if asked else None


def check_caching(fields: Fields) -> None:
    """What may be said about the prompt cache, which holds what it can of every prompt in memory.

    Raises:
        BadParameter: a wish that is not honoured here.
    """
    fields.text("prompt_cache_key")
    if fields.choice("prompt_cache_retention", ("in_memory", "24h")) == "24h":
        raise fields.unsupported("prompt_cache_retention", "prompts are remembered in memory only: 'in_memory'")
    if "prompt_cache_options" not in fields:
        return
    options = fields.record("prompt_cache_options")
    options.only(("mode", "ttl", "comparison_response_id", "prewarm"))
    if options.choice("mode", ("implicit", "explicit")) == "explicit":
        raise options.unsupported("mode", "what prompts have in common is always found: 'implicit'")
    options.choice("ttl", ("30m",))
    options.refuse({"comparison_response_id": "cache diagnostics", "prewarm": "prewarming of the cache"})


def check_effort(fields: Fields, name: str) -> None:
    """Reasoning effort and verbosity cannot be set; their default, `medium`, changes nothing and is taken.

    Raises:
        BadParameter: another value.
    """
    value = fields.text(name)
    if value not in (None, "medium"):
        raise BadParameter(
            f"Unsupported parameter: '{fields.at(name)}' is not supported with this model; leave it out.",
            param=fields.at(name),
            code="unsupported_parameter",
        )


def _seed(fields: Fields) -> int | None:
    seed = fields.integer("seed", -(2**63), 2**63 - 1)
    return None if seed is None else seed % (MOST_SEED + 1)


def seed_of(sampling: Sampling, choice: int) -> int | None:
    """The seed of one of several answers: the same each time, another for each."""
    if sampling.seed is None:
        return None
    return (sampling.seed + choice) % (MOST_SEED + 1)


def _logit_bias(fields: Fields) -> dict[int, float]:
    if "logit_bias" not in fields:
        return {}
    value = fields.raw("logit_bias")
    if not isinstance(value, dict):
        raise fields.wrong_type("logit_bias", "an object")
    bias: dict[int, float] = {}
    for token, addend in value.items():
        good = isinstance(addend, int | float) and not isinstance(addend, bool) and -100 <= addend <= 100
        if not token.isdecimal() or len(token) > 10 or not good:
            raise fields.wrong("logit_bias", "it maps token ids to numbers from -100 to 100")
        bias[int(token)] = float(addend)
    return bias


def model_of(ctx: Context, resolved: Resolved) -> str:
    """The id of the model that answers; a prompt router's is known once the generation has begun."""
    return str(ctx.notes.get("model", resolved.model.id))


def finish_reason(finish: Finish) -> str:
    """Why an answer ended."""
    return _REASONS.get(finish.reason, "stop")


def write_usage(usage: Usage) -> dict[str, Any]:
    """What an answer cost."""
    read = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "prompt_tokens": read,
        "completion_tokens": usage.output_tokens,
        "total_tokens": read + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
    }


def add_usage(usages: list[Usage]) -> Usage:
    """What several answers to one prompt cost: the prompt is counted once, as OpenAI does."""
    first = usages[0]
    return Usage(
        first.input_tokens,
        sum(usage.output_tokens for usage in usages),
        first.cache_read_tokens,
        first.cache_write_tokens,
    )
