"""Rerank: sources ordered by what they have to do with a query."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import Engine as SqlEngine

from rocamadre.api.handlers import handles
from rocamadre.api.inference.generation import resolve_model
from rocamadre.api.inference.reranking import rerank
from rocamadre.api.wire.paging import TOKEN_MEMBER, page
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.engines.profiles.rerank import document_text
from rocamadre.engines.profiles.types import Ranked

PAGE = 100
"""Results in one answer."""

_MOST_REMEMBERED = 32
_remembered: WeakKeyDictionary[SqlEngine, OrderedDict[bytes, tuple[Ranked, ...]]] = WeakKeyDictionary()


@handles(
    "bedrock-agent-runtime",
    "Rerank",
    missing=("rerankingConfiguration: of additionalModelRequestFields only api_version is taken, others are refused",),
)
async def rerank_sources(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The sources, most relevant first, each with its document; at most `PAGE` at a time."""
    configuration = request["rerankingConfiguration"]["bedrockRerankingConfiguration"]
    model = configuration["modelConfiguration"]
    _check_fields(model.get("additionalModelRequestFields") or {})
    resolved = resolve_model(ctx, model["modelArn"])
    sources = [source["inlineDocumentSource"] for source in request["sources"]]
    texts = [_text(source, f"sources.{index}.inlineDocumentSource") for index, source in enumerate(sources)]
    ranked = await _ranked(ctx, resolved, request, texts)
    results, token = page(
        ctx,
        ranked[: configuration.get("numberOfResults")],
        request=request,
        operation="Rerank",
        key=lambda each: str(each.index),
        default=PAGE,
    )
    answer: dict[str, Any] = {
        "results": [
            {"index": each.index, "relevanceScore": each.score, "document": sources[each.index]} for each in results
        ]
    }
    return answer if token is None else {**answer, TOKEN_MEMBER: token}


def _check_fields(fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name != "api_version":
            raise NotBuilt(f"additionalModelRequestFields.{name[:80]}: Rocamadre does not have this; leave it out")
        if value not in (1, 2):
            raise InvalidRequest("additionalModelRequestFields.api_version must be 1 or 2")


def _text(source: Mapping[str, Any], at: str) -> str:
    name = "jsonDocument" if source["type"] == "JSON" else "textDocument"
    other = "textDocument" if source["type"] == "JSON" else "jsonDocument"
    if name not in source or other in source:
        raise InvalidRequest(f"{at}: a source of type {source['type']} holds {name} and no {other}")
    text = document_text(source[name]) if name == "jsonDocument" else source[name].get("text", "")
    if not text.strip():
        raise InvalidRequest(f"{at}.{name}: the document is blank; every source needs text")
    return text


async def _ranked(ctx: Context, resolved: Resolved, request: Mapping[str, Any], texts: list[str]) -> tuple[Ranked, ...]:
    """The whole order; remembered for the pages after the first, as places and scores only."""
    query = request["queries"][0]["textQuery"].get("text", "")
    if not query.strip():
        raise InvalidRequest("queries.0.textQuery.text: the query is blank")
    known = _remembered.setdefault(ctx.platform.sql, OrderedDict())
    whole = msgspec.json.encode([ctx.account, resolved.model.id, query, texts])
    key = sha256(whole).digest()
    if request.get(TOKEN_MEMBER) is not None and key in known:
        known.move_to_end(key)
        return known[key]
    ranked = await rerank(ctx, resolved, query, texts)
    if len(texts) > PAGE:
        known[key] = ranked
        while len(known) > _MOST_REMEMBERED:
            known.popitem(last=False)
    return ranked
