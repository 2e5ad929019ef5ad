"""Kinds of knowledge bases: what differs between one of vectors and one of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rocamadre.core.errors import NotBuilt
from rocamadre.core.registry import Registry

if TYPE_CHECKING:
    from rocamadre.core.context import Context, Platform
    from rocamadre.knowledge.retrieval import Models
    from rocamadre.knowledge.types import KnowledgeBase

_REFUSED = {
    "KENDRA": "there is no Amazon Kendra here; make a knowledge base of type VECTOR, which has hybrid search",
    "MANAGED": "a managed knowledge base is Amazon's service; make one of type VECTOR, whose store is embedded",
}


@dataclass(frozen=True, slots=True)
class Made:
    """What a kind decides about a knowledge base before it is stored; see `types.KnowledgeBase`."""

    store: str
    embedder: str = ""
    embedder_hash: str = ""
    dimensions: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


class Kind(Protocol):
    """A kind of knowledge base; a module of functions will do."""

    def create(self, ctx: Context, configuration: Mapping[str, Any], storage: Mapping[str, Any]) -> Made:
        """Check a new one's configurations.

        Args:
            ctx: Who asks.
            configuration: The wire's `knowledgeBaseConfiguration`.
            storage: The wire's `storageConfiguration`; empty for none.

        Raises:
            InvalidRequest: they are wrong.
            NotBuilt: they ask for what Rocamadre lacks.
        """
        ...

    def update(
        self, ctx: Context, base: KnowledgeBase, configuration: Mapping[str, Any], storage: Mapping[str, Any]
    ) -> Made:
        """Check changed configurations.

        Raises:
            InvalidRequest: they are wrong, or may not change.
        """
        ...

    def destroy(self, platform: Platform, base: KnowledgeBase) -> None:
        """Remove what it keeps outside the platform's database; done again, it does nothing."""
        ...

    async def retrieve(
        self, ctx: Context, base: KnowledgeBase, text: str, configuration: Mapping[str, Any], models: Models
    ) -> Sequence[dict[str, Any]]:
        """Answer Retrieve: results in the wire's form, best first.

        Args:
            ctx: Who asks.
            base: Of this kind.
            text: The question.
            configuration: The wire's `retrievalConfiguration`; empty for none.
            models: What may be asked.
        """
        ...


KINDS: Registry[Kind] = Registry(
    "knowledge-base",
    {"VECTOR": "rocamadre.knowledge.vector:KIND", "SQL": "rocamadre.knowledge.sql.kind:KIND"},
)
"""By the wire's `knowledgeBaseConfiguration.type`."""


def kind_of(name: str) -> Kind:
    """The kind of a type's name.

    Raises:
        NotBuilt: Rocamadre does not have it.
    """
    if name in _REFUSED:
        raise NotBuilt(f"knowledgeBaseConfiguration.type {name}: {_REFUSED[name]}")
    return KINDS.load(name)
