"""Converse's inferenceConfig and additionalModelRequestFields, as one `Sampling`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rocamadre.core.messages import Sampling
from rocamadre.engines.beams import MOST_BEAMS
from rocamadre.engines.profiles.checks import Check, boolean, choice, integer, number, read_body, record
from rocamadre.engines.profiles.sampling import MOST_SEED, MOST_TOKENS, settled

_TOP_K = integer(0, 1_000_000)
_FIELDS: dict[str, tuple[str, Check]] = {
    "top_k": ("top_k", _TOP_K),
    "topK": ("top_k", _TOP_K),
    "k": ("top_k", _TOP_K),
    "min_p": ("min_p", number(0, 1)),
    "seed": ("seed", integer(0, MOST_SEED)),
    "repetition_penalty": ("repetition_penalty", number(above=0)),
    "frequency_penalty": ("frequency_penalty", number(-2, 2)),
    "presence_penalty": ("presence_penalty", number(-2, 2)),
    "min_tokens": ("min_tokens", integer(0, MOST_TOKENS)),
    "beams": ("beams", integer(1, MOST_BEAMS)),
}
_CHECK = record(
    {
        **{name: check for name, (_, check) in _FIELDS.items()},
        "greedy": boolean,
        "inferenceConfig": record({"topK": _TOP_K, "top_k": _TOP_K}),
        "thinking": record({"type": choice("disabled")}, required=("type",), later={"budget_tokens": "thinking"}),
    }
)
_PLAIN = Sampling()


def read_sampling(config: Mapping[str, Any] | None, fields: Any) -> Sampling:
    """How tokens are picked.

    Args:
        config: inferenceConfig.
        fields: additionalModelRequestFields: top_k (also topK, k, inferenceConfig.topK), min_p, seed, greedy,
            repetition_penalty, frequency_penalty, presence_penalty, min_tokens, beams. Others are refused.

    Raises:
        InvalidRequest: in Amazon Bedrock's words.
    """
    if not config and not fields:
        return _PLAIN
    config = config or {}
    sampling = Sampling(
        max_tokens=config.get("maxTokens"),
        temperature=config.get("temperature"),
        top_p=config.get("topP"),
        stop=tuple(stop for stop in config.get("stopSequences", ()) if stop),
    )
    if fields:
        sampling = _add(sampling, read_body(fields, _CHECK))
    return settled(sampling)


def _add(sampling: Sampling, fields: Mapping[str, Any]) -> Sampling:
    values = {_FIELDS[name][0]: value for name, value in fields.items() if name in _FIELDS}
    nested = fields.get("inferenceConfig") or {}
    if (top_k := nested.get("topK", nested.get("top_k"))) is not None:
        values["top_k"] = top_k
    if fields.get("greedy"):
        values["temperature"] = 0.0
    return replace(sampling, **values)
