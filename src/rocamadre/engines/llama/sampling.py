"""Our sampling fields as llama.cpp's. Every field is sent: its own defaults (top_k 40, min_p 0.05, …) are not ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Sampling
from rocamadre.engines.beams import refuse_beams

DEFAULT_TEMPERATURE = 0.7
DEFAULT_TOP_P = 0.9
_RANDOM_SEED = 0xFFFFFFFF
_SAMPLERS = ("penalties", "top_k", "top_p", "min_p", "temperature")


def completion_fields(
    sampling: Sampling, *, vocabulary_size: int, context_length: int, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of `/completion` that says how tokens are picked; without prompt, limits and stops.

    Args:
        sampling: Of the request.
        vocabulary_size: For checking token ids.
        context_length: Tokens that penalties look back on.
        defaults: The model's own values for what the request leaves open, by the names of `Sampling`.

    Raises:
        InvalidRequest: a token id is not in the vocabulary, or more than one beam is asked for.
    """
    refuse_beams(sampling)

    def pick(name: str, otherwise: float) -> Any:
        value = getattr(sampling, name)
        return defaults.get(name, otherwise) if value is None else value

    for token in sampling.logit_bias:
        if not 0 <= token < vocabulary_size:
            raise InvalidRequest(f"logit bias on token {token}; this model's tokens are 0 to {vocabulary_size - 1}")
    repetition = pick("repetition_penalty", 1.0)
    frequency = pick("frequency_penalty", 0.0)
    presence = pick("presence_penalty", 0.0)
    penalised = (repetition, frequency, presence) != (1.0, 0.0, 0.0)
    return {
        "samplers": _SAMPLERS,
        "temperature": pick("temperature", DEFAULT_TEMPERATURE),
        "top_p": pick("top_p", DEFAULT_TOP_P),
        "top_k": pick("top_k", 0),
        "min_p": pick("min_p", 0.0),
        "typical_p": 1.0,
        "top_n_sigma": -1.0,
        "dynatemp_range": 0.0,
        "xtc_probability": 0.0,
        "dry_multiplier": 0.0,
        "mirostat": 0,
        "repeat_penalty": repetition,
        "frequency_penalty": frequency,
        "presence_penalty": presence,
        "repeat_last_n": context_length if penalised else 0,
        "logit_bias": [[token, bias] for token, bias in sampling.logit_bias.items()],
        "ignore_eos": False,
        "seed": _RANDOM_SEED if sampling.seed is None else sampling.seed % _RANDOM_SEED,
        "cache_prompt": True,
        "n_keep": 0,
        "t_max_predict_ms": 0,
    }
