"""The best candidates, read together with the query by a model.

Off by default: with the reranker that comes with the platform it did not earn its place (`benchmarks/retrieval.py`).
"""

from __future__ import annotations

import math

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.search.stages.mmr import falling
from rocamadre.knowledge.search.state import State
from rocamadre.knowledge.search.types import Scored


def rerank(state: State) -> None:
    """Put the first candidates in the reranker's order; those below keep theirs.

    Scores outside 0 to 1 are taken for logits.

    Raises:
        InvalidRequest: no reranker was given.
    """
    if state.rerank is None:
        raise InvalidRequest("the search stage 'rerank' needs a reranker, and none was given")
    head = state.ranking[: state.settings.rerank_candidates]
    chunks = state.chunks([item.id for item in head])
    read = [item for item in head if item.id in chunks]
    if not read:
        return
    scores = [float(score) for score in state.rerank(state.query.text, [chunks[item.id].text for item in read])]
    if any(not 0 <= score <= 1 for score in scores):
        scores = [1 / (1 + math.exp(-max(-60.0, min(60.0, score)))) for score in scores]
    for item, score in zip(read, scores, strict=True):
        state.parts.setdefault(item.id, {})["rerank"] = score
    order = sorted(range(len(read)), key=lambda place: (-scores[place], place))
    state.ranking = falling([Scored(read[place].id, scores[place]) for place in order] + state.ranking[len(head) :])
    state.facts["read"] = len(read)
