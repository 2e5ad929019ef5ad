"""What was found, in the forms that clients read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine as SqlEngine

from rocamadre.core.context import Context
from rocamadre.knowledge.embedding import EMBEDDED
from rocamadre.knowledge.graph.relations import ENTITIES, RELATIONS
from rocamadre.knowledge.search.types import Result, Results
from rocamadre.knowledge.tables import select_sources
from rocamadre.knowledge.types import KnowledgeBase

PREFIX = "x-amz-bedrock-kb-"
SOURCE_URI = f"{PREFIX}source-uri"
DATA_SOURCE = f"{PREFIX}data-source-id"
CHUNK_ID = f"{PREFIX}chunk-id"
PAGE_NUMBER = f"{PREFIX}document-page-number"
START, END = "x-rocamadre-start", "x-rocamadre-end"
"""Where a chunk begins and ends in its document's text, in characters; ours."""
WAY = "x-rocamadre-explain"
"""A chunk's way through the stages, where it was asked for; ours."""
PARTS = "x-rocamadre-scores"
"""Its scores by words, by vectors and the like, where they were asked for; ours."""

_MOST_TRACES = 100


def source_types(ctx: Context, base: KnowledgeBase) -> dict[str, str]:
    """Data sources by id, with their types."""
    with ctx.platform.sql.connect() as connection:
        return {source.id: source.type for source in select_sources(connection, base.id)}


def wire_result(
    result: Result, types: Mapping[str, str], *, ways: Mapping[str, list[Any]] | None = None
) -> dict[str, Any]:
    """A result as `KnowledgeBaseRetrievalResult`: content, location, metadata, score; also right for citations.

    Args:
        result: What was found.
        types: See `source_types`; of a data source that is gone the URI tells.
        ways: The stages that each chunk went through, by id; None leaves them out.
    """
    chunk = result.chunk
    metadata = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in chunk.metadata.items()
        if name not in (ENTITIES, RELATIONS, EMBEDDED)
    }
    metadata.setdefault(SOURCE_URI, chunk.document)
    metadata |= {CHUNK_ID: chunk.id, START: chunk.start, END: chunk.end}
    if chunk.page is not None:
        metadata[PAGE_NUMBER] = float(chunk.page)
    if ways is not None:
        metadata[WAY] = ways.get(result.matched.id, []) + (
            ways.get(chunk.id, []) if chunk.id != result.matched.id else []
        )
        metadata[PARTS] = {name: round(score, 6) for name, score in result.parts.items()}
    return {
        "content": {"type": "TEXT", "text": chunk.text},
        "location": _location(chunk.document, types.get(str(metadata.get(DATA_SOURCE, "")), "")),
        "metadata": metadata,
        "score": min(1.0, max(0.0, result.score)),
    }


def ways_of(found: Results) -> dict[str, list[dict[str, Any]]]:
    """What each stage did with each chunk: it found it, moved it, dropped it, or gave it a rank."""
    ways: dict[str, list[dict[str, Any]]] = {}
    for stage in found.trace:
        ranks = {each.id: (place, each.score) for place, each in enumerate(stage.ranking, 1)}
        events: dict[str, dict[str, Any]] = {}
        for each in stage.found:
            events[each.id] = {"did": "found", "score": round(each.score, 6)}
        for move in stage.moved:
            events[move.id] = {"did": "moved", "from": move.before, "to": move.after, "score": round(move.score, 6)}
        for drop in stage.dropped:
            events[drop.id] = {"did": "dropped", "score": round(drop.score, 6), "reason": drop.reason}
        for name, (place, score) in ranks.items():
            events.setdefault(name, {"did": "kept", "score": round(score, 6)})["rank"] = place
        for name, event in events.items():
            ways.setdefault(name, []).append({"stage": stage.name, **event})
    return ways


def trace_json(found: Results, base: KnowledgeBase, text: str) -> dict[str, Any]:
    """The whole trace of a search."""
    return {
        "knowledgeBaseId": base.id,
        "query": text,
        "language": found.language,
        "stages": [stage.to_json() for stage in found.trace],
        "results": [
            {
                "chunk": result.chunk.id,
                "matched": result.matched.id,
                "document": result.chunk.document,
                "score": round(result.score, 6),
                "parts": {name: round(score, 6) for name, score in result.parts.items()},
                "text": result.chunk.text,
            }
            for result in found.results
        ],
    }


class Traces:
    """The traces of the last retrievals that were to be explained, by request id; in memory only."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self._lock = Lock()

    def keep(self, account: str, request_id: str, trace: dict[str, Any]) -> None:
        """Keep a trace, and forget the oldest."""
        with self._lock:
            self._kept[account, request_id] = trace
            while len(self._kept) > _MOST_TRACES:
                self._kept.popitem(last=False)

    def find(self, account: str, request_id: str) -> dict[str, Any] | None:
        """A trace, or None."""
        with self._lock:
            return self._kept.get((account, request_id))


_traces: WeakKeyDictionary[SqlEngine, Traces] = WeakKeyDictionary()


def traces_of(ctx: Context) -> Traces:
    """The traces that a server keeps."""
    return _traces.setdefault(ctx.platform.sql, Traces())


def _location(document: str, kind: str) -> dict[str, Any]:
    scheme = document.partition("://")[0]
    kind = kind or {"s3": "S3", "http": "WEB", "https": "WEB"}.get(scheme, "CUSTOM")
    if kind == "S3":
        return {"type": "S3", "s3Location": {"uri": document}}
    if kind == "WEB":
        return {"type": "WEB", "webLocation": {"url": document}}
    return {"type": "CUSTOM", "customDocumentLocation": {"id": document}}
