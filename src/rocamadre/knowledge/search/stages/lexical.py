"""Chunks that hold the query's words."""

from __future__ import annotations

from rocamadre.knowledge.search.state import State
from rocamadre.knowledge.search.types import Scored

K1 = 0.9
B = 0.75


def lexical(state: State) -> None:
    """BM25 over the terms of each question."""
    if state.query.search_type == "SEMANTIC":
        state.facts["skipped"] = "the search type is SEMANTIC"
        return
    for question in state.questions:
        if not question.terms:
            continue
        hits = state.store.by_terms(
            sorted(question.terms.items()), limit=state.settings.candidates, where=state.query.where, k1=K1, b=B
        )
        question.lexical = [Scored(hit.chunk, hit.score) for hit in hits]
    state.facts["lists"] = [
        {"query": question.text, "origin": question.origin, "hits": len(question.lexical)}
        for question in state.questions
    ]
