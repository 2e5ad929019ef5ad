"""Chunks whose vectors are near the query's."""

from __future__ import annotations

from typing import Any

from rocamadre.knowledge.search.embedders import LENGTH, names_of, part, second_share
from rocamadre.knowledge.search.state import Question, State
from rocamadre.knowledge.search.types import Scored
from rocamadre.store.vectors.protocol import Vector


def vectors(state: State) -> None:
    """The nearest chunks by cosine, of each question; all questions are embedded in one call."""
    embedded = state.embed([question.passage or question.text for question in state.questions])
    for question, vector in zip(state.questions, embedded, strict=True):
        question.embedded = vector
        both = len(_embedders(state)) > 1
        question.vector = part(vector, 0) if both else vector
        question.vectors = _nearest(state, question.vector, length=LENGTH if both else 1.0)
    state.facts["embedder"] = _embedders(state)[0]
    state.facts["lists"] = [
        {"query": question.passage or question.text, "origin": question.origin, "hits": len(question.vectors)}
        for question in state.questions
    ]


def second_vectors(state: State) -> None:
    """The nearest chunks by the second embedder, where the first is worth little; cosines are then shared by both."""
    if len(_embedders(state)) == 1:
        state.facts["skipped"] = "the knowledge base has one embedder"
        return
    state.facts["embedder"] = _embedders(state)[1]
    for question in state.questions:
        question.share = second_share(state.trusted(), question.language, state.languages)
        if question.share and question.embedded is not None:
            second = part(question.embedded, 1)
            question.second = _nearest(state, second, length=LENGTH)
            question.vector = (1 - question.share) * question.vector + question.share * second
    state.facts["lists"] = [_told(question) for question in state.questions]


def _embedders(state: State) -> list[str]:
    return names_of(state.store.facts.embedder)


def _nearest(state: State, vector: Vector, *, length: float) -> list[Scored]:
    # A store divides by the query's length.
    hits = state.store.by_vector(vector, limit=state.settings.candidates, where=state.query.where)
    return [Scored(hit.chunk, hit.score * length) for hit in hits]


def _told(question: Question) -> dict[str, Any]:
    told = {"query": question.passage or question.text, "origin": question.origin, "share": round(question.share, 4)}
    if not question.share:
        return told | {"skipped": "question and chunks are in languages that the first embedder knows"}
    return told | {"hits": len(question.second)}
