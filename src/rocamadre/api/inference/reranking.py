"""Ordering texts by relevance, whichever wire asked for it."""

from __future__ import annotations

from collections.abc import Sequence

from rocamadre.api.inference.generation import admit_reading
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.profiles.types import Ranked
from rocamadre.observability.tracing import span

_CHARACTERS_PER_TOKEN = 4


async def rerank(ctx: Context, resolved: Resolved, query: str, texts: Sequence[str]) -> tuple[Ranked, ...]:
    """All texts, most relevant first; those of equal relevance in the order in which they came.

    What was read counts towards the principal's tokens at four characters each, the query once.

    Raises:
        InvalidRequest: the model cannot do this.
        Throttled: the principal's tokens of this minute are spent.
    """
    model = resolved.model
    if not model.reranks:
        raise InvalidRequest(
            f"This action doesn't support the model that you provided: {model.id} writes text; try again with a "
            "reranker or a model that makes embeddings"
        )
    pay = admit_reading(ctx)
    read = 0
    try:
        with span("rerank", operation="rerank", provider="rocamadre", model=model.id):
            engine = await ctx.platform.engines.engine(model.load_spec)
            scores = await engine.rerank(query, texts)
        read = (len(query) + sum(map(len, texts))) // _CHARACTERS_PER_TOKEN
    finally:
        pay(read)
    order = sorted(range(len(texts)), key=lambda index: (-scores[index], index))
    return tuple(Ranked(index, scores[index]) for index in order)
