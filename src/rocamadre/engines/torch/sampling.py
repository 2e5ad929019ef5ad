"""How the next token is picked from logits: our `Sampling` fields over tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

DEFAULT_TEMPERATURE = 0.7
DEFAULT_TOP_P = 0.9


@dataclass(frozen=True, slots=True)
class Choice:
    """`Sampling` with every default filled in; the fields are explained there."""

    temperature: float = DEFAULT_TEMPERATURE
    top_p: float = DEFAULT_TOP_P
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    min_tokens: int = 0
    logit_bias: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Choice:
        """From a request's fields; None leaves the default."""
        known = {name: fields.get(name) for name in cls.__slots__}
        return cls(**{name: value for name, value in known.items() if value is not None})


def pick(
    logits: Tensor,
    choice: Choice,
    *,
    prompt: Sequence[int],
    generated: Sequence[int],
    ends: Sequence[int],
    generator: torch.Generator,
) -> int:
    """The next token.

    Args:
        logits: Shape (vocabulary,), float32.
        choice: How to pick.
        prompt: Tokens read; the repetition penalty counts them.
        generated: Tokens generated; all penalties count them.
        ends: Tokens that end the answer; forbidden before `min_tokens`.
        generator: Source of chance.
    """
    scores = adjusted(logits, choice, prompt, generated)
    if len(generated) < choice.min_tokens and ends:
        scores[list(ends)] = -torch.inf
    if choice.temperature <= 0:
        return int(scores.argmax())
    # What is kept is decided at temperature 1, as llama.cpp is told to: the same request, the same candidates.
    probabilities = (_kept(scores, choice) / choice.temperature).softmax(0)
    return int(torch.multinomial(probabilities.cpu(), 1, generator=generator))


def adjusted(logits: Tensor, choice: Choice, prompt: Sequence[int], generated: Sequence[int]) -> Tensor:
    """Scores after biases and penalties: shape (vocabulary,).

    Repetition: Keskar et al. 2019, arXiv:1909.05858, section 4.1.
    """
    scores = logits.clone()
    if choice.logit_bias:
        tokens = torch.tensor(list(choice.logit_bias), device=scores.device)
        scores[tokens] += torch.tensor(list(choice.logit_bias.values()), device=scores.device, dtype=scores.dtype)
    if choice.repetition_penalty != 1.0:
        seen = torch.tensor(sorted({*prompt, *generated}), device=scores.device)
        values = scores[seen]
        scores[seen] = torch.where(values > 0, values / choice.repetition_penalty, values * choice.repetition_penalty)
    if generated and (choice.frequency_penalty or choice.presence_penalty):
        tokens, counts = torch.tensor(generated, device=scores.device).unique(return_counts=True)
        scores[tokens] -= choice.frequency_penalty * counts.to(scores.dtype) + choice.presence_penalty
    return scores


def _kept(scores: Tensor, choice: Choice) -> Tensor:
    """Scores with the unlikely set to minus infinity.

    Nucleus: Holtzman et al. 2020, arXiv:1904.09751. Least relative probability: Nguyen et al. 2024, arXiv:2407.01082.
    """
    if choice.top_k and choice.top_k < scores.numel():
        scores = scores.masked_fill(scores < scores.topk(choice.top_k).values[-1], -torch.inf)
    if choice.top_p < 1:
        ordered, order = scores.sort(descending=True)
        before = ordered.softmax(0).cumsum(0) - ordered.softmax(0)
        scores = scores.index_fill(0, order[before >= choice.top_p], -torch.inf)
    if choice.min_p > 0:
        probabilities = scores.softmax(0)
        scores = scores.masked_fill(probabilities < choice.min_p * probabilities.max(), -torch.inf)
    return scores
