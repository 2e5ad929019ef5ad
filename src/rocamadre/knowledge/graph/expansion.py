"""The search stage `graph`: from the best chunks along the names they hold to chunks that the question does not name.

A question that needs two passages (where is the company for which she works?) shares words with the first alone; the
second shares a name with the first. Names that most chunks hold lead nowhere, and count by how rare they are.

Source: the idea of following entities between passages, as in Gutiérrez et al. 2024, "HippoRAG", reduced to one step
that any store with filters can take.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rocamadre.knowledge.graph.relations import ENTITIES, entities_of
from rocamadre.knowledge.languages import analyse
from rocamadre.knowledge.search.types import Scored
from rocamadre.store.vectors.filters import Condition, Group, all_of

if TYPE_CHECKING:
    from rocamadre.knowledge.search.state import Question, State
    from rocamadre.store.vectors.protocol import Chunk

BEGIN = 3
"""Chunks of the ranking that are begun from."""
NEAREST = 30
"""Chunks that are looked at, those nearest to the question first."""
MOST_NAMES = 24
MOST_SHARE = 0.2
"""Of the chunks: a name that more of them hold leads nowhere."""
REACH = 0.95
"""Score of the best chunk that was reached, against the chunk that led to it."""


@dataclass(frozen=True, slots=True)
class _Bridge:
    """A name that leads on.

    Attributes:
        weight: In [0, 1]: how rare it is, times the score of the best chunk that holds it, against the best name.
        chunks: Those of the beginning that hold it, with their scores.
    """

    weight: float
    chunks: dict[str, float]

    def score_to(self, chunk: str) -> float:
        """Of the best chunk that leads to another one by this name; a chunk does not lead to itself."""
        return max((score for each, score in self.chunks.items() if each != chunk), default=0.0)


def expand(state: State) -> None:
    """Bring in chunks that share a rare name with the best ones."""
    question = state.questions[0]
    if not state.ranking or question.vector is None:
        state.facts["names"] = []
        return
    best = state.ranking[:BEGIN]
    begun = state.chunks([item.id for item in best])
    bridges = _bridges(state, question, best, begun)
    state.facts["names"] = [
        {"name": name, "weight": round(each.weight, 4)}
        for name, each in sorted(bridges.items(), key=lambda item: (-item[1].weight, item[0]))
    ]
    if not bridges:
        return
    holding = tuple(Condition("listContains", ENTITIES, name) for name in bridges)
    where = all_of(state.query.where, holding[0] if len(holding) == 1 else Group("orAll", holding))
    hits = state.store.by_vector(question.vector, limit=NEAREST, where=where)
    reached = _scores(state, question, bridges, state.chunks([hit.chunk for hit in hits]))
    state.ranking = _merged(state.ranking, reached)
    state.facts["reached"] = len(reached)


def _bridges(state: State, question: Question, best: list[Scored], begun: dict[str, Chunk]) -> dict[str, _Bridge]:
    """The names of the chunks that are begun from, but for those that the question has itself, and the common ones."""
    total = max(1, state.store.count())
    asked = set(question.terms)
    weights: dict[str, float] = {}
    holders: dict[str, dict[str, float]] = {}
    for item in best:
        chunk = begun.get(item.id)
        for name in entities_of(chunk.metadata) if chunk is not None else ():
            terms = analyse(name, chunk.language if chunk is not None else "")
            if not terms or set(terms) <= asked:
                continue
            holding = min(state.store.term_counts(terms).values())
            if holding < 2 or holding > max(2, MOST_SHARE * total):
                continue  # Nobody else has it, or everybody.
            rarity = math.log(total / holding + 1) / math.log(total + 1)
            weights[name] = max(rarity * item.score, weights.get(name, 0.0))
            holders.setdefault(name, {})[item.id] = item.score
    kept = sorted(weights.items(), key=lambda each: (-each[1], each[0]))[:MOST_NAMES]
    most = max((weight for _, weight in kept), default=1.0) or 1.0
    return {name: _Bridge(weight / most, holders[name]) for name, weight in kept}


def _scores(
    state: State, question: Question, bridges: dict[str, _Bridge], chunks: dict[str, Chunk]
) -> dict[str, float]:
    """How much each chunk that was reached is worth: its names, and how much of the question it answers."""
    leading = {
        each: max((bridges[name] for name in entities_of(chunk.metadata) if name in bridges), key=_worth(each))
        for each, chunk in chunks.items()
    }
    # Only from better to worse: what is found already needs no name to be reached by.
    own = {item.id: item.score for item in state.ranking}
    chunks = {each: chunk for each, chunk in chunks.items() if leading[each].score_to(each) > own.get(each, 0.0)}
    if not chunks:
        return {}
    cosines = np.stack([np.asarray(chunk.embedding) for chunk in chunks.values()]) @ question.vector
    spread = cosines.max() - cosines.min()
    near = (cosines - cosines.min()) / spread if spread > 0 else np.ones(len(cosines))
    wanted = question.terms
    counts = state.store.term_counts(sorted(wanted)) if wanted else {}
    total = state.store.count()
    worth = {term: weight * math.log(1 + total / (1 + counts.get(term, 0))) for term, weight in wanted.items()}
    words = np.array(
        [
            sum(value for term, value in worth.items() if term in held)
            for held in (set(c.terms.split()) for c in chunks.values())
        ]
    )
    words = words / words.max() if len(words) and words.max() > 0 else words
    found: dict[str, float] = {}
    for place, each in enumerate(chunks):
        bridge = leading[each]
        fit = 0.5 * float(near[place]) + 0.5 * float(words[place])
        found[each] = REACH * bridge.score_to(each) * (0.5 * bridge.weight + 0.5 * fit)
    return found


def _worth(chunk: str) -> Callable[[_Bridge], float]:
    return lambda bridge: bridge.weight * bridge.score_to(chunk)


def _merged(ranking: list[Scored], reached: dict[str, float]) -> list[Scored]:
    scores = {item.id: item.score for item in ranking}
    for each, score in reached.items():
        scores[each] = max(score, scores.get(each, 0.0))
    return [Scored(each, score) for each, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]
