"""Boosted trees that ask the same question in all nodes of a level, and what their sum means as a score.

Such a tree is a row of questions; the answers, read as a binary number, name the leaf. The weights are numbers in JSON.

Source: Prokhorenkova et al., NeurIPS 2018 (oblivious trees). The recipe and the card are in models/guardrail-grounding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEAF_SCALE = 1000.0


@dataclass(frozen=True)
class Trees:
    """A sum of trees of one depth.

    Attributes:
        features: Which number each level looks at, shape (trees, depth).
        thresholds: What it has to exceed, shape (trees, depth).
        leaves: What each leaf adds, shape (trees, 2 ** depth).
    """

    features: NDArray[np.intp]
    thresholds: Array
    leaves: Array

    def __call__(self, rows: Array) -> Array:
        """The sum for each row of numbers: log-odds, before calibration."""
        count, depth = self.features.shape
        bits = rows[:, self.features] > self.thresholds
        leaf = bits @ (1 << np.arange(depth))
        total: Array = self.leaves[np.arange(count), leaf].sum(axis=1)
        return total


@dataclass(frozen=True)
class Model:
    """Trees and the curve that makes scores of their sums.

    Attributes:
        trees: The sum per sentence.
        sums: Sums, rising.
        scores: The score of each of them, rising from 0 to 1.
        per_sentence: What is added to the weakest sentence's sum per unit of log(sentences): among many, one always
            looks weaker than it is.
    """

    trees: Trees
    sums: Sequence[float]
    scores: Sequence[float]
    per_sentence: float = 0.0

    def score(self, total: float) -> float:
        """A sum as a score from 0 to 1."""
        return float(np.interp(total, self.sums, self.scores))


def read_model(data: Mapping[str, Any]) -> Model:
    """A model as `weights.json` holds it."""
    trees = Trees(
        np.array([row[0] for row in data["trees"]], dtype=np.intp),
        np.array([row[1] for row in data["trees"]], dtype=np.float64),
        np.array([row[2] for row in data["trees"]], dtype=np.float64) / LEAF_SCALE,
    )
    return Model(trees, data["sums"], data["scores"], data.get("per_sentence", 0.0))


@cache
def models() -> dict[str, Model]:
    """The shipped models: grounding and relevance."""
    content = files("rocamadre.guardrails").joinpath("grounding/weights.json").read_bytes()
    return {name: read_model(data) for name, data in json.loads(content).items()}
