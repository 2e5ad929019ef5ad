"""A search: named stages, one after the other, each of which tells what it found, moved and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocamadre.knowledge.search.types import Embed, Generate, Query, Rerank, Results, SearchSettings

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
        InvalidRequest: a stage is unknown, or needs what was not given.
    """
    raise NotImplementedError
