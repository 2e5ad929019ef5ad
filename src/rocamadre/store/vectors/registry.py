"""Where a knowledge base's chunks can be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from rocamadre.core.registry import Registry
from rocamadre.core.settings import Settings
from rocamadre.store.vectors.protocol import StoreFacts, VectorStore


class Opener(Protocol):
    """How a kind of store is opened: called with the settings, the knowledge base's id, and what it is made for."""

    def __call__(self, settings: Settings, knowledge_base: str, facts: StoreFacts) -> VectorStore:
        """Open the store of a knowledge base; it is made where it is not there yet."""
        ...


VECTOR_STORES: Registry[Opener] = Registry(
    "vector_store",
    {
        "sqlite": "rocamadre.store.vectors.sqlite:open_sqlite",
        "pgvector": "rocamadre.store.vectors.pgvector:open_pgvector",
    },
)


def open_vectors(settings: Settings, knowledge_base: str, facts: StoreFacts) -> VectorStore:
    """The store of a knowledge base, of the kind that the settings choose; made where it is not there yet.

    Raises:
        StoreMismatch: it was made for another embedder, other settings, or by another version.
        StoreDamaged: it cannot be read.
    """
    return VECTOR_STORES.load(settings.knowledge.vector_store)(settings, knowledge_base, facts)


def sqlite_path(settings: Settings, knowledge_base: str) -> Path:
    """The file of a knowledge base."""
    return settings.home / "kb" / f"{knowledge_base}.sqlite"
