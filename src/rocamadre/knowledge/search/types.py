"""What is asked of a search, what it gives back, and what it tells about its way there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rocamadre.store.vectors.filters import Filter
    from rocamadre.store.vectors.protocol import Chunk

SearchType = Literal["HYBRID", "SEMANTIC"]
Embed = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Texts to rows of unit length, float32."""
Rerank = Callable[[str, Sequence[str]], Sequence[float]]
"""A query and texts to one score per text; higher is more relevant, any scale."""
Generate = Callable[[str], str]
"""A prompt to a model's answer."""

ORDER = (
    "analyse",
    "decompose",
    "multi-query",
    "rag-fusion",
    "hyde",
    "translate",
    "lexical",
    "vectors",
    "second-vectors",
    "fusion",
    "feedback",
    "neighbours",
    "graph",
    "late",
    "rerank",
    "mmr",
    "parents",
    "cut",
)
"""The stages there are, in the order in which they make sense."""
DEFAULT_STAGES = (
    "analyse",
    "translate",
    "lexical",
    "vectors",
    "second-vectors",
    "fusion",
    "feedback",
    "neighbours",
    "parents",
    "cut",
)


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        text: The question as it was put.
        limit: At most so many results.
        where: Only chunks whose metadata fit; None lets all pass.
        search_type: `SEMANTIC` looks by vectors alone.
        language: `en`, `es`, `pt`; empty: detected, and where nothing is, the language of most chunks.
    """

    text: str
    limit: int = 5
    where: Filter | None = None
    search_type: SearchType = "HYBRID"
    language: str = ""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How it is looked for; the defaults are what `benchmarks/retrieval.py` measures.

    Attributes:
        stages: Names of stages, run in this order.
        candidates: How many each list brings to the fusion.
        fusion: `adaptive`, `weighted` (fixed `vector_weight`) or `rank` (reciprocal ranks).
        vector_weight: The vectors' share with `weighted`, 0 to 1.
        rank_offset: The k of reciprocal rank fusion.
        trust: How good the embedder's vectors are per language, 0 to 1; `""` is any other language. Where nothing is
            given: what `embedders.trust_of` knows of the store's embedder.
        diversity: What MMR gives to difference instead of relevance, 0 to 1.
        variants: Queries that multi-query and RAG-fusion ask a model for.
        rerank_candidates: How many of the best are read by the reranker.
        least_score: Results below are left out.
    """

    stages: tuple[str, ...] = DEFAULT_STAGES
    candidates: int = 100
    fusion: str = "adaptive"
    vector_weight: float = 0.3
    rank_offset: int = 60
    trust: Mapping[str, float] = field(default_factory=dict)
    diversity: float = 0.3
    variants: int = 3
    rerank_candidates: int = 25
    least_score: float = 0.0

    def with_stages(self, *names: str) -> SearchSettings:
        """The same with these stages, too, each at its place of `ORDER`."""
        wanted = {*self.stages, *names}
        known = tuple(name for name in ORDER if name in wanted)
        return replace(self, stages=known + tuple(name for name in self.stages if name not in ORDER))

    def without_stages(self, *names: str) -> SearchSettings:
        """The same without these stages."""
        return replace(self, stages=tuple(name for name in self.stages if name not in names))


@dataclass(frozen=True, slots=True)
class Moved:
    """A chunk that a stage put elsewhere; ranks count from 1."""

    id: str
    before: int
    after: int
    score: float


@dataclass(frozen=True, slots=True)
class Scored:
    """A chunk's id and a score."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """A chunk that a stage took out, and why."""

    id: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage did.

    Attributes:
        name: Its name in the registry.
        elapsed_s: Seconds it took.
        facts: What it decided, as JSON: terms, weights, queries.
        found: Chunks that no stage before had, best first, with this stage's own scores.
        moved: Chunks whose rank among those that stayed it changed.
        dropped: Chunks it took out.
        ranking: All candidates after it, best first; empty where it left ranks and scores alone.
    """

    name: str
    elapsed_s: float
    facts: Mapping[str, Any]
    found: tuple[Scored, ...] = ()
    moved: tuple[Moved, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    ranking: tuple[Scored, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The form that the API and `roca kb query --explain` show."""
        return {
            "stage": self.name,
            "milliseconds": round(self.elapsed_s * 1000, 3),
            **self.facts,
            "found": [{"chunk": each.id, "score": round(each.score, 6)} for each in self.found],
            "moved": [
                {"chunk": each.id, "from": each.before, "to": each.after, "score": round(each.score, 6)}
                for each in self.moved
            ],
            "dropped": [
                {"chunk": each.id, "score": round(each.score, 6), "reason": each.reason} for each in self.dropped
            ],
            "ranking": [{"chunk": each.id, "score": round(each.score, 6)} for each in self.ranking],
        }


@dataclass(frozen=True, slots=True)
class Result:
    """One chunk found.

    Attributes:
        chunk: What is returned: the chunk, or its parent after the stage `parents`.
        score: In [0, 1], never rising from one result to the next.
        matched: The chunk that was found, where a parent is returned; else the same as `chunk`.
        parts: What the score was made of, each in [0, 1]: `lexical`, `vector` (both embedders' where there are two),
            `near`, `pairs`, `feedback`; `coverage`; `late` and `rerank` where they were asked.
    """

    chunk: Chunk
    score: float
    matched: Chunk
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Results:
    """What was found, best first, and how."""

    results: tuple[Result, ...]
    trace: tuple[Stage, ...]
    language: str = ""
