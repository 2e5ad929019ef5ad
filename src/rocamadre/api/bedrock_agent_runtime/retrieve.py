"""Retrieve: chunks of a knowledge base that have to do with a question."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from rocamadre.api.handlers import handles
from rocamadre.api.inference.guarding import embedder
from rocamadre.api.inference.knowledge import AskedModels
from rocamadre.api.wire.paging import TOKEN_MEMBER, page
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.guardrails.engine import Content, open_guardrail
from rocamadre.guardrails.policies.protocol import Source
from rocamadre.knowledge.kinds import kind_of
from rocamadre.knowledge.operations import get_knowledge_base
from rocamadre.knowledge.results import source_types, trace_json, traces_of, ways_of, wire_result
from rocamadre.knowledge.retrieval import Retrieval, read_retrieval, retrieve
from rocamadre.knowledge.search.registry import STAGES
from rocamadre.knowledge.search.types import Results, SearchSettings
from rocamadre.knowledge.types import KnowledgeBase

EXPLAIN_HEADER = "x-rocamadre-explain"
"""In a request: `true` to have the search explained. In the answer: where the whole trace is."""
SEARCH_HEADER = "x-rocamadre-search"
"""JSON: how to search, beyond what the API's model has members for; see `read_search`."""
TRACE_PATH = "/_rocamadre/retrievals/"

_MOST_TEXT = 4 * 1024 * 1024
"""Characters of text in one answer, about."""
_MOST_RESULTS = 100


class SearchWish(msgspec.Struct, forbid_unknown_fields=True, rename={"with_": "with"}):
    """What `SEARCH_HEADER` holds; see `SearchSettings`.

    Attributes:
        with_: Stages besides the usual ones.
        without: Stages left out.
        model: Whom the stages ask that need a model that writes; empty for the default one.
    """

    with_: list[str] = []
    without: list[str] = []
    fusion: str = ""
    vector_weight: float | None = None
    candidates: int = 0
    diversity: float | None = None
    variants: int = 0
    least_score: float | None = None
    model: str = ""


@handles(
    "bedrock-agent-runtime",
    "Retrieve",
    missing=(
        "guardrailConfiguration: the question is examined, what is found is not, as with RetrieveAndGenerate",
        "retrievalQuery: type IMAGE is refused",
        "userContext: refused, documents have no access control",
        "retrievalConfiguration: managedSearchConfiguration is refused; implicitFilterConfiguration makes its filter "
        "from values and names that the question spells out, its model is not asked",
    ),
)
async def retrieve_chunks(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """What was found, best first."""
    check_request(request)
    base = await asyncio.to_thread(get_knowledge_base, ctx, request["knowledgeBaseId"])
    text, guarded = await _examined(ctx, request)
    if text is None:
        return {"retrievalResults": [], **guarded}
    configuration = request.get("retrievalConfiguration") or {}
    if base.type == "VECTOR":
        results = await retrieve_explained(ctx, base, text, read_retrieval(configuration))
    else:
        results = list(await kind_of(base.type).retrieve(ctx, base, text, configuration, AskedModels(ctx)))
    return _page(ctx, request, results) | guarded


async def _examined(ctx: Context, request: Mapping[str, Any]) -> tuple[str | None, dict[str, str]]:
    """The question as it may be asked, None where a guardrail blocks it; and what the answer says of guardrails."""
    text: str = request["retrievalQuery"].get("text", "")
    config = request.get("guardrailConfiguration")
    if not config:
        return text, {}
    guardrail = await open_guardrail(ctx, config["guardrailId"], config["guardrailVersion"])
    outcome = await asyncio.to_thread(guardrail.examine, [Content(text)], Source.INPUT, embed=embedder(ctx))
    said = {"guardrailAction": "INTERVENED" if outcome.intervened else "NONE"}
    if outcome.blocked:
        return None, said
    return (outcome.outputs[0] if outcome.outputs else text), said


async def retrieve_explained(
    ctx: Context, base: KnowledgeBase, text: str, retrieval: Retrieval
) -> list[dict[str, Any]]:
    """Results in the wire's form; with the way of each, and the whole trace kept, where the request asks for it."""
    found = await retrieve(ctx, base, text, with_wishes(ctx, retrieval), AskedModels(ctx))
    types = await asyncio.to_thread(source_types, ctx, base)
    ways = explain(ctx, base, text, found)
    return [wire_result(result, types, ways=ways) for result in found.results]


def explain(ctx: Context, base: KnowledgeBase, text: str, found: Results) -> Mapping[str, list[Any]] | None:
    """Keep the trace where the request asks for it, and say in a header where it is; the way of each chunk, or None."""
    if ctx.wishes.get(EXPLAIN_HEADER, "").lower() in ("", "false", "0"):
        return None
    traces_of(ctx).keep(ctx.account, ctx.request_id, trace_json(found, base, text))
    ctx.reply_headers[EXPLAIN_HEADER] = f"{TRACE_PATH}{ctx.request_id}"
    return ways_of(found)


def with_wishes(ctx: Context, retrieval: Retrieval) -> Retrieval:
    """The retrieval with what the request's `SEARCH_HEADER` changes.

    Raises:
        InvalidRequest: it cannot be read.
    """
    text = ctx.wishes.get(SEARCH_HEADER, "")
    if not text:
        return retrieval
    try:
        wish = msgspec.json.decode(text, type=SearchWish)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the header {SEARCH_HEADER}: {error}") from error
    return replace(retrieval, settings=_changed(retrieval.settings, wish), generator=wish.model)


def check_request(request: Mapping[str, Any]) -> None:
    """Refuse what Rocamadre lacks.

    Raises:
        NotBuilt: it is asked for.
    """
    if request.get("userContext"):
        raise NotBuilt("userContext: documents have no access control here; leave it out, or filter by an attribute")
    query = request["retrievalQuery"]
    if query.get("type", "TEXT") != "TEXT" or query.get("image"):
        raise NotBuilt("retrievalQuery: questions are texts here; an image cannot be asked with")


def _changed(settings: SearchSettings, wish: SearchWish) -> SearchSettings:
    for name in (*wish.with_, *wish.without):
        if name not in STAGES.names():
            raise InvalidRequest(
                f"the header {SEARCH_HEADER}: no stage is called {name[:80]!r}; there are: {', '.join(STAGES.names())}"
            )
    settings = settings.with_stages(*wish.with_).without_stages(*wish.without)
    given: dict[str, Any] = {
        "fusion": wish.fusion or None,
        "vector_weight": wish.vector_weight,
        "candidates": wish.candidates or None,
        "diversity": wish.diversity,
        "variants": wish.variants or None,
        "least_score": wish.least_score,
    }
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _page(ctx: Context, request: Mapping[str, Any], results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """As many as go into one answer."""
    longest = max((len(result["content"].get("text", "")) for result in results), default=0)
    shown, token = page(
        ctx,
        list(enumerate(results)),
        request={name: value for name, value in request.items() if name != "retrievalConfiguration"}
        | {"limits": repr(request.get("retrievalConfiguration"))},
        operation="Retrieve",
        key=lambda each: str(each[0]),
        default=max(1, min(_MOST_RESULTS, _MOST_TEXT // max(1, longest))),
    )
    answer: dict[str, Any] = {"retrievalResults": [result for _, result in shown]}
    return answer if token is None else {**answer, TOKEN_MEMBER: token}
