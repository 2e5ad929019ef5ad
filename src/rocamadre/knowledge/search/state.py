"""What the stages of one search hand on to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.search.embedders import names_of, trust_in, trust_of
from rocamadre.knowledge.search.types import Dropped, Embed, Generate, Query, Rerank, Scored, SearchSettings

if TYPE_CHECKING:
    from rocamadre.store.vectors.protocol import Chunk, VectorStore


@dataclass(slots=True)
class Question:
    """One text that is looked for: the query itself, or what a stage made of it.

    Attributes:
        text: As words are taken from it.
        origin: The stage that made it.
        passage: What is embedded instead of the text, where a stage says so.
        language: As of `Query.language`, settled.
        terms: With weights, for the lexical search.
        same: Translations by the question's own term.
        lexical: What was found by words, best first.
        vectors: What was found by vectors, best first; of two embedders, by the first.
        second: What was found by the second, best first.
        share: What the second one's cosine counts, 0 to 1; the first has the rest.
        embedded: The question's own vector, as the embedders made it.
        vector: What gives a chunk's cosine when it is multiplied with the chunk's vector.
    """

    text: str
    origin: str = "query"
    passage: str = ""
    language: str = ""
    terms: dict[str, float] = field(default_factory=dict)
    same: dict[str, set[str]] = field(default_factory=dict)
    lexical: list[Scored] = field(default_factory=list)
    vectors: list[Scored] = field(default_factory=list)
    second: list[Scored] = field(default_factory=list)
    share: float = 0.0
    embedded: Any = None
    vector: Any = None


@dataclass(slots=True)
class State:
    """A search under way; each stage reads it, and changes it.

    Attributes:
        languages: Chunks per language in the store.
        questions: The query first.
        ranking: Candidates, best first; empty until they are fused.
        parts: Scores of parts by chunk.
        weight: Sum of the weights that the fusion's scores are a mean by.
        doubt: How little stands out of what was found by words, 0 to 1.
        shown: What is returned in a chunk's stead: its parent.
        facts: What the stage at work decided, as JSON.
        dropped: What the stage at work took out.
    """

    store: VectorStore
    query: Query
    settings: SearchSettings
    embed: Embed
    rerank: Rerank | None = None
    generate: Generate | None = None
    languages: dict[str, int] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    ranking: list[Scored] = field(default_factory=list)
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    weight: float = 1.0
    doubt: float = 0.0
    shown: dict[str, Chunk] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    _chunks: dict[str, Chunk] = field(default_factory=dict)
    _terms: dict[str, list[str]] = field(default_factory=dict)

    def trusted(self) -> Mapping[str, float]:
        """How good the store's embedder (the first, of two) is by language, 0 to 1."""
        return self.settings.trust or trust_of(names_of(self.store.facts.embedder)[0])

    def trust(self, language: str) -> float:
        """The same of one language."""
        return trust_in(self.trusted(), language)

    def chunks(self, ids: Sequence[str]) -> dict[str, Chunk]:
        """Chunks by id, each read once; one that was deleted meanwhile is missing."""
        wanted = [each for each in ids if each not in self._chunks]
        if wanted:
            self._chunks.update({chunk.id: chunk for chunk in self.store.chunks(wanted)})
        return {each: self._chunks[each] for each in ids if each in self._chunks}

    def terms(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """Chunks' terms by id, in order."""
        for each, chunk in self.chunks([each for each in ids if each not in self._terms]).items():
            self._terms[each] = chunk.terms.split()
        return {each: self._terms[each] for each in ids if each in self._terms}

    def drop(self, item: Scored, reason: str) -> None:
        """Note that a candidate goes; the stage itself leaves it out of the ranking."""
        self.dropped.append(Dropped(item.id, item.score, reason))

    def asked(self, prompt: str, stage: str) -> str:
        """A model's answer.

        Raises:
            InvalidRequest: no model was given.
        """
        if self.generate is None:
            raise InvalidRequest(f"the search stage {stage!r} asks a model, and none was given")
        return self.generate(prompt)
