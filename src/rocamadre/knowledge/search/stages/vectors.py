"""Chunks whose vectors are near the query's."""

from __future__ import annotations

from rocamadre.knowledge.search.state import State
from rocamadre.knowledge.search.types import Scored


def vectors(state: State) -> None:
    """The nearest chunks by cosine, of each question; all questions are embedded in one call."""
    embedded = state.embed([question.passage or question.text for question in state.questions])
    for question, vector in zip(state.questions, embedded, strict=True):
        question.vector = vector
        hits = state.store.by_vector(vector, limit=state.settings.candidates, where=state.query.where)
        question.vectors = [Scored(hit.chunk, hit.score) for hit in hits]
    state.facts["lists"] = [
        {"query": question.passage or question.text, "origin": question.origin, "hits": len(question.vectors)}
        for question in state.questions
    ]
