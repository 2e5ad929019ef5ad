"""A search: named stages, one after the other, each of which tells what it found, moved and dropped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rocamadre.core.errors import InvalidRequest, Unknown
from rocamadre.knowledge.search.registry import STAGES
from rocamadre.knowledge.search.state import State
from rocamadre.knowledge.search.types import (
    Embed,
    Generate,
    Moved,
    Query,
    Rerank,
    Result,
    Results,
    Scored,
    SearchSettings,
    Stage,
)

if TYPE_CHECKING:
    from rocamadre.store.vectors.protocol import VectorStore


def search(
    store: VectorStore,
    query: Query,
    settings: SearchSettings,
    embed: Embed,
    *,
    rerank: Rerank | None = None,
    generate: Generate | None = None,
) -> Results:
    """Look for chunks.

    Args:
        store: The knowledge base's chunks.
        query: What is looked for.
        settings: How.
        embed: The knowledge base's embedder.
        rerank: Reads query and texts together; needed by the stage `rerank`.
        generate: Answers a prompt; needed by `multi-query`, `rag-fusion`, `hyde` and `decompose`.

    Raises:
        InvalidRequest: the query is empty, a stage is unknown, or one needs what was not given.
    """
    if not query.text.strip():
        raise InvalidRequest("an empty query finds nothing; give it a text")
    state = State(store, query, settings, embed, rerank, generate)
    trace = [_run(name, state) for name in settings.stages]
    chunks = state.chunks([item.id for item in state.ranking])
    results = [
        Result(state.shown.get(item.id, chunks[item.id]), item.score, chunks[item.id], state.parts.get(item.id, {}))
        for item in state.ranking
        if item.id in chunks
    ]
    return Results(tuple(results), tuple(trace), state.questions[0].language if state.questions else "")


def _run(name: str, state: State) -> Stage:
    try:
        stage = STAGES.load(name)
    except Unknown as error:
        raise InvalidRequest(error.message) from error
    known, before = set(_candidates(state)), list(state.ranking)
    state.facts, state.dropped = {}, []
    started = time.perf_counter()
    stage(state)
    elapsed = time.perf_counter() - started
    found = tuple(Scored(each, score) for each, score in _candidates(state).items() if each not in known)
    changed = [item.id for item in before] != [item.id for item in state.ranking] or before != state.ranking
    return Stage(
        name=name,
        elapsed_s=elapsed,
        facts=state.facts,
        found=found,
        moved=_moved(before, state.ranking),
        dropped=tuple(state.dropped),
        ranking=tuple(state.ranking) if changed else (),
    )


def _candidates(state: State) -> dict[str, float]:
    """Every chunk that some list holds, with its score in the first list that has it."""
    candidates: dict[str, float] = {}
    for question in state.questions:
        for item in (*question.lexical, *question.vectors, *question.second):
            candidates.setdefault(item.id, item.score)
    for item in state.ranking:
        candidates.setdefault(item.id, item.score)
    return candidates


def _moved(before: list[Scored], after: list[Scored]) -> tuple[Moved, ...]:
    """What is ranked before and after, but elsewhere; what only moves up because another went is left out."""
    kept = {item.id for item in after}
    old = {item.id: rank for rank, item in enumerate((item for item in before if item.id in kept), 1)}
    new = [item for item in after if item.id in old]
    return tuple(
        Moved(item.id, old[item.id], rank, item.score) for rank, item in enumerate(new, 1) if old[item.id] != rank
    )
