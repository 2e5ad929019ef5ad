"""Making, finding, changing and deleting knowledge bases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rocamadre.knowledge.embedding import embedder_of
from rocamadre.knowledge.types import KnowledgeBase

if TYPE_CHECKING:
    from rocamadre.core.settings import Settings
    from rocamadre.store.vectors.protocol import VectorStore

__all__ = ["Host", "embedder_of", "open_store", "staging_dir", "store_dir"]


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


def open_store(host: Host, base: KnowledgeBase) -> VectorStore:
    """A knowledge base's chunks; the caller closes it.

    Raises:
        Conflict: the store cannot be opened.
    """
    raise NotImplementedError
