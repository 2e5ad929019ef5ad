"""Retrieve: a question, and the chunks of a knowledge base that have to do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rocamadre.core.context import Context
from rocamadre.knowledge.search.types import Result, Results, SearchSettings, SearchType
from rocamadre.knowledge.types import KnowledgeBase

if TYPE_CHECKING:
    from rocamadre.store.vectors.filters import Filter

DEFAULT_RESULTS = 5


class Models(Protocol):
    """The models that a retrieval may ask, as clients name them; the API gives this, since it meters them."""

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> Sequence[float]:
        """One score per text."""
        ...

    async def generate(self, model: str, prompt: str) -> str:
        """A model's answer to a prompt; an empty model id is the default one."""
        ...


@dataclass(frozen=True, slots=True)
class Reranking:
    """What a reranker reads, and how many it leaves.

    Attributes:
        model: Id or ARN.
        limit: Results left; None for as many as were found.
        every_field: It reads all metadata; else those of `include`, or all but `exclude`; none where both are empty.
    """

    model: str
    limit: int | None = None
    every_field: bool = False
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Attribute:
    """A metadata attribute that an implicit filter may use; `type` is STRING, NUMBER, BOOLEAN or STRING_LIST."""

    key: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The wire's `retrievalConfiguration`, read.

    Attributes:
        limit: Most results before reranking, 1 to 100.
        where: The explicit filter.
        implicit: Attributes that a filter may be made of from the question; empty for none.
        implicit_model: The model that makes it.
    """

    limit: int = DEFAULT_RESULTS
    search_type: SearchType = "HYBRID"
    where: Filter | None = None
    implicit: tuple[Attribute, ...] = ()
    implicit_model: str = ""
    reranking: Reranking | None = None
    settings: SearchSettings = field(default_factory=SearchSettings)


def read_retrieval(configuration: Mapping[str, Any] | None) -> Retrieval:
    """Read a `retrievalConfiguration`.

    Raises:
        InvalidRequest: something in it is wrong.
        NotBuilt: it asks for what Rocamadre lacks.
    """
    raise NotImplementedError


async def retrieve(ctx: Context, base: KnowledgeBase, text: str, retrieval: Retrieval, models: Models) -> Results:
    """Look for chunks of a knowledge base; what happens in the store happens in a thread.

    Raises:
        InvalidRequest: the text is blank, or the filter does not fit.
        Conflict: the model that made the vectors is gone.
    """
    raise NotImplementedError


def wire_result(result: Result) -> dict[str, Any]:
    """A result as `KnowledgeBaseRetrievalResult`: content, location, metadata, score; also right for citations."""
    raise NotImplementedError
