"""A question's terms as what they mean: a word and its translations are one concept, found by any of them.

Coverage, nearness and pairs are then the same whatever language a chunk is in.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

WINDOW = 20
"""Terms between the first and the last word that count as standing together."""
MOST_TERMS = 2000
"""Of a chunk, that are looked through for places; longer chunks are few, and would cost every question."""


class Reading(NamedTuple):
    """What a chunk's terms say about a question, each in [0, 1].

    Attributes:
        lexical: BM25 against the most it could be.
        near: Share of the question, by how rare its concepts are, in the chunk's best window of terms.
        pairs: Share of the question's neighbouring concepts that are neighbours in the chunk, in order.
        coverage: Share of the question in the chunk, wherever.
    """

    lexical: float
    near: float
    pairs: float
    coverage: float


NOTHING = Reading(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Concepts:
    """The concepts of one question.

    Attributes:
        of_term: Concept by term, translations included.
        rarity: Inverse document frequency per concept, of chunks that hold any of its terms.
        weights: Of each term, times its own inverse document frequency.
        most: What BM25 could be at most, divided by k1 + 1.
        neighbours: Concepts that follow each other in the question, with the lesser rarity.
    """

    of_term: Mapping[str, int]
    rarity: tuple[float, ...]
    weights: Mapping[str, float]
    most: float
    neighbours: tuple[tuple[int, int, float], ...]

    def read(self, terms: Sequence[str], *, mean_length: float, k1: float, b: float) -> Reading:
        """Look through a chunk's terms."""
        of_term = self.of_term
        places = [(place, term) for place, term in enumerate(terms[:MOST_TERMS]) if term in of_term]
        if not places:
            return NOTHING
        at = [(place, of_term[term]) for place, term in places]
        total = sum(self.rarity)
        return Reading(
            lexical=self.lexical([term for _, term in places], len(terms), mean_length=mean_length, k1=k1, b=b),
            near=min(1.0, self._best_window(at) / total),
            pairs=self._pairs(at),
            coverage=min(1.0, sum(self.rarity[each] for each in {concept for _, concept in at}) / total),
        )

    def lexical(self, terms: Sequence[str], length: int, *, mean_length: float, k1: float, b: float) -> float:
        """BM25 against the most it could be, of a chunk of some length that holds these terms of the question."""
        if not self.most:
            return 0.0
        slope = k1 * (1 - b + b * length / mean_length) if mean_length else k1
        found = sum(self.weights[term] * count / (count + slope) for term, count in Counter(terms).items())
        return min(1.0, found / self.most)

    def _best_window(self, at: Sequence[tuple[int, int]]) -> float:
        inside: deque[tuple[int, int]] = deque()
        counts: Counter[int] = Counter()
        here = best = 0.0
        for place, concept in at:
            inside.append((place, concept))
            counts[concept] += 1
            if counts[concept] == 1:
                here += self.rarity[concept]
            while inside[0][0] < place - WINDOW:
                gone = inside.popleft()[1]
                counts[gone] -= 1
                if not counts[gone]:
                    here -= self.rarity[gone]
            best = max(best, here)
        return best

    def _pairs(self, at: Sequence[tuple[int, int]]) -> float:
        there = {(one, other) for (place, one), (after, other) in pairwise(at) if after == place + 1}
        if not there:
            return 0.0
        found = sum(weight for one, other, weight in self.neighbours if (one, other) in there)
        return found / sum(weight for *_, weight in self.neighbours) if found else 0.0


def concepts_of(
    order: Sequence[str],
    terms: Mapping[str, float],
    same: Mapping[str, Iterable[str]],
    counts: Mapping[str, int],
    total: int,
) -> Concepts:
    """Put a question's terms together.

    Args:
        order: The question's own terms as they come, repeats included.
        terms: All terms with their weights.
        same: Translations by own term.
        counts: Chunks that hold each term.
        total: Chunks.
    """
    number = {term: place for place, term in enumerate(dict.fromkeys(order))}
    of_term = dict(number)
    for term, others in same.items():
        for other in others:
            if term in number:
                of_term.setdefault(other, number[term])
    for term in terms:
        # What a stage of someone else's added stands for itself.
        of_term.setdefault(term, len(number) + sum(each not in number for each in of_term))
    size = max(of_term.values(), default=-1) + 1
    held, most = [0] * size, [0.0] * size
    weights = {}
    for term, concept in of_term.items():
        held[concept] = min(total, held[concept] + counts.get(term, 0))
        weights[term] = terms.get(term, 0.0) * rarity_of(counts.get(term, 0), total)
        most[concept] = max(most[concept], weights[term])
    rarity = tuple(rarity_of(count, total) for count in held)
    return Concepts(
        of_term=of_term,
        rarity=rarity,
        weights=weights,
        most=sum(most),
        neighbours=tuple(
            (number[one], number[other], min(rarity[number[one]], rarity[number[other]]))
            for one, other in pairwise(order)
        ),
    )


def rarity_of(count: int, total: int) -> float:
    """Inverse document frequency, as BM25 has it; above zero."""
    return math.log(1 + (total - count + 0.5) / (count + 0.5))
