"""Learning from a teacher's probabilities, where teacher and student are both here and read the same tokens.

Loss per token: m·T²·KL(p ‖ q) + (1 − m)·cross entropy, where p and q are the softmax of the teacher's and the student's
logits divided by the temperature T. T² keeps the gradients of both parts of one size whatever T is.

Source: Hinton, Vinyals & Dean 2015, arXiv:1503.02531, section 2. Learning from a teacher's answers: `teacher_answers`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax
from torch.utils.checkpoint import checkpoint

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import ModelTokenizer

Head: TypeAlias = Callable[[Tensor], Tensor]
"""(positions, width) to logits (positions, vocabulary)."""

CHUNK_NUMBERS = 1 << 22
"""Logits of one model that exist at a time."""


class DistillationLoss(NamedTuple):
    """Sums over positions, float32.

    Attributes:
        total: What is minimised.
        divergence: KL at the temperature, nats, without its T².
        cross_entropy: Of the student on the targets, nats.
    """

    total: Tensor
    divergence: Tensor
    cross_entropy: Tensor


def distillation_loss(
    student: Tensor,
    student_head: Head,
    teacher: Tensor,
    teacher_head: Head,
    targets: Tensor,
    *,
    vocabulary: int,
    temperature: float = 2.0,
    mix: float = 0.5,
) -> DistillationLoss:
    """Summed loss over the positions that are learned.

    Logits of both models are made a chunk of positions at a time and made again for the gradient, so they never exist
    for a whole batch.

    Args:
        student: Hidden states, (positions, width).
        student_head: Makes logits of them.
        teacher: The teacher's, (positions, its width); no gradient goes there.
        teacher_head: The teacher's.
        targets: (positions,), int64.
        vocabulary: Tokens that both models know; what a matrix has beyond them is padding and left out.
        temperature: Above 0.
        mix: Share of the teacher in [0, 1]; 0 is plain cross entropy.
    """
    _check(temperature, mix)
    sums = [torch.zeros((), dtype=torch.float32, device=student.device) for _ in range(2)]
    teacher = teacher.detach()

    def part(own: Tensor, other: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        logits = student_head(own)[:, :vocabulary].float()
        with torch.no_grad():
            expected = teacher_head(other)[:, :vocabulary].float()
        return divergence(logits, expected, temperature=temperature), cross_entropy(logits, wanted, reduction="sum")

    rows = max(16, CHUNK_NUMBERS // vocabulary)
    for start in range(0, student.shape[0], rows):
        piece = slice(start, start + rows)
        found = checkpoint(part, student[piece], teacher[piece], targets[piece], use_reentrant=False)
        sums = [total + value for total, value in zip(sums, found, strict=True)]
    apart, entropy = sums
    return DistillationLoss(mix * temperature**2 * apart + (1 - mix) * entropy, apart, entropy)


def divergence(student: Tensor, teacher: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Summed KL(teacher ‖ student) of logits (positions, vocabulary) at a temperature, nats."""
    p, q = log_softmax(teacher / temperature, dim=-1), log_softmax(student / temperature, dim=-1)
    return (p.exp() * (p - q)).sum()


def shared_vocabulary(teacher: ModelTokenizer, student: ModelTokenizer) -> int:
    """How many tokens two models share, if they read all text alike.

    Raises:
        InvalidRequest: they do not, so their probabilities are of different things.
    """
    ours, theirs = _reading(student), _reading(teacher)
    for what in ("vocabulary", "added tokens", "merges", "splitting", "normalisation"):
        if ours[what] != theirs[what]:
            raise InvalidRequest(
                f"teacher and student read text differently (their {what} differ), so logits cannot be compared. Take "
                "a teacher of the same family, or distil from its answers"
            )
    return int(student.tokens.get_vocab_size())


def _reading(tokenizer: ModelTokenizer) -> dict[str, Any]:
    state = json.loads(tokenizer.tokens.to_str())
    merges = state["model"].get("merges") or []
    return {
        "vocabulary": tokenizer.tokens.get_vocab(with_added_tokens=True),
        "added tokens": sorted((each["id"], each["content"]) for each in state.get("added_tokens") or []),
        "merges": [pair if isinstance(pair, str) else " ".join(pair) for pair in merges],
        "splitting": state.get("pre_tokenizer"),
        "normalisation": state.get("normalizer"),
    }


def _check(temperature: float, mix: float) -> None:
    if not temperature > 0:
        raise InvalidRequest(f"the temperature of distillation must be above 0; given: {temperature}")
    if not 0 <= mix <= 1:
        raise InvalidRequest(f"the teacher's share (mix) must be in [0, 1]; given: {mix}")
