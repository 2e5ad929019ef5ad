"""Which chunkers there are, and how they are chosen.

Amazon Bedrock's four strategies come with its `chunkingConfiguration`. Ours (`RECURSIVE`, `BY_HEADING`, `BY_SENTENCE`)
have the same form, `{"chunkingStrategy": "RECURSIVE", "recursiveChunkingConfiguration": {"maxTokens": 300}}`, but
Bedrock's model has neither the words nor the members: botocore refuses unknown members before they are sent, and
the server holds `chunkingStrategy` to the model's four words. They therefore travel beside the model: as JSON in the
request header `x-rocamadre-chunking` of CreateDataSource and UpdateDataSource, which is kept with the data source, wins
over `chunkingConfiguration`, and is answered in the same header by GetDataSource. `settings_of` reads both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np

from rocamadre.core.registry import Registry
from rocamadre.knowledge.parsers.parsed import Parsed

CountTokens: TypeAlias = Callable[[str], int]
"""Tokens of a text, as the embedder counts them; a constant for its marks at both ends may be included."""

Embed: TypeAlias = Callable[[Sequence[str]], np.ndarray]
"""Texts to unit vectors, float32 (texts, dimensions)."""

HEADER = "x-rocamadre-chunking"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a document's text: `parsed.text[start:end] == text`.

    Attributes:
        text: Without white space at its ends; never empty.
        headings: The titles it stands under, outermost first.
        page: Where it begins; None where the format has no pages.
        parent: Place in the list of pieces of the larger piece it was cut from.
        searched: False for a parent: stored, and returned in place of its children, but not embedded.
        metadata: Of the row of data it was made from.
    """

    start: int
    end: int
    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    parent: int | None = None
    searched: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Chunker(Protocol):
    """Cuts documents into pieces."""

    def chunk(self, parsed: Parsed, count_tokens: CountTokens, embed: Embed | None = None) -> list[Piece]:
        """Pieces in reading order, a parent before its children; none for a document without text.

        Args:
            parsed: The document.
            count_tokens: Of the embedder that the pieces are for.
            embed: That embedder; only SEMANTIC asks it.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChunkingSettings:
    """A strategy and its numbers.

    Attributes:
        strategy: A name in `CHUNKERS`.
        values: The chunker's arguments, checked.
    """

    strategy: str
    values: Mapping[str, Any]


CHUNKERS: Registry[Callable[..., Chunker]] = Registry(
    "chunker",
    {
        "NONE": "rocamadre.knowledge.chunkers.none:WholeDocument",
        "FIXED_SIZE": "rocamadre.knowledge.chunkers.fixed_size:FixedSize",
        "HIERARCHICAL": "rocamadre.knowledge.chunkers.hierarchical:Hierarchical",
        "SEMANTIC": "rocamadre.knowledge.chunkers.semantic:Semantic",
        "DEFAULT": "rocamadre.knowledge.chunkers.default:Default",
        "RECURSIVE": "rocamadre.knowledge.chunkers.recursive:Recursive",
        "BY_HEADING": "rocamadre.knowledge.chunkers.by_heading:ByHeading",
        "BY_SENTENCE": "rocamadre.knowledge.chunkers.by_sentence:BySentence",
    },
)


def settings_of(configuration: Mapping[str, Any] | None) -> ChunkingSettings:
    """What a `chunkingConfiguration` asks for; None is Bedrock's default, some 300 tokens of whole sentences.

    Raises:
        InvalidRequest: an unknown strategy, or values missing, unknown or out of range.
    """
    raise NotImplementedError


def chunker_of(settings: ChunkingSettings) -> Chunker:
    """The chunker that the settings name."""
    return CHUNKERS.load(settings.strategy)(**settings.values)
