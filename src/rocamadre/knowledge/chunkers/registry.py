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
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry
from rocamadre.knowledge.languages.bulk import Words
from rocamadre.knowledge.parsers.parsed import Parsed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CountTokens: TypeAlias = Callable[[str], int]
"""Tokens of a text, as the embedder counts them; a constant for its marks at both ends may be included."""

Embed: TypeAlias = "Callable[[Sequence[str]], npt.NDArray[np.float32]]"
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
        words: Of the text, where they were looked at already.
    """

    start: int
    end: int
    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    parent: int | None = None
    searched: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)
    words: Words | None = field(default=None, compare=False, repr=False)


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


@dataclass(frozen=True, slots=True)
class _Whole:
    """A whole number in a configuration: the chunker's argument, and its range."""

    argument: str
    least: int
    most: int


_TOKENS = _Whole("max_tokens", 1, 8192)
_MEMBERS: dict[str, tuple[str, dict[str, _Whole]]] = {
    "NONE": ("", {}),
    "FIXED_SIZE": (
        "fixedSizeChunkingConfiguration",
        {"maxTokens": _TOKENS, "overlapPercentage": _Whole("overlap_percentage", 0, 99)},
    ),
    "HIERARCHICAL": ("hierarchicalChunkingConfiguration", {"overlapTokens": _Whole("overlap_tokens", 0, 8191)}),
    "SEMANTIC": (
        "semanticChunkingConfiguration",
        {
            "maxTokens": _TOKENS,
            "bufferSize": _Whole("buffer_size", 0, 1),
            "breakpointPercentileThreshold": _Whole("breakpoint_percentile", 50, 99),
        },
    ),
    "RECURSIVE": (
        "recursiveChunkingConfiguration",
        {"maxTokens": _TOKENS, "overlapTokens": _Whole("overlap_tokens", 0, 8191)},
    ),
    "BY_HEADING": (
        "byHeadingChunkingConfiguration",
        {"maxTokens": _TOKENS, "deepestLevel": _Whole("deepest_level", 1, 9)},
    ),
    "BY_SENTENCE": (
        "bySentenceChunkingConfiguration",
        {
            "maxTokens": _TOKENS,
            "sentences": _Whole("sentences", 1, 1000),
            "overlapSentences": _Whole("overlap_sentences", 0, 999),
        },
    ),
}
_SMALLER = (
    ("overlap_tokens", "max_tokens", "overlapTokens", "maxTokens"),
    ("overlap_tokens", "child_tokens", "overlapTokens", "the children's maxTokens"),
    ("child_tokens", "parent_tokens", "the children's maxTokens", "the parents'"),
    ("overlap_sentences", "sentences", "overlapSentences", "sentences"),
)


def settings_of(configuration: Mapping[str, Any] | None) -> ChunkingSettings:
    """What a `chunkingConfiguration` asks for; None is Bedrock's default, some 300 tokens of whole sentences.

    Members that are left out have the chunker's own defaults.

    Raises:
        InvalidRequest: an unknown strategy, or values missing, unknown or out of range.

    >>> settings_of({"chunkingStrategy": "FIXED_SIZE", "fixedSizeChunkingConfiguration": {"maxTokens": 100}})
    ChunkingSettings(strategy='FIXED_SIZE', values={'max_tokens': 100})
    """
    if not configuration:
        return ChunkingSettings("DEFAULT", {})
    strategy = configuration.get("chunkingStrategy")
    if strategy not in _MEMBERS:
        raise InvalidRequest(f"chunkingStrategy is {strategy!r}; there are: {', '.join(_MEMBERS)}")
    member, numbers = _MEMBERS[strategy]
    others = sorted(set(configuration) - {"chunkingStrategy", member})
    if others:
        raise InvalidRequest(f"{others[0]} does not belong to the chunking strategy {strategy}")
    given = dict(configuration.get(member) or {})
    values = _levels(given.pop("levelConfigurations", None)) if strategy == "HIERARCHICAL" else {}
    for name, value in given.items():
        if name not in numbers:
            raise InvalidRequest(f"{member} has no {name!r}; there are: {', '.join(numbers)}")
        values[numbers[name].argument] = _whole(f"{member}.{name}", value, numbers[name])
    settings = ChunkingSettings(strategy, values)
    _check_sizes(settings)
    return settings


def _levels(levels: Any) -> dict[str, Any]:
    if levels is None:
        return {}
    if not isinstance(levels, Sequence) or len(levels) != 2 or not all(isinstance(each, Mapping) for each in levels):
        raise InvalidRequest("levelConfigurations has two entries: the parents' maxTokens, then the children's")
    parent, child = (_whole("levelConfigurations.maxTokens", each.get("maxTokens"), _TOKENS) for each in levels)
    return {"parent_tokens": parent, "child_tokens": child}


def _whole(name: str, value: Any, bounds: _Whole) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not bounds.least <= value <= bounds.most:
        raise InvalidRequest(f"{name} is {value!r}; it is a whole number from {bounds.least} to {bounds.most}")
    return value


def _check_sizes(settings: ChunkingSettings) -> None:
    """Refuse what would never get on: an overlap as large as a piece."""
    chunker = chunker_of(settings)
    for argument, bound, name, bound_name in _SMALLER:
        small, large = getattr(chunker, argument, None), getattr(chunker, bound, None)
        if small is not None and large is not None and small >= large:
            raise InvalidRequest(f"{settings.strategy}: {name} is {small}; it must be less than {bound_name}, {large}")


def chunker_of(settings: ChunkingSettings) -> Chunker:
    """The chunker that the settings name."""
    return CHUNKERS.load(settings.strategy)(**settings.values)
