"""Chunks like the best ones: where the words leave open what is meant, a chunk is worth what its neighbours are.

Source: Diaz, "Regularizing query-based retrieval scores", Information Retrieval 10, 2007.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rocamadre.knowledge.search.embedders import names_of, shared
from rocamadre.knowledge.search.rules import Column
from rocamadre.knowledge.search.stages.feedback import DEPTH, is_skipped
from rocamadre.knowledge.search.state import State
from rocamadre.knowledge.search.types import Scored

SHARE = 0.5
"""Of a score, what comes from the neighbours where all is in doubt; it falls with the square of the doubt."""
NEIGHBOURS = 20
LEAST = 0.001


def neighbours(state: State) -> None:
    """Mix each candidate's score with that of the candidates nearest to it, weighted by cosine."""
    if is_skipped(state):
        return
    share = SHARE * state.doubt**2
    state.facts["share"] = round(share, 4)
    depth = max(DEPTH, state.query.limit)
    head = state.ranking[:depth]
    chunks = state.chunks([item.id for item in head])
    rows = {item.id: chunk.embedding for item in head if (chunk := chunks.get(item.id)) and chunk.embedding is not None}
    if share < LEAST or len(rows) <= NEIGHBOURS:
        return
    own = np.array([item.score for item in head if item.id in rows])
    vectors = np.stack(list(rows.values()))
    if len(names_of(state.store.facts.embedder)) > 1:
        vectors = shared(vectors, state.questions[0].share)
    around = _around(vectors, own)
    mixed = dict(zip(rows, ((1 - share) * own + share * around).tolist(), strict=True))
    scored = [Scored(item.id, mixed.get(item.id, item.score)) for item in head]
    least = min(item.score for item in scored)
    rest = [Scored(item.id, min(item.score, least)) for item in state.ranking[depth:]]
    state.ranking = sorted(scored, key=lambda item: (-item.score, item.id)) + rest


def _around(vectors: NDArray[np.float32], scores: Column) -> Column:
    """The mean score of each one's nearest others."""
    cosines = np.maximum((vectors @ vectors.T).astype(np.float64), 0.0)
    np.fill_diagonal(cosines, 0.0)
    least = np.partition(cosines, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS][:, None]
    weights = np.where(cosines >= least, cosines, 0.0)
    total = weights.sum(axis=1)
    return np.where(total > 0, weights @ scores / np.maximum(total, 1e-9), scores)
