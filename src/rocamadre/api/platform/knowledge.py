"""/_rocamadre/knowledge-bases: what a page needs beyond Bedrock's operations. Where the chunks are, and how found."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.knowledge.graph.view import read_graph
from rocamadre.knowledge.open_stores import open_stores
from rocamadre.knowledge.operations import get_knowledge_base, list_knowledge_bases
from rocamadre.knowledge.results import traces_of
from rocamadre.knowledge.storage import EMBEDDED, describe
from rocamadre.knowledge.stores import store_dir
from rocamadre.knowledge.tables import count_documents, select_documents, select_jobs, select_sources
from rocamadre.knowledge.types import DataSource, Document, IngestionJob, KnowledgeBase
from rocamadre.store.vectors.protocol import Chunk, VectorStore

_MOST = 1000
_DEFAULT = 100


@route("GET", "/_rocamadre/knowledge-bases")
async def knowledge_bases(context: Context, request: HttpRequest) -> Reply:
    """The account's knowledge bases, those changed last first, each with its documents counted."""
    return json_reply({"knowledge_bases": await asyncio.to_thread(_listed, context)})


@route("GET", "/_rocamadre/knowledge-bases/{}")
async def knowledge_base(context: Context, request: HttpRequest) -> Reply:
    """One knowledge base by id, ARN or name: where its chunks are, how many, its data sources and their last jobs."""
    return json_reply(await asyncio.to_thread(_shown, context, request.path_values[0]))


@route("GET", "/_rocamadre/knowledge-bases/{}/documents")
async def documents(context: Context, request: HttpRequest) -> Reply:
    """Documents by id, with what became of them.

    In the query: `data_source`, `status`, `find` (in the id), `limit`, and `after`, what `next` gave.
    """
    return json_reply(await asyncio.to_thread(_documents, context, request.path_values[0], request.parameters()))


@route("GET", "/_rocamadre/knowledge-bases/{}/document")
async def document(context: Context, request: HttpRequest) -> Reply:
    """The text of one document, and the span of each of its chunks in it. In the query: `id`, `data_source`."""
    return json_reply(await asyncio.to_thread(_document, context, request.path_values[0], request.parameters()))


@route("GET", "/_rocamadre/knowledge-bases/{}/chunks/{}")
async def chunk(context: Context, request: HttpRequest) -> Reply:
    """One chunk by id."""
    return json_reply(await asyncio.to_thread(_chunk, context, *request.path_values))


@route("GET", "/_rocamadre/knowledge-bases/{}/graph")
async def graph(context: Context, request: HttpRequest) -> Reply:
    """Names in the chunks and what is said between them. In the query: `around` (a name), `limit`."""
    return json_reply(await asyncio.to_thread(_graph, context, request.path_values[0], request.parameters()))


@route("GET", "/_rocamadre/retrievals/{}")
async def retrieval(context: Context, request: HttpRequest) -> Reply:
    """The whole trace of a retrieval that was to be explained, by the id of its request; the last hundred are kept."""
    found = traces_of(context).find(context.account, request.path_values[0])
    if found is None:
        raise NotFound(
            f"no retrieval {request.path_values[0][:80]!r} was explained lately; send the header x-rocamadre-explain: "
            "true with Retrieve"
        )
    return json_reply(found)


def _listed(ctx: Context) -> list[dict[str, Any]]:
    found = []
    for base in list_knowledge_bases(ctx):
        with ctx.platform.sql.connect() as connection:
            counts = count_documents(connection, base.id)
            sources = select_sources(connection, base.id)
        found.append({**_facts(base), "documents": _by_status(counts), "data_sources": len(sources)})
    return found


def _shown(ctx: Context, name: str) -> dict[str, Any]:
    base = find_base(ctx, name)
    with ctx.platform.sql.connect() as connection:
        sources, jobs = select_sources(connection, base.id), select_jobs(connection, base.id)
        counts = count_documents(connection, base.id)
    shown: dict[str, Any] = _facts(base) | {
        "documents": _by_status(counts),
        "data_sources": [_source(source, counts, jobs) for source in sources],
    }
    if base.type == "VECTOR" and base.status == "ACTIVE":
        with _opened(ctx, base) as store:
            shown |= {"chunks": store.count(), "languages": store.languages()}
        shown["size_bytes"] = _size(ctx, base)
    return shown


def find_base(ctx: Context, name: str) -> KnowledgeBase:
    """A knowledge base by id, ARN or name.

    Raises:
        NotFound: there is none.
    """
    named = [base for base in list_knowledge_bases(ctx) if base.name == name]
    return named[0] if named else get_knowledge_base(ctx, name)


def _facts(base: KnowledgeBase) -> dict[str, Any]:
    vector = base.configuration.get("vectorKnowledgeBaseConfiguration", {})
    asked = vector.get("embeddingModelConfiguration", {}).get("bedrockEmbeddingModelConfiguration", {})
    return {
        "id": base.id,
        "arn": base.arn,
        "name": base.name,
        "description": base.description,
        "type": base.type,
        "status": base.status,
        "asked_store": base.storage.get("type"),
        "store": base.store,
        "mapping": describe(base.storage, base.store) if base.type == "VECTOR" else "",
        "asked_embedder": vector.get("embeddingModelArn"),
        "embedder": base.embedder,
        "embedder_hash": base.embedder_hash,
        "asked_dimensions": asked.get("dimensions"),
        "dimensions": base.dimensions,
        "created_at": base.created_at,
        "updated_at": base.updated_at,
        "facts": dict(base.facts),
    }


def _source(source: DataSource, counts: Mapping[tuple[str, str], int], jobs: list[IngestionJob]) -> dict[str, Any]:
    last = next((job for job in jobs if job.data_source == source.id), None)
    return {
        "id": source.id,
        "name": source.name,
        "type": source.type,
        "status": source.status,
        "configuration": dict(source.configuration),
        "ingestion": dict(source.ingestion),
        "chunking": dict(source.chunking),
        "loader": dict(source.loader),
        "deletion_policy": source.deletion_policy,
        "documents": {status: count for (owner, status), count in counts.items() if owner == source.id},
        "last_job": None if last is None else _job(last),
    }


def _job(job: IngestionJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": job.status,
        "statistics": job.statistics.wire(),
        "failures": list(job.failures[:10]),
        "started_at": job.started_at,
        "updated_at": job.updated_at,
    }


def _graph(ctx: Context, name: str, query: Mapping[str, str]) -> dict[str, Any]:
    with _opened(ctx, find_base(ctx, name)) as store:
        return read_graph(store, around=query.get("around", ""), limit=_limit(query)).to_json()


def _limit(query: Mapping[str, str]) -> int:
    limit = query.get("limit", str(_DEFAULT))
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= _MOST:
        raise InvalidRequest(f"limit is {limit[:80]!r}; it is a number from 1 to {_MOST}")
    return int(limit)


def _documents(ctx: Context, name: str, query: Mapping[str, str]) -> dict[str, Any]:
    base, limit = find_base(ctx, name), _limit(query)
    with ctx.platform.sql.connect() as connection:
        found = select_documents(connection, base.id, query.get("data_source", ""))
    status, words = query.get("status", "").upper(), query.get("find", "").lower()
    found = [each for each in found if status in ("", each.status) and words in each.id.lower()]
    if after := query.get("after"):
        place = next((index for index, each in enumerate(found) if _key(each) == after), None)
        if place is None:
            raise InvalidRequest(f"after is {after[:200]!r}, and no document of this list has that place")
        found = found[place + 1 :]
    page = found[:limit]
    shown = [
        {
            "id": each.id,
            "data_source": each.data_source,
            "status": each.status,
            "reason": each.reason,
            "updated_at": each.updated_at,
            "facts": dict(each.facts),
        }
        for each in page
    ]
    return {"documents": shown} | ({"next": _key(page[-1])} if len(found) > len(page) else {})


def _document(ctx: Context, name: str, query: Mapping[str, str]) -> dict[str, Any]:
    base, wanted, source = find_base(ctx, name), query.get("id", ""), query.get("data_source", "")
    if not wanted:
        raise InvalidRequest("give the document's id in the query: ?id=s3://bucket/key")
    with _opened(ctx, base) as store:
        text = store.text(wanted, data_source=source)
        chunks = store.of_document(wanted, data_source=source)
    return {"id": wanted, "text": text, "chunks": [_span(each) for each in chunks]}


def _chunk(ctx: Context, name: str, chunk_id: str) -> dict[str, Any]:
    with _opened(ctx, find_base(ctx, name)) as store:
        found = store.chunks([chunk_id])
    if not found:
        raise NotFound(f"no chunk {chunk_id[:80]!r} in this knowledge base; it changes when its document does")
    return _span(found[0]) | {"metadata": dict(found[0].metadata), "document": found[0].document}


def _span(chunk: Chunk) -> dict[str, Any]:
    return {
        "id": chunk.id,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "page": chunk.page,
        "headings": list(chunk.headings),
        "parent": chunk.parent,
        "language": chunk.language,
        "searched": chunk.embedding is not None,
    }


@contextmanager
def _opened(ctx: Context, base: KnowledgeBase) -> Iterator[VectorStore]:
    if base.type != "VECTOR" or base.status != "ACTIVE":
        raise InvalidRequest(f"knowledge base {base.id} is {base.status} and of type {base.type}; it has no chunks")
    with open_stores(ctx).using(ctx, base) as store:
        yield store


def _size(ctx: Context, base: KnowledgeBase) -> int | None:
    if base.store != EMBEDDED:
        return None
    return sum(path.stat().st_size for path in store_dir(ctx.platform).glob(f"{base.id}.sqlite*"))


def _by_status(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    together: Counter[str] = Counter()
    for (_, status), count in counts.items():
        together[status] += count
    return dict(sorted(together.items()))


def _key(document: Document) -> str:
    return f"{document.data_source}/{document.id}"
