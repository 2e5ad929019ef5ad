"""Retrieve: a question, and the chunks of a knowledge base that have to do with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotBuilt
from rocamadre.knowledge.embedding import check_embedder, from_thread
from rocamadre.knowledge.implicit_filters import Attribute, implicit_filter
from rocamadre.knowledge.open_stores import open_stores
from rocamadre.knowledge.search.pipeline import search
from rocamadre.knowledge.search.types import (
    DEFAULT_STAGES,
    Dropped,
    Moved,
    Query,
    Result,
    Results,
    Scored,
    SearchSettings,
    SearchType,
    Stage,
)
from rocamadre.knowledge.tables import select_sources
from rocamadre.knowledge.types import KnowledgeBase
from rocamadre.store.vectors.filters import Filter, all_of, parse_filter, to_wire
from rocamadre.store.vectors.protocol import VectorStore

DEFAULT_RESULTS = 5
MOST_QUERY_CHARACTERS = 20_000


class Models(Protocol):
    """The models that a retrieval may ask, as clients name them; the API gives this, since it meters them."""

    async def embed(self, base: KnowledgeBase, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of the knowledge base's own embedder."""
        ...

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> Sequence[float]:
        """One score per text, in [0, 1]."""
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
            What Bedrock itself puts there it reads only where `include` names it.
    """

    model: str
    limit: int | None = None
    every_field: bool = False
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    def reads(self, name: str) -> bool:
        """Whether it reads this attribute of the metadata."""
        if name in self.include or name.startswith("x-amz-bedrock-kb-"):
            return name in self.include
        return self.every_field or (bool(self.exclude) and name not in self.exclude)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The wire's `retrievalConfiguration`, read.

    Attributes:
        limit: Most results before reranking, 1 to 100.
        where: The explicit filter.
        implicit: Attributes that a filter may be made of from the question; empty for none.
        settings: Of the search; None takes those of the knowledge base's embedder.
    """

    limit: int = DEFAULT_RESULTS
    search_type: SearchType = "HYBRID"
    where: Filter | None = None
    implicit: tuple[Attribute, ...] = ()
    reranking: Reranking | None = None
    settings: SearchSettings = field(default_factory=SearchSettings)
    generator: str = ""


def read_retrieval(configuration: Mapping[str, Any] | None) -> Retrieval:
    """Read a `retrievalConfiguration`.

    Raises:
        InvalidRequest: something in it is wrong.
        NotBuilt: it asks for what Rocamadre lacks.
    """
    given = configuration or {}
    if "managedSearchConfiguration" in given:
        raise NotBuilt(
            "retrievalConfiguration.managedSearchConfiguration is of type MANAGED; give vectorSearchConfiguration"
        )
    wanted = given.get("vectorSearchConfiguration") or {}
    implicit = wanted.get("implicitFilterConfiguration") or {}
    return Retrieval(
        limit=wanted.get("numberOfResults", DEFAULT_RESULTS),
        search_type=wanted.get("overrideSearchType", "HYBRID"),
        where=parse_filter(wanted["filter"]) if wanted.get("filter") else None,
        implicit=tuple(
            Attribute(each["key"], each["type"], each["description"]) for each in implicit.get("metadataAttributes", ())
        ),
        reranking=_reranking(wanted.get("rerankingConfiguration")),
    )


async def retrieve(ctx: Context, base: KnowledgeBase, text: str, retrieval: Retrieval, models: Models) -> Results:
    """Look for chunks of a knowledge base; what happens in the store happens in a thread.

    Raises:
        InvalidRequest: the text is blank or too long, or the knowledge base holds no vectors.
        Conflict: the model that made the vectors is gone, or the knowledge base is being deleted.
    """
    if not text.strip():
        raise InvalidRequest("retrievalQuery.text is blank; ask something")
    if len(text) > MOST_QUERY_CHARACTERS:
        raise InvalidRequest(
            f"retrievalQuery.text has {len(text)} characters; at most {MOST_QUERY_CHARACTERS} are taken"
        )
    if base.type != "VECTOR":
        raise InvalidRequest(f"knowledge base {base.id} is of type {base.type}; it has no chunks to find")
    if base.status != "ACTIVE":
        raise Conflict(f"knowledge base {base.id} is {base.status}")
    await asyncio.to_thread(check_embedder, ctx.platform, base)
    loop = asyncio.get_running_loop()

    async def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return await models.embed(base, texts)

    async def generate(prompt: str) -> str:
        return await models.generate(retrieval.generator, prompt)

    def work() -> Results:
        with open_stores(ctx).using(ctx, base) as store:
            wanted = replace(retrieval, settings=_along_names(ctx, base, retrieval.settings))
            return _searched(store, text, wanted, from_thread(loop, embed), from_thread(loop, generate))

    found = await asyncio.to_thread(work)
    return found if retrieval.reranking is None else await _reranked(found, text, retrieval.reranking, models)


def _along_names(ctx: Context, base: KnowledgeBase, settings: SearchSettings) -> SearchSettings:
    """With the stage `graph`, where a data source enriches its chunks and nobody chose other stages."""
    if settings.stages != DEFAULT_STAGES:
        return settings
    with ctx.platform.sql.connect() as connection:
        sources = select_sources(connection, base.id)
    enriched = any(source.ingestion.get("contextEnrichmentConfiguration") for source in sources)
    return settings.with_stages("graph") if enriched else settings


def _searched(store: VectorStore, text: str, retrieval: Retrieval, embed: Any, generate: Any) -> Results:
    query = Query(text, retrieval.limit, retrieval.where, retrieval.search_type)
    if not retrieval.implicit:
        return search(store, query, retrieval.settings, embed, generate=generate)
    started = time.perf_counter()
    made = implicit_filter(store, text, retrieval.implicit, embed, retrieval.where)
    facts: dict[str, Any] = {"filter": to_wire(made) if made else None}
    found = None
    if made is not None:
        narrowed = replace(query, where=all_of(retrieval.where, made))
        found = search(store, narrowed, retrieval.settings, embed, generate=generate)
    if found is None or not found.results:
        facts["used"] = False
        found = search(store, query, retrieval.settings, embed, generate=generate)
    stage = Stage("implicit-filter", time.perf_counter() - started, facts)
    return replace(found, trace=(stage, *found.trace))


def _reranking(given: Mapping[str, Any] | None) -> Reranking | None:
    if not given:
        return None
    wanted = given.get("bedrockRerankingConfiguration")
    if not wanted:
        raise InvalidRequest("rerankingConfiguration needs bedrockRerankingConfiguration")
    model = wanted["modelConfiguration"]
    for name in model.get("additionalModelRequestFields") or {}:
        if name != "api_version":
            raise NotBuilt(f"additionalModelRequestFields.{name[:80]}: Rocamadre does not have this; leave it out")
    if not model["modelArn"]:
        raise InvalidRequest("rerankingConfiguration: modelArn is empty; name a reranking model")
    reranking = Reranking(model["modelArn"], wanted.get("numberOfRerankedResults"))
    metadata = wanted.get("metadataConfiguration")
    if not metadata:
        return reranking
    selective = metadata.get("selectiveModeConfiguration")
    if metadata["selectionMode"] == "ALL":
        if selective:
            raise InvalidRequest(
                "metadataConfiguration: selectiveModeConfiguration goes with the selectionMode SELECTIVE"
            )
        return replace(reranking, every_field=True)
    if not selective:
        raise InvalidRequest("metadataConfiguration with the selectionMode SELECTIVE needs selectiveModeConfiguration")
    names = {key: frozenset(each["fieldName"] for each in value) for key, value in selective.items()}
    return replace(
        reranking,
        include=names.get("fieldsToInclude", frozenset()),
        exclude=names.get("fieldsToExclude", frozenset()),
    )


async def _reranked(found: Results, text: str, wanted: Reranking, models: Models) -> Results:
    """The results in the order of a model that reads question and text together."""
    if not found.results:
        return found
    started = time.perf_counter()
    scores = await models.rerank(wanted.model, text, [_read_by(wanted, result) for result in found.results])
    order = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
    kept = order[: wanted.limit]
    results = tuple(
        replace(
            found.results[at], score=float(scores[at]), parts={**found.results[at].parts, "rerank": float(scores[at])}
        )
        for at in kept
    )
    ids = [result.chunk.id for result in found.results]
    stage = Stage(
        "rerank",
        time.perf_counter() - started,
        {"model": wanted.model, "read": len(ids)},
        moved=tuple(
            Moved(ids[at], at + 1, place + 1, float(scores[at])) for place, at in enumerate(kept) if place != at
        ),
        dropped=tuple(
            Dropped(ids[at], float(scores[at]), "after numberOfRerankedResults") for at in order[len(kept) :]
        ),
        ranking=tuple(Scored(ids[at], float(scores[at])) for at in kept),
    )
    return replace(found, results=results, trace=(*found.trace, stage))


def _read_by(wanted: Reranking, result: Result) -> str:
    lines = [
        f"{name}: {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for name, value in sorted(result.chunk.metadata.items())
        if wanted.reads(name)
    ]
    return "\n".join([*lines, result.chunk.text])
