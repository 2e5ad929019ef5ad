"""What a model's own numbers weigh in training: weights, gradients and the optimiser's, and how they are shared out.

Sources: Rajbhandari et al. 2020, "ZeRO" (arXiv:1910.02054), section 3 and table 1; Micikevicius et al. 2018 (mixed
precision, arXiv:1710.03740); Dettmers et al. 2022 (8-bit optimisers, arXiv:2110.02861).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Dtype: TypeAlias = Literal["fp32", "fp16", "bf16", "fp8", "int8"]
Sharding: TypeAlias = Literal["single", "ddp", "zero1", "zero2", "zero3", "fsdp"]

SHARDINGS: tuple[Sharding, ...] = ("single", "ddp", "zero1", "zero2", "zero3", "fsdp")


class Recipe(NamedTuple):
    """How one way of mixed precision stores a parameter, with Adam.

    Attributes:
        weights: Bytes of a weight as it is computed with.
        gradients: Bytes of its gradient.
        optimiser: Bytes of the two moments and, where `weights` are short, of the master copy.
        activations: Bytes of an activation that is kept.
        note: What that means.
    """

    weights: int
    gradients: int
    optimiser: int
    activations: int
    note: str

    @property
    def total(self) -> int:
        """Bytes per parameter."""
        return self.weights + self.gradients + self.optimiser


RECIPES: dict[Dtype, Recipe] = {
    "fp32": Recipe(4, 4, 8, 4, "all in fp32; two moments"),
    "fp16": Recipe(2, 2, 12, 2, "fp16 with loss scaling; master weights and two moments in fp32"),
    "bf16": Recipe(2, 2, 12, 2, "bf16; master weights and two moments in fp32"),
    "fp8": Recipe(1, 2, 12, 2, "fp8 matrices, bf16 gradients and activations; master weights and moments in fp32"),
    "int8": Recipe(1, 2, 6, 2, "int8 weights, bf16 gradients and activations; fp32 master, 8-bit moments"),
}
"""The ways that are planned for."""


class States(NamedTuple):
    """Bytes on one device."""

    weights: float
    gradients: float
    optimiser: float

    @property
    def total(self) -> float:
        """All three."""
        return self.weights + self.gradients + self.optimiser


def model_states(parameters: float, recipe: Recipe, sharding: Sharding, count: int) -> States:
    """Bytes of weights, gradients and optimiser on each of `count` devices.

    `ddp` and `single` keep all of it everywhere; ZeRO 1 shares out the optimiser's part, 2 the gradients too, 3 the
    weights as well; `fsdp` (full sharding) is ZeRO 3.

    >>> f"{model_states(7.5e9, RECIPES['fp16'], 'zero1', 64).total / 1e9:.1f}"  # table 1 of the ZeRO paper
    '31.4'
    """
    full = sharding in ("zero3", "fsdp")
    return States(
        weights=parameters * recipe.weights / (count if full else 1),
        gradients=parameters * recipe.gradients / (count if full or sharding == "zero2" else 1),
        optimiser=parameters * recipe.optimiser / (1 if sharding in ("single", "ddp") else count),
    )
