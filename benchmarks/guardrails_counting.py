"""Rates with their intervals, from what was found and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rocamadre.guardrails.redteam.counting import wilson

RESAMPLES = 1000
SEED = 20261122
STRENGTHS = ("LOW", "MEDIUM", "HIGH")

Floats = npt.NDArray[np.float64]


def rates(found: Sequence[bool], truth: Sequence[int]) -> dict[str, Any]:
    """Precision, recall, F1 and false-positive rate, each with the ends of its 95 % interval.

    Wilson's intervals for rates, resampled texts for F1. None where there is nothing to divide by.
    """
    pairs = list(zip(found, truth, strict=True))
    right = sum(1 for each, real in pairs if each and real)
    wrong = sum(1 for each, real in pairs if each and not real)
    missed = sum(1 for each, real in pairs if not each and real)
    return from_counts(right, wrong, missed, len(pairs) - right - wrong - missed)


def from_counts(right: int, wrong: int, missed: int, spared: int) -> dict[str, Any]:
    """The same from counts: right, wrong, missed and rightly left alone."""
    return {
        "positives": right + missed,
        "negatives": wrong + spared,
        "precision": share(right, right + wrong),
        "recall": share(right, right + missed),
        "f1": f1(right, wrong, missed, spared) if right + missed else None,
        "false_positives": share(wrong, wrong + spared),
    }


def share(good: int, of: int) -> list[float] | None:
    """A share and its interval.

    >>> share(9, 10)
    [0.9, 0.596, 0.982]
    """
    return [round(good / of, 3), *(round(end, 3) for end in wilson(good, of))] if of else None


def f1(right: int, wrong: int, missed: int, spared: int) -> list[float]:
    """F1 and its interval; texts resampled with all four outcomes."""
    counts = np.array([right, wrong, missed, spared])
    draws = np.random.default_rng(SEED).multinomial(int(counts.sum()), counts / counts.sum(), RESAMPLES)
    below = 2 * draws[:, 0] + draws[:, 1] + draws[:, 2]
    spread = np.sort(2 * draws[:, 0] / np.maximum(below, 1))
    value = 2 * right / max(1, 2 * right + wrong + missed)
    return [round(each, 3) for each in (value, *_ends(spread))]


def auroc(scores: Sequence[float], truth: Sequence[int]) -> list[float] | None:
    """The chance that a positive scores above a negative, and its interval from resampled texts of each kind.

    >>> auroc([0.1, 0.4, 0.8, 0.9], [0, 0, 1, 1])
    [1.0, 1.0, 1.0]
    """
    score, real = np.array(scores, float), np.array(truth, bool)
    positive, negative = score[real], score[~real]
    if not len(positive) or not len(negative):
        return None
    values, places = np.unique(score, return_inverse=True)
    own, other = (np.bincount(places[each], minlength=len(values)).astype(float) for each in (real, ~real))
    draw = np.random.default_rng(SEED)
    spread = []
    for _ in range(RESAMPLES):
        some = draw.multinomial(len(positive), own / len(positive)).astype(float)
        rest = draw.multinomial(len(negative), other / len(negative)).astype(float)
        spread.append(_area(some, rest))
    return [round(each, 3) for each in (_area(own, other), *_ends(np.sort(np.array(spread))))]


def _area(positive: Floats, negative: Floats) -> float:
    """From counts at each score, rising."""
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / (positive.sum() * negative.sum()))


def _ends(spread: Floats) -> tuple[float, float]:
    return float(spread[int(0.025 * len(spread))]), float(spread[-1 - int(0.025 * len(spread))])


def limit_at(negatives: Sequence[float], false: float) -> float:
    """The lowest score above which at most a share `false` of the negatives lies.

    >>> limit_at([0.1, 0.2, 0.3, 0.4], 0.25)
    0.3
    """
    falling = sorted(negatives, reverse=True)
    return falling[min(int(false * len(falling)), len(falling) - 1)]


def by_strength(levels: Sequence[int], truth: Sequence[int]) -> dict[str, Any]:
    """Rates at each strength, of confidences 0 (NONE) to 3 (HIGH): strength HIGH acts on LOW confidence and above."""
    return {strength: rates([level > 2 - place for level in levels], truth) for place, strength in enumerate(STRENGTHS)}


def best_limit(scores: Sequence[float], truth: Sequence[int]) -> float:
    """The score from which on F1 is best."""
    order = np.argsort(-np.array(scores, float), kind="stable")
    real = np.array(truth)[order]
    right = np.cumsum(real)
    values = 2 * right / (np.arange(1, len(real) + 1) + real.sum())
    return float(np.array(scores, float)[order][int(np.argmax(values))])
