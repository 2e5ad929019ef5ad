"""Results that differ from each other.

Source: Carbonell & Goldstein, SIGIR 1998.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rocamadre.knowledge.search.state import State
from rocamadre.knowledge.search.types import Scored

DEPTH = 50
"""Candidates that are put in a new order; those below keep theirs."""


def mmr(state: State) -> None:
    """Put the best candidates in the order of maximal marginal relevance; scores stay, made not to rise again."""
    head = state.ranking[: max(DEPTH, state.query.limit)]
    chunks = state.chunks([item.id for item in head])
    embedded = [item for item in head if item.id in chunks and chunks[item.id].embedding is not None]
    if len(embedded) < 2 or not state.settings.diversity:
        return
    matrix = np.stack([chunks[item.id].embedding for item in embedded]).astype(np.float32)  # type: ignore[misc]
    order = marginal_order(
        np.array([item.score for item in embedded]), matrix @ matrix.T, diversity=state.settings.diversity
    )
    picked = [embedded[place] for place in order]
    chosen = {item.id for item in picked}
    ranking = picked + [item for item in state.ranking if item.id not in chosen]
    state.facts["diversity"] = state.settings.diversity
    state.ranking = falling(ranking)


def marginal_order(relevance: NDArray[np.float64], similarity: NDArray[np.float32], *, diversity: float) -> list[int]:
    """Positions in the order in which they are picked.

    Args:
        relevance: `(n,)`; larger is better.
        similarity: `(n, n)`, of candidates with each other.
        diversity: 0 picks by relevance alone, 1 by difference alone.

    >>> marginal_order(np.array([1.0, 0.9, 0.5]), np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), diversity=0.5)
    [0, 2, 1]
    """
    left = list(range(len(relevance)))
    picked: list[int] = []
    nearest = np.zeros(len(relevance))
    while left:
        gains = [(1 - diversity) * relevance[place] - diversity * nearest[place] for place in left]
        best = left.pop(int(np.argmax(gains)))
        nearest = np.maximum(nearest, similarity[best]) if picked else similarity[best].astype(np.float64)
        picked.append(best)
    return picked


def falling(ranking: list[Scored]) -> list[Scored]:
    """The same order, each score at most the one before it."""
    least, result = 1.0, []
    for item in ranking:
        least = min(least, item.score)
        result.append(Scored(item.id, least))
    return result
