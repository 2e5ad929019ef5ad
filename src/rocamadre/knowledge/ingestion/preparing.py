"""One document on its way to the store: read, hashed, parsed, cut into chunks. Everything but the vectors."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from rocamadre.knowledge.chunkers.registry import Piece
from rocamadre.knowledge.embedding import EMBEDDED, embedded_text
from rocamadre.knowledge.ingestion.cutting import Cut, Cutter, analysed, unpacked
from rocamadre.knowledge.ingestion.items import Action, Known, Settled
from rocamadre.knowledge.ingestion.types import DocumentStatus
from rocamadre.knowledge.parsers.formats import MEDIA_TYPES
from rocamadre.knowledge.parsers.isolated import Outcome, ParserPool
from rocamadre.knowledge.parsers.parsed import Parsed, ParseFailure
from rocamadre.knowledge.sources.protocol import Attributes, Source, SourceFailure, Value
from rocamadre.store.vectors.protocol import Chunk, Replacement, VectorStore, chunk_id

SOURCE_URI = "x-amz-bedrock-kb-source-uri"
DATA_SOURCE_ID = "x-amz-bedrock-kb-data-source-id"
PAGE_NUMBER = "x-amz-bedrock-kb-document-page-number"
MOST_EMBEDDED = 50_000
"""Characters of a chunk that an embedder is given; none reads as many."""

Transform: TypeAlias = Callable[[Parsed, Sequence[Piece], str, Mapping[str, Value]], "Transformed"]
"""Parsed document, its pieces, its id and its attributes to other pieces. Raises `SourceFailure` for this document."""

_PIECE = 1 << 20
_SMALL = 1 << 20
_TABLES = (MEDIA_TYPES["csv"], MEDIA_TYPES["tsv"])
_STILL = "; the version that was indexed before is still searched"


@dataclass(frozen=True, slots=True)
class Transformed:
    """Pieces that a custom transformation made.

    Attributes:
        text: What their spans count in: the parsed text, or, where pieces are not found in it, the pieces themselves.
        attributes: Of each piece besides the document's own, in the order of the pieces.
    """

    text: str
    pieces: Sequence[Piece]
    attributes: Sequence[Mapping[str, Value]]


@dataclass(slots=True)
class Prepared:
    """A document, and what is still to do for it.

    Attributes:
        settled: How it went; final unless there is a replacement to write.
        replacement: For the store; None where nothing is to be written. Its chunks lack the vectors of `wanting`.
        wanting: Places of the chunks whose texts must be embedded.
        vectors: Of those, once they are there.
    """

    settled: Settled
    replacement: Replacement | None = None
    wanting: list[int] = field(default_factory=list)
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """Chunks that it holds in memory."""
        return 0 if self.replacement is None else len(self.replacement.chunks)

    def texts(self) -> list[str]:
        """What must be embedded."""
        assert self.replacement is not None
        return [embedded_text(self.replacement.chunks[place])[:MOST_EMBEDDED] for place in self.wanting]

    def finished(self) -> Replacement:
        """With all vectors."""
        assert self.replacement is not None
        chunks = self.replacement.chunks
        for place, vector in self.vectors.items():
            # Nobody else has seen them yet; copies would cost as much as a good part of writing them.
            object.__setattr__(chunks[place], "embedding", vector)
        self.vectors = {}
        return self.replacement


@dataclass(frozen=True, slots=True)
class Begun:
    """A document that is to be parsed.

    Attributes:
        settled: How it will have gone, if nothing goes wrong.
        whole: Hash of all that decides what is written.
    """

    settled: Settled
    content: bytes | Path
    whole: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Preparer:
    """Prepares documents of one data source, from several threads.

    Attributes:
        fingerprint: Of the settings that decide how a document is cut and embedded.
        transform: A custom transformation; None for none.
        stored: Hashes by document of what the store holds, where a run may have been killed after writing.
    """

    data_source: str
    source: Source
    parser: ParserPool
    cutter: Cutter
    store: VectorStore
    fingerprint: str
    transform: Transform | None = None
    stored: Mapping[str, str] = field(default_factory=dict)

    def prepare_all(self, waiting: Iterable[Known]) -> Generator[Prepared, None, None]:
        """Documents as far as they go without vectors, not in order: several are being parsed while the next are read.

        What is wrong with one is in its result, never raised.
        """
        with self.parser.stream() as stream:
            for known in waiting:
                begun = self.begin(known)
                if isinstance(begun, Prepared):
                    yield begun
                    continue
                item = known.item
                columns = begun.attributes.columns
                for outcome in stream.put(begun, begun.content, item.name, item.media_type, columns=columns):
                    yield self._parsed(outcome)
            for outcome in stream.rest():
                yield self._parsed(outcome)

    def begin(self, known: Known) -> Prepared | Begun:
        """Read a document, and see whether there is something to do."""
        try:
            attributes = self.source.attributes(known.item)
        except SourceFailure as error:
            return Prepared(not_written(known, str(error), "METADATA_UPDATE_FAILED" if known.is_stored else "FAILED"))
        beside: tuple[Any, ...] = (dict(attributes.values), attributes.columns)
        if attributes.embedded:
            beside = (*beside, attributes.embedded)
        attributes_hash = _hash(msgspec.json.encode(beside, order="deterministic"))
        try:
            content = _at_hand(self.source.fetch(known.item))
            content_hash = hash_of(content)
        except (SourceFailure, OSError) as error:
            return Prepared(not_written(known, str(error)))
        action: Action = known.action
        if known.is_stored and (known.content_hash, known.fingerprint) == (content_hash, self.fingerprint):
            action = "unchanged" if known.attributes_hash == attributes_hash else "metadata"
        whole = _hash(f"{content_hash} {attributes_hash} {self.fingerprint}".encode())
        status: DocumentStatus = "METADATA_PARTIALLY_INDEXED" if attributes.ignored else "INDEXED"
        settled = Settled(
            known, action, "done", status, _ignored(attributes), content_hash, attributes_hash, self.fingerprint
        )
        if action == "unchanged" or self.stored.get(known.id) == whole:
            return Prepared(settled)
        return Begun(settled, content, whole, attributes)

    def _parsed(self, outcome: Outcome) -> Prepared:
        begun: Begun = outcome.tag
        known = begun.settled.known
        try:
            if outcome.failure is not None:
                raise outcome.failure
            assert outcome.parsed is not None
            return self._chunked(begun, outcome.parsed, outcome.more)
        except ParseFailure as error:
            unread = error.reason == "unsupported"
            return Prepared(not_written(known, error.message, "IGNORED" if unread else "FAILED"))
        except SourceFailure as error:
            return Prepared(not_written(known, str(error)))

    def _cuts(self, parsed: Parsed, more: bytes) -> list[Cut]:
        if not more:
            return self.cutter.cut(parsed)
        try:
            return unpacked(parsed.text, more)
        except ValueError as error:
            raise ParseFailure("crash", "the process that cuts the file says what cannot be") from error

    def _chunked(self, begun: Begun, parsed: Parsed, more: bytes) -> Prepared:
        settled, content, attributes = begun.settled, begun.content, begun.attributes
        item = settled.known.item
        text, own = parsed.text, None
        if self.transform is None:
            cuts = self._cuts(parsed, more)
        else:
            made = self.transform(parsed, self.cutter.pieces(parsed), item.id, attributes.values)
            text, own = made.text, made.attributes
            cuts = analysed(text, made.pieces, enrich=self.cutter.settings.enrich)
        pieces = [cut.piece for cut in cuts]
        chunks = self._chunks(item.id, cuts, attributes, own)
        # Texts that were embedded before keep their vectors: only what is new in a document is embedded.
        before = {} if settled.action == "new" else self._vectors(item.id)
        wanting: list[int] = []
        for place, piece in enumerate(pieces):
            if piece.searched:
                vector = before.get(embedded_text(chunks[place])) if before else None
                if vector is None:
                    wanting.append(place)
                else:
                    chunks[place] = replace(chunks[place], embedding=vector)
        facts = {
            "chunks": sum(piece.searched for piece in pieces),
            "media_type": parsed.media_type,
            "size_bytes": content.stat().st_size if isinstance(content, Path) else len(content),
            "language": _most([cut.language for cut in cuts if cut.piece.searched]),
        }
        if parsed.title:
            facts["title"] = parsed.title[:200]
        settled = replace(settled, facts=facts)
        if attributes.columns is not None and parsed.media_type not in _TABLES:
            reason = f"documentStructureConfiguration is for CSV files, and {item.name} is {parsed.media_type}"
            settled = replace(settled, status="METADATA_PARTIALLY_INDEXED", reason=reason)
        return Prepared(settled, Replacement(item.id, self.data_source, begun.whole, chunks, text), wanting)

    def _chunks(
        self,
        document: str,
        cuts: Sequence[Cut],
        attributes: Attributes,
        more: Sequence[Mapping[str, Value]] | None,
    ) -> list[Chunk]:
        ids = self._ids(document, [cut.piece for cut in cuts])
        base: dict[str, Any] = {SOURCE_URI: document, DATA_SOURCE_ID: self.data_source, **attributes.values}
        if attributes.embedded:
            base[EMBEDDED] = list(attributes.embedded)
        chunks = []
        for place, (piece, language, terms, names) in enumerate(cuts):
            metadata = base
            if piece.metadata or more or names or piece.page is not None:
                metadata = {**base, **piece.metadata, **(more[place] if more else {}), **names}
            if piece.page is not None:
                metadata[PAGE_NUMBER] = piece.page
            chunks.append(
                Chunk(
                    id=ids[place],
                    document=document,
                    text=piece.text,
                    start=piece.start,
                    end=piece.end,
                    language=language,
                    terms=terms,
                    metadata=metadata,
                    page=piece.page,
                    headings=piece.headings,
                    parent="" if piece.parent is None else ids[piece.parent],
                )
            )
        return chunks

    def _ids(self, document: str, pieces: Sequence[Piece]) -> list[str]:
        ids: list[str] = []
        taken: set[str] = set()
        for piece in pieces:
            # A parent may be as long as its only child.
            made = chunk_id(self.data_source if piece.searched else f"{self.data_source}/", document, *_span(piece))
            while made in taken:
                made = chunk_id(self.data_source, made, *_span(piece))
            taken.add(made)
            ids.append(made)
        return ids

    def _vectors(self, document: str) -> dict[str, NDArray[np.float32]]:
        there = self.store.of_document(document, data_source=self.data_source)
        return {embedded_text(chunk): chunk.embedding for chunk in there if chunk.embedding is not None}


def not_written(known: Known, reason: str, status: DocumentStatus = "FAILED") -> Settled:
    """How it went with a document of which nothing is to be written; the version before stays."""
    return Settled(
        known,
        known.action,
        "ignored" if status == "IGNORED" else "failed",
        status,
        reason + (_STILL if known.is_stored else ""),
        known.content_hash,
        known.attributes_hash,
        known.fingerprint,
    )


def hash_of(content: bytes | Path) -> str:
    """SHA-256 of a document's content.

    Raises:
        OSError: its file cannot be read.
    """
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    with content.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _at_hand(content: bytes | Path) -> bytes | Path:
    """A small file's content, so that it is read once; whatever is strange about it is told by who reads it next."""
    if isinstance(content, bytes):
        return content
    try:
        descriptor = os.open(content, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return content
    with open(descriptor, "rb", buffering=0) as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or not 0 < facts.st_size <= _SMALL:
            return content
        found: bytes = file.read(_SMALL + 1)
    return found if len(found) == facts.st_size else content


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _most(languages: Sequence[str]) -> str:
    return max(sorted(set(languages)), key=languages.count, default="")


def _span(piece: Piece) -> tuple[int, int, str]:
    return piece.start, piece.end, piece.text


def _ignored(attributes: Attributes) -> str:
    if not attributes.ignored:
        return ""
    return "attributes left out: " + "; ".join(f"{name} is {reason}" for name, reason in attributes.ignored.items())
