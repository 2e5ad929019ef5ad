"""Opening and removing the stores of knowledge bases."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

from rocamadre.core.settings import Settings
from rocamadre.knowledge.embedding import store_facts
from rocamadre.knowledge.types import KnowledgeBase
from rocamadre.store.vectors.protocol import StoreDamaged, StoreMismatch, VectorStore
from rocamadre.store.vectors.registry import VECTOR_STORES


class Host(Protocol):
    """What has settings: a server's platform, or a job's."""

    @property
    def settings(self) -> Settings:
        """The platform's."""
        ...


def store_dir(host: Host) -> Path:
    """Where the embedded stores are: `<id>.sqlite` and what belongs to it."""
    return host.settings.home / "kb"


def staging_dir(host: Host, base_id: str) -> Path:
    """Where content waits that a client sent; see `types.Change.staged`."""
    return store_dir(host) / f"{base_id}.staged"


def store_name(host: Host) -> str:
    """The kind of store that new knowledge bases get, whatever store their clients name."""
    return host.settings.knowledge.vector_store


def open_store(host: Host, base: KnowledgeBase) -> VectorStore:
    """A knowledge base's chunks; the caller closes it.

    Raises:
        StoreMismatch: it was made for another embedder.
        StoreDamaged: it cannot be read.
    """
    return VECTOR_STORES.load(base.store)(host.settings, base.id, store_facts(base))


def destroy_store(host: Host, base: KnowledgeBase) -> None:
    """Remove a knowledge base's chunks and what a client sent for them, every file; done again, it does nothing."""
    try:
        open_store(host, base).destroy()
    except (StoreDamaged, StoreMismatch):
        for path in store_dir(host).glob(f"{base.id}.sqlite*"):
            path.unlink(missing_ok=True)
    shutil.rmtree(staging_dir(host, base.id), ignore_errors=True)
