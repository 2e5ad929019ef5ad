"""The models that knowledge bases ask, resolved and counted as those of every other request."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rocamadre.api.inference.generation import admit_reading, begin, resolve_model
from rocamadre.api.inference.reranking import rerank
from rocamadre.catalog.operations import find_model
from rocamadre.core.context import Context
from rocamadre.core.messages import GenerationRequest, Message, Sampling, Text
from rocamadre.knowledge.embedding import embed_here
from rocamadre.knowledge.types import KnowledgeBase
from rocamadre.observability.tracing import span

_MOST_TOKENS = 512


class AskedModels:
    """See `knowledge.retrieval.Models`.

    Args:
        ctx: Who asks, and pays.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def embed(self, base: KnowledgeBase, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Models.embed`."""
        ctx = self._ctx
        model = find_model(ctx.platform, base.embedder)
        pay = admit_reading(ctx)
        try:
            with span("embeddings", operation="embeddings", provider="rocamadre", model=model.id):
                return await embed_here(ctx, base, model, texts)
        finally:
            pay(0)

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> Sequence[float]:
        """See `Models.rerank`."""
        ranked = await rerank(self._ctx, resolve_model(self._ctx, model), query, texts)
        scores = {each.index: each.score for each in ranked}
        return [scores[index] for index in range(len(texts))]

    async def generate(self, model: str, prompt: str) -> str:
        """See `Models.generate`."""
        resolved = resolve_model(self._ctx, model or self._ctx.platform.settings.catalog.default_model)
        request = GenerationRequest(
            messages=(Message("user", (Text(prompt),)),), sampling=Sampling(max_tokens=_MOST_TOKENS, temperature=0.0)
        )
        generation = await begin(self._ctx, resolved, request)
        answer, _ = await generation.collect()
        return answer.text
