"""Boosting of trees with one question a level, for the logistic loss; numpy alone.

Source: Friedman, Annals of Statistics 2001; Prokhorenkova et al., NeurIPS 2018 (oblivious trees).
"""

from __future__ import annotations

import numpy as np

from rocamadre.guardrails.grounding.model import LEAF_SCALE


def bins_of(rows: np.ndarray, most: int = 48) -> list[np.ndarray]:
    """Thresholds per column: midpoints between quantiles that differ."""
    cuts = []
    for column in rows.T:
        values = np.unique(np.round(np.quantile(column, np.linspace(0, 1, most + 1)), 4))
        cuts.append(np.round((values[1:] + values[:-1]) / 2, 4))
    return cuts


def boost(
    rows: np.ndarray,
    good: np.ndarray,
    weights: np.ndarray,
    *,
    trees: int,
    depth: int,
    rate: float = 0.08,
    l2: float = 20.0,
    seed: int,
) -> list[list]:
    """Trees as `weights.json` has them: [features, thresholds, leaves in thousandths].

    Args:
        rows: Numbers, shape (examples, columns).
        good: 1 or 0 for each example.
        weights: What each example counts.
    """
    generator = np.random.default_rng(seed)
    cuts = bins_of(rows)
    codes = np.stack([np.searchsorted(cut, column, side="left") for cut, column in zip(cuts, rows.T, strict=True)])
    width = max(map(len, cuts)) + 1
    total = np.zeros(len(rows))
    made = []
    for _ in range(trees):
        chance = 1 / (1 + np.exp(-total))
        gradient, curve = weights * (good - chance), weights * chance * (1 - chance)
        picked = generator.random(len(rows)) < 0.7
        columns = [each for each in range(rows.shape[1]) if len(cuts[each]) and generator.random() < 0.6]
        leaf = np.zeros(len(rows), dtype=np.intp)
        levels = []
        for level in range(depth):
            best = _best_question(codes, cuts, columns, leaf, picked, gradient, curve, width, l2, 1 << level)
            levels.append(best)
            leaf += (codes[best[0]] > best[1]).astype(np.intp) << level
        count = 1 << depth
        sums = np.bincount(leaf, gradient, count), np.bincount(leaf, curve, count)
        values = np.round(rate * sums[0] / (sums[1] + l2) * LEAF_SCALE) / LEAF_SCALE
        total += values[leaf]
        made.append(
            [
                [int(column) for column, _ in levels],
                [float(cuts[column][cut]) for column, cut in levels],
                [int(np.rint(value * LEAF_SCALE)) for value in values],
            ]
        )
    return made


def _best_question(codes, cuts, columns, leaf, picked, gradient, curve, width, l2, leaves) -> tuple[int, int]:
    where = np.flatnonzero(picked)
    base = leaf[where] * width
    own_gradient, own_curve = gradient[where], curve[where]
    best, found = -np.inf, (columns[0], 0)
    for column in columns:
        place = base + codes[column][where]
        sums = [
            np.bincount(place, each, leaves * width).reshape(leaves, width).cumsum(axis=1)
            for each in (own_gradient, own_curve)
        ]
        left_g, left_c = sums[0][:, :-1], sums[1][:, :-1]
        right_g, right_c = sums[0][:, -1:] - left_g, sums[1][:, -1:] - left_c
        gain = (left_g**2 / (left_c + l2) + right_g**2 / (right_c + l2)).sum(axis=0)[: len(cuts[column])]
        place = int(gain.argmax())
        if gain[place] > best:
            best, found = gain[place], (column, place)
    return found
