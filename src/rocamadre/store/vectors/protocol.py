"""What a knowledge base keeps: chunks of documents, found by vector, by word and by metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.store.vectors.filters import Filter

Vector = NDArray[np.float32]

K1 = 1.2
B = 0.75


class StoreDamaged(RocamadreError):
    """A store's file cannot be read; delete the knowledge base and ingest its documents again."""

    codes: tuple[str, ...] = ("InternalServerException",)


class StoreMismatch(InvalidRequest):
    """A store was made with another embedder, other settings or another version of Rocamadre."""


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store was made for; kept in it, and compared whenever it is opened.

    Attributes:
        embedder: Model id, as people know it.
        embedder_hash: Of the model's weights; two models of one name are not mixed.
        dimensions: Of each vector.
        settings_hash: Of whatever else makes old and new chunks incomparable; the caller's choice.
    """

    embedder: str
    dimensions: int
    embedder_hash: str = ""
    settings_hash: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """One piece of a document.

    Attributes:
        id: Stable and unique in the knowledge base; `chunk_id` makes one.
        document: The document's id: its URI or its custom id.
        text: What is shown and cited.
        start: First character in the document's parsed text.
        end: One past the last.
        language: `en`, `es`, `pt`, or nothing.
        terms: The analysed text for searching by word, separated by spaces; a term that occurs twice is there twice.
        metadata: Strings, numbers, booleans and lists of strings, by name.
        page: From 1, where the document has pages.
        headings: Path of headings above it.
        parent: Id of the parent chunk, or nothing.
        embedding: float32 `(dimensions,)`, of unit length; None for a parent, which is kept and never found.
    """

    id: str
    document: str
    text: str
    start: int
    end: int
    language: str = ""
    terms: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    page: int | None = None
    headings: tuple[str, ...] = ()
    parent: str = ""
    embedding: Vector | None = None


class Hit(NamedTuple):
    """A chunk that was found; `score` is a cosine or BM25's sum, larger is better."""

    chunk: str
    score: float


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document that a store holds; `data_source` and `id` together are its key.

    Attributes:
        content_hash: As it was given; what is unchanged need not be embedded again.
        chunks: How many it has, parents included.
        updated_at: Aware, UTC.
    """

    id: str
    data_source: str
    content_hash: str
    chunks: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Replacement:
    """A document as it is to be from now on.

    Attributes:
        chunks: Parents anywhere among them; none is allowed (a document without text).
        text: The parsed text, which chunks' spans count in.
    """

    document: str
    data_source: str
    content_hash: str
    chunks: Sequence[Chunk]
    text: str


class VectorStore(Protocol):
    """The chunks of one knowledge base. All methods block, and may be called from several threads and processes.

    What a call that returned has written stays, also after `kill -9`; a call that did not return has written
    everything or nothing. Searches see what is written by the time they begin.

    Errors: `InvalidRequest` for chunks or vectors that do not fit, `StoreMismatch` and `StoreDamaged` from opening
    and from reading.
    """

    @property
    def facts(self) -> StoreFacts:
        """What the store was made for."""
        ...

    def replace(
        self, document: str, data_source: str, content_hash: str, chunks: Sequence[Chunk], *, text: str
    ) -> None:
        """Make a document what is given: all that was there of it goes, all new comes, in one transaction."""
        ...

    def replace_many(self, items: Sequence[Replacement]) -> None:
        """`replace` for several documents in one transaction; much faster per document."""
        ...

    def delete(self, documents: Sequence[str], *, data_source: str = "") -> None:
        """Remove documents, in one transaction; unknown ones are passed over. Without a data source: from all."""
        ...

    def documents(self, *, data_source: str = "") -> Iterator[DocumentRow]:
        """What is held, by data source and id in the order of their UTF-8 bytes. Without a data source: of all."""
        ...

    def by_vector(self, vector: Vector, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """The nearest chunks by cosine, nearest first, ties by id.

        Args:
            vector: `(dimensions,)`, any length but zero.
            limit: At least 1. Fewer are returned only where fewer satisfy `where`.
            where: Only chunks whose metadata satisfy it.
        """
        ...

    def by_terms(
        self,
        terms: Sequence[tuple[str, float]],
        *,
        limit: int,
        where: Filter | None = None,
        k1: float = K1,
        b: float = B,
    ) -> list[Hit]:
        """The best chunks by BM25, best first, ties by id; only chunks that hold a term.

        The score of a chunk of `length` terms is the sum over the terms of
        `weight * ln(1 + (n - df + 0.5) / (df + 0.5)) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean))`,
        where `n`, `df` and `mean` are of all searchable chunks, whatever `where` says.

        Args:
            terms: Analysed terms with their weights; one given twice counts with both weights.
            limit: At least 1.
            where: Only chunks whose metadata satisfy it.
            k1: How soon more of a term stops to count; at least 0.
            b: How much length counts, 0 to 1.
        """
        ...

    def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """How many searchable chunks hold each term, 0 included."""
        ...

    def count(self) -> int:
        """How many chunks can be searched."""
        ...

    def languages(self) -> dict[str, int]:
        """How many searchable chunks are in each language."""
        ...

    def chunks(self, ids: Sequence[str]) -> list[Chunk]:
        """Chunks with their vectors, in the order of `ids`; unknown ids are left out."""
        ...

    def of_document(self, document: str, *, data_source: str = "") -> list[Chunk]:
        """A document's chunks as they were given. Without a data source: of the first that has it, by name."""
        ...

    def text(self, document: str, *, data_source: str = "") -> str:
        """A document's parsed text.

        Raises:
            NotFound: it is not held.
        """
        ...

    def close(self) -> None:
        """Let files, connections and memory go; nothing happens the second time."""
        ...

    def destroy(self) -> None:
        """Close, and remove all that was ever kept."""
        ...


def chunk_id(data_source: str, document: str, start: int, end: int, text: str) -> str:
    """An id that stays as long as its document, its span and its text do: 32 hexadecimal digits.

    >>> chunk_id("ds", "s3://b/a.txt", 0, 5, "Hello")
    '7c70fad40c595822d89c4354681a05bf'
    """
    parts = []
    for part in (data_source, document, str(start), str(end), text):
        encoded = part.encode("utf-8", "surrogatepass")
        parts += [len(encoded).to_bytes(8, "little"), encoded]
    return hashlib.blake2b(b"".join(parts), digest_size=16).hexdigest()
