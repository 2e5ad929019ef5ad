"""Embedding texts, whichever wire asked for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.api.inference.generation import admit_reading, count_tokens
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.embed.dimensions import resize
from rocamadre.engines.embed.embedding_types import convert, titan_binary
from rocamadre.engines.profiles.types import EmbeddingAnswer, EmbeddingRequest, EmbeddingType
from rocamadre.engines.protocol import Embeddings, Engine
from rocamadre.observability.tracing import span

MAP_HEADER = "x-rocamadre-dimension-map"
"""Names the map that gave the vectors another length than the model's own."""
CUT_HEADER = "x-rocamadre-truncated"
"""How many of the texts were longer than the model reads."""


async def embed(ctx: Context, resolved: Resolved, wanted: EmbeddingRequest, *, answer_id: str) -> EmbeddingAnswer:
    """Vectors of texts, in the length and forms asked for.

    What happened to them on the way is said in the response headers `MAP_HEADER` and `CUT_HEADER`.

    Raises:
        InvalidRequest: the model writes text, the length cannot be had, or a text is too long and may not be cut.
        Throttled: the principal's tokens of this minute are spent.
    """
    model = resolved.model
    if not model.embeds:
        raise InvalidRequest(
            f"This action doesn't support the model that you provided: {model.id} writes text; try again with a model "
            "that makes embeddings"
        )
    for index, text in enumerate(wanted.texts):
        if not text:
            raise InvalidRequest(f"text {index} is empty; every text needs at least one character")
    pay = admit_reading(ctx)
    read = 0
    try:
        with span("embeddings", operation="embeddings", provider="rocamadre", model=model.id) as timed:
            engine = await ctx.platform.engines.engine(model.load_spec)
            embeddings = await engine.embed(wanted.texts)
            read_characters: tuple[int | None, ...] = ()
            if any(embeddings.truncated):
                embeddings, read_characters = await _cut(ctx, engine, wanted, embeddings)
            timed.set(input_tokens=sum(embeddings.token_counts))
        vectors = _forms(ctx, embeddings, wanted)
        read = sum(embeddings.token_counts)
        count_tokens(ctx, model.id, read, 0)
    finally:
        pay(read)
    return EmbeddingAnswer(vectors, embeddings.token_counts, answer_id, read_characters)


async def _cut(
    ctx: Context, engine: Engine, wanted: EmbeddingRequest, embeddings: Embeddings
) -> tuple[Embeddings, tuple[int | None, ...]]:
    """What the request wants done with texts that are too long, and how many characters were read of each of them."""
    long = [index for index, cut in enumerate(embeddings.truncated) if cut]
    if wanted.too_long == "refuse":
        places = ", ".join(map(str, long[:10]))
        most = max(embeddings.token_counts[index] for index in long)
        raise InvalidRequest(
            f"texts at {places} are longer than the model reads, which is {most} tokens; shorten them, or let them be "
            "cut (truncate)"
        )
    ctx.reply_headers[CUT_HEADER] = str(len(long))
    read: list[int | None] = [None] * len(wanted.texts)
    if wanted.too_long == "cut_end" and not wanted.measures_cut:
        return embeddings, ()
    vectors, counts = list(embeddings.vectors), list(embeddings.token_counts)
    for index in long:
        text = wanted.texts[index]
        part, read[index] = await _readable(engine, text, start=wanted.too_long == "cut_end")
        if wanted.too_long == "cut_start":
            vectors[index], counts[index] = part.vectors[0], part.token_counts[0]
    found = Embeddings(tuple(vectors), tuple(counts), embeddings.truncated)
    return found, tuple(read) if wanted.measures_cut else ()


async def _readable(engine: Engine, text: str, *, start: bool) -> tuple[Embeddings, int]:
    """The longest start or end of a text that the model reads whole, found by halving; at most some twenty tries."""

    async def tried(size: int) -> Embeddings:
        return await engine.embed([text[:size] if start else text[len(text) - size :]])

    fits, exceeds = 1, len(text)
    best = await tried(fits)
    while exceeds - fits > 1:
        middle = (fits + exceeds) // 2
        part = await tried(middle)
        if part.truncated[0]:
            exceeds = middle
        else:
            fits, best = middle, part
    return best, fits


def _forms(
    ctx: Context, embeddings: Embeddings, wanted: EmbeddingRequest
) -> Mapping[EmbeddingType, Sequence[Sequence[float]]]:
    given: Any = embeddings.vectors
    if wanted.dimensions is not None and wanted.dimensions != len(embeddings.vectors[0]):
        given, ctx.reply_headers[MAP_HEADER] = resize(given, wanted.dimensions)
    forms: dict[EmbeddingType, Sequence[Sequence[float]]] = {}
    for form in wanted.types:
        if form == "float":
            forms[form] = given if given is embeddings.vectors else given.tolist()
        else:
            forms[form] = (titan_binary(given) if form == "bits" else convert(given, form)).tolist()
    return forms
