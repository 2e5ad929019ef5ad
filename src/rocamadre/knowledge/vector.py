"""Knowledge bases of type VECTOR."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.catalog.operations import resolve
from rocamadre.core.context import Context, Platform
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.engines.embed.dimensions import available_dimensions
from rocamadre.knowledge.embedding import embedder_hash, second_embedder
from rocamadre.knowledge.kinds import Made
from rocamadre.knowledge.open_stores import open_stores_of
from rocamadre.knowledge.results import source_types, wire_result
from rocamadre.knowledge.retrieval import Models, read_retrieval, retrieve
from rocamadre.knowledge.storage import check_storage
from rocamadre.knowledge.stores import destroy_store, store_name
from rocamadre.knowledge.types import KnowledgeBase

_MEMBER = "vectorKnowledgeBaseConfiguration"
_LATER = ("audio", "video", "modelConfiguration")


class VectorKind:
    """See `kinds.Kind`."""

    def create(self, ctx: Context, configuration: Mapping[str, Any], storage: Mapping[str, Any]) -> Made:
        """See `Kind.create`."""
        given = _given(configuration)
        check_storage(storage)
        model = resolve(ctx, given["embeddingModelArn"]).model
        if not model.embeds:
            raise InvalidRequest(
                f"embeddingModelArn: {model.id} writes text; a knowledge base needs a model that makes embeddings "
                "(ListFoundationModels with byOutputModality EMBEDDING shows them)"
            )
        asked = _asked_dimensions(given)
        if asked and asked not in available_dimensions(model.dimensions):
            allowed = ", ".join(map(str, available_dimensions(model.dimensions)))
            raise InvalidRequest(
                f"embeddingModelConfiguration.dimensions is {asked}; {model.id} makes vectors of {model.dimensions} "
                f"numbers, and they can be had with: {allowed}"
            )
        # A longer vector is the same one through a map that keeps every cosine: there is no use in storing it.
        dimensions = asked if 0 < asked < model.dimensions else model.dimensions
        return Made(
            store_name(ctx.platform),
            model.id,
            embedder_hash(model),
            dimensions,
            second_embedder(ctx.platform, model),
        )

    def update(
        self, ctx: Context, base: KnowledgeBase, configuration: Mapping[str, Any], storage: Mapping[str, Any]
    ) -> Made:
        """See `Kind.update`."""
        for name, now, before in (
            ("knowledgeBaseConfiguration", configuration, base.configuration),
            ("storageConfiguration", storage or base.storage, base.storage),
        ):
            if dict(now) != dict(before):
                raise InvalidRequest(
                    f"{name} of a knowledge base cannot be changed: its vectors were made with it; give it as it is, "
                    "or make a new knowledge base"
                )
        return Made(base.store, base.embedder, base.embedder_hash, base.dimensions, base.facts)

    def destroy(self, platform: Platform, base: KnowledgeBase) -> None:
        """See `Kind.destroy`."""
        open_stores_of(platform).drop(base.id)
        destroy_store(platform, base)

    async def retrieve(
        self, ctx: Context, base: KnowledgeBase, text: str, configuration: Mapping[str, Any], models: Models
    ) -> Sequence[dict[str, Any]]:
        """See `Kind.retrieve`."""
        found = await retrieve(ctx, base, text, read_retrieval(configuration), models)
        types = await asyncio.to_thread(source_types, ctx, base)
        return [wire_result(result, types) for result in found.results]


KIND = VectorKind()


def _given(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    others = sorted(name for name in configuration if name not in ("type", _MEMBER))
    if _MEMBER not in configuration or others:
        raise InvalidRequest(
            f"knowledgeBaseConfiguration of type VECTOR holds {_MEMBER} and nothing else; it holds "
            f"{', '.join(sorted(name for name in configuration if name != 'type')) or 'nothing'}"
        )
    given: Mapping[str, Any] = configuration[_MEMBER]
    bedrock = given.get("embeddingModelConfiguration", {}).get("bedrockEmbeddingModelConfiguration", {})
    for name in _LATER:
        if bedrock.get(name):
            raise NotBuilt(
                f"bedrockEmbeddingModelConfiguration.{name}: Rocamadre's knowledge bases hold text; leave it out"
            )
    if bedrock.get("embeddingDataType", "FLOAT32") != "FLOAT32":
        raise NotBuilt("bedrockEmbeddingModelConfiguration.embeddingDataType: vectors are kept as FLOAT32, not as bits")
    return given


def _asked_dimensions(given: Mapping[str, Any]) -> int:
    """0 for none."""
    bedrock = given.get("embeddingModelConfiguration", {}).get("bedrockEmbeddingModelConfiguration", {})
    found: int = bedrock.get("dimensions", 0)
    return found
