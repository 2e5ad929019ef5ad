"""What a Profile is: the body format of one family of models. Data and pure functions, no input or output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rocamadre.core.messages import Event, GenerationRequest
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import Check

Json: TypeAlias = dict[str, Any]
EmbeddingType: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary", "bits"]
Chunk: TypeAlias = Json | str
ChunkWriter: TypeAlias = Callable[[Event], Sequence[Chunk]]
"""Takes each event of a generation in turn; returns the chunks that it becomes, often one, sometimes none."""


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What an answer says besides what the model wrote.

    Attributes:
        id: Unique to this answer; 32 hexadecimal digits.
        base_id: The foundation model id that was asked for.
        model_id: The model that runs.
        created: Seconds since 1970.
        input_tokens: Tokens of the prompt, where a stream says them before the first token; else 0.
        body: The request's, checked, for families that repeat parts of it.
    """

    id: str
    base_id: str
    model_id: str
    created: int
    input_tokens: int = 0
    body: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextProfile:
    """A family that writes text.

    Attributes:
        name: What people call it.
        patterns: Of foundation model ids, with `*`.
        read: From the parsed body; raises `InvalidRequest` in AWS's words, `NotBuilt` for what comes later.
        write: The answer's body.
        chunks: Makes the writer of one stream's chunks.
        counts_first: Its streams say how long the prompt is before the first token.
        marker: A key that a body must hold to be read by this profile; the next one that fits takes the others.
        body: Checks its bodies.
        tools: Whether tools have a place in its bodies.
        structured: The key that asks for an answer that follows a JSON Schema; empty where it has none.
        streams: Whether AWS streams this family's answers.
    """

    name: str
    patterns: tuple[str, ...]
    read: Callable[[Any], GenerationRequest]
    write: Callable[[Answer, AnswerFacts], Json]
    chunks: Callable[[AnswerFacts], ChunkWriter]
    counts_first: bool = False
    marker: str = ""
    body: Check | None = None
    tools: bool = False
    structured: str = ""
    streams: bool = True


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to embed.

    Attributes:
        dimensions: Length of the vectors; None for the model's own.
        types: Forms of the vectors; `bits` is a 0 or 1 per dimension, `binary` and `ubinary` are packed into bytes.
        too_long: What happens to texts longer than the model reads: cut the end or the start off, or refuse.
        by_type: The answer groups the vectors by type.
        measures_cut: The answer says how many characters were read of each text that was cut.
    """

    texts: tuple[str, ...]
    dimensions: int | None = None
    types: tuple[EmbeddingType, ...] = ("float",)
    too_long: Literal["cut_end", "cut_start", "refuse"] = "cut_end"
    by_type: bool = False
    measures_cut: bool = False


@dataclass(frozen=True, slots=True)
class EmbeddingAnswer:
    """Vectors by type, one per text in each.

    Attributes:
        token_counts: Tokens read per text.
        id: Unique to this answer.
        read_characters: How much was read of each text that was cut, None for those read whole; empty where the
            request does not ask.
    """

    vectors: Mapping[EmbeddingType, Sequence[Sequence[float]]]
    token_counts: tuple[int, ...]
    id: str
    read_characters: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddingProfile:
    """A family that embeds.

    Attributes:
        name: What people call it.
        patterns: Of foundation model ids, with `*`.
        read: From the parsed body; raises like `TextProfile.read`.
        write: The answer's body.
        default_dimensions: Length of the vectors that this family returns when asked for none; None: the model's own.
        body: Checks its bodies.
        dimensions: Lengths that can be asked for; empty where there is no choice.
    """

    name: str
    patterns: tuple[str, ...]
    read: Callable[[Any], EmbeddingRequest]
    write: Callable[[EmbeddingRequest, EmbeddingAnswer], Json]
    default_dimensions: int | None = None
    body: Check | None = None
    dimensions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """Texts to order by what they have to do with a query.

    Attributes:
        top_n: How many to return, best first; None for all.
    """

    query: str
    texts: tuple[str, ...]
    top_n: int | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """One text's place.

    Attributes:
        index: Of the text in the request.
        score: Its relevance, in [0, 1].
    """

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class RerankProfile:
    """A family that orders texts by relevance.

    Attributes:
        name: What people call it.
        patterns: Of foundation model ids, with `*`.
        read: From the parsed body; raises like `TextProfile.read`.
        write: The answer's body, of the texts to return, best first.
        body: Checks its bodies.
        marker: See `TextProfile`.
    """

    name: str
    patterns: tuple[str, ...]
    read: Callable[[Any], RerankRequest]
    write: Callable[[Sequence[Ranked]], Json]
    body: Check | None = None
    marker: str = ""


Profile: TypeAlias = TextProfile | EmbeddingProfile | RerankProfile
