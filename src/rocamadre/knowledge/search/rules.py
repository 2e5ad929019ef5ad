"""How two lists become one: reciprocal ranks, a fixed weight, or weights that follow what each part is worth here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rocamadre.core.registry import Registry

Column: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known about the candidates of one question, a number per candidate.

    Attributes:
        lexical: BM25; 0 for one without any of the terms.
        lexical_share: BM25 against the most it could be, in [0, 1].
        cosine: Of the question's vector with the candidate's.
        near: See `concepts.Reading`.
        pairs: See `concepts.Reading`.
        lexical_rank: Rank in the lexical list from 1; 0 where it is not in there.
        vector_rank: The same in the list of vectors.
        language: Of the question.
        trust: How good the embedder is in this language, 0 to 1.
    """

    lexical: Column
    lexical_share: Column
    cosine: Column
    near: Column
    pairs: Column
    lexical_rank: NDArray[np.int64]
    vector_rank: NDArray[np.int64]
    language: str
    trust: float
    vector_weight: float
    rank_offset: int


class Fused(NamedTuple):
    """A score in [0, 1] per candidate, what was decided, and the sum of the weights where there are any."""

    scores: Column
    facts: dict[str, Any]
    weight: float = 1.0


Rule: TypeAlias = Callable[[Evidence], Fused]

RULES: Registry[Rule] = Registry(
    "fusion",
    {
        "adaptive": "rocamadre.knowledge.search.adaptive:adaptive",
        "weighted": "rocamadre.knowledge.search.rules:weighted",
        "rank": "rocamadre.knowledge.search.rules:reciprocal_ranks",
    },
)


def stretched(values: Column) -> Column:
    """Values as 0 to 1 from the least to the greatest; all 1 where they are equal.

    >>> stretched(np.array([2.0, 4.0, 3.0]))
    array([0. , 1. , 0.5])
    """
    if not len(values):
        return values
    low, high = float(values.min()), float(values.max())
    return np.ones_like(values) if high == low else (values - low) / (high - low)


def weighted(evidence: Evidence) -> Fused:
    """The sum of both scores, each stretched over its own list, with a fixed share for the vectors."""
    scores = np.zeros(len(evidence.cosine))
    for values, ranks, weight in (
        (evidence.lexical, evidence.lexical_rank, 1 - evidence.vector_weight),
        (evidence.cosine, evidence.vector_rank, evidence.vector_weight),
    ):
        listed = ranks > 0
        scores[listed] += weight * stretched(values[listed])
    return Fused(scores, {"vector_weight": evidence.vector_weight})


def reciprocal_ranks(evidence: Evidence) -> Fused:
    """Reciprocal rank fusion, divided by what the first of both lists would have.

    Source: Cormack, Clarke & Buettcher, SIGIR 2009.
    """
    offset = evidence.rank_offset
    scores = np.zeros(len(evidence.cosine))
    for ranks in (evidence.lexical_rank, evidence.vector_rank):
        listed = ranks > 0
        scores[listed] += 1 / (offset + ranks[listed])
    return Fused(scores * (offset + 1) / 2, {"rank_offset": offset})


def merged_ranks(rankings: Sequence[Sequence[str]], *, offset: int) -> dict[str, float]:
    """Reciprocal rank fusion of any number of rankings, 1 for what is first in all.

    >>> merged_ranks([["a", "b"], ["b"]], offset=1)
    {'a': 0.5, 'b': 0.8333333333333333}
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, each in enumerate(ranking, 1):
            scores[each] = scores.get(each, 0.0) + (offset + 1) / (offset + rank) / len(rankings)
    return scores


def in_turns(rankings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The best of each ranking, then the second of each: every part has its share.

    Scores are those of the rankings, lowered where they would rise again.

    >>> in_turns([{"a": 0.9, "b": 0.8}, {"c": 0.5, "a": 0.4}])
    {'a': 0.9, 'c': 0.5, 'b': 0.5}
    """
    queues = [list(ranking.items()) for ranking in rankings]
    merged: dict[str, float] = {}
    least = 1.0
    for rank in range(max(map(len, queues), default=0)):
        for queue in queues:
            if rank < len(queue) and queue[rank][0] not in merged:
                least = min(least, queue[rank][1])
                merged[queue[rank][0]] = least
    return merged
