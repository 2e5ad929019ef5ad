"""OpenSearch's own API below a collection's endpoint: indexes, documents, searches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

import msgspec

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.dispatch import NeighbourRequest
from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError, InvalidRequest
from rocamadre.neighbours.aoss import documents, indexes
from rocamadre.neighbours.aoss.documents import Change, Written
from rocamadre.neighbours.aoss.errors import search_error
from rocamadre.neighbours.aoss.indexes import Index
from rocamadre.neighbours.aoss.search import count, pick, search

_HOST = re.compile(r"([a-z0-9]{3,40})\.[a-z0-9-]+\.aoss\.[a-z.]+(?::\d+)?")
_SHARDS = {"total": 0, "successful": 0, "skipped": 0, "failed": 0}


@dataclass(frozen=True, slots=True)
class Call:
    """One request below an endpoint.

    Attributes:
        path: What follows the collection, decoded part by part.
    """

    context: Context
    request: NeighbourRequest
    collection: str
    path: tuple[str, ...]

    @property
    def index(self) -> str:
        """The index that the path begins with."""
        return self.path[0]

    def body(self) -> Mapping[str, Any]:
        """The body, which must be an object; an empty one where there is none."""
        try:
            found = self.request.json()
        except InvalidRequest as error:
            raise search_error("parse_exception", 400, error.message) from error
        if not isinstance(found, Mapping):
            raise search_error("parse_exception", 400, "request body must be a JSON object")
        return found


Answering: TypeAlias = Callable[[Call], Reply]
_OPERATIONS: list[tuple[str, str, re.Pattern[str], Answering]] = []
"""Name, method, path, function; the first that fits is taken."""


def _on(name: str, methods: str, path: str) -> Callable[[Answering], Answering]:
    """Register what answers; in the path, `{}` stands for one part, and first for an index."""
    parts = ["[^/]+" if part == "{}" else re.escape(part) for part in path.split("/")]
    if path.startswith("{}"):
        parts[0] = "[^_/][^/]*"  # what begins with an underscore is no index
    pattern = re.compile("/".join(parts))

    def register(function: Answering) -> Answering:
        _OPERATIONS.extend((name, method, pattern, function) for method in methods.split())
        return function

    return register


def names() -> tuple[str, ...]:
    """The operations, as logs and metrics show them."""
    return tuple(dict.fromkeys(name for name, *_ in _OPERATIONS))


def find(request: NeighbourRequest) -> tuple[str, Answering] | None:
    """The operation that a request means."""
    _, parts = address(request)
    path = "/".join(part.replace("/", "%2F") for part in parts)
    for name, method, pattern, function in _OPERATIONS:
        if method == request.method and pattern.fullmatch(path):
            return name, function
    return None


def address(request: NeighbourRequest) -> tuple[str, tuple[str, ...]]:
    """Collection and path: the first part of the path, unless the Host header names it."""
    parts = [unquote(part) for part in request.raw_path.decode("latin-1").split("/") if part]
    host = _HOST.fullmatch(request.headers.get("host", "").lower())
    if host is not None:
        return host[1], tuple(parts)
    return (parts[0], tuple(parts[1:])) if parts else ("", ())


def answer(context: Context, request: NeighbourRequest, function: Answering) -> Reply:
    """Answer a request; it may block."""
    collection, path = address(request)
    return function(Call(context, request, collection, path))


def _reply(content: Any, status: int = 200) -> Reply:
    return Reply(status, {"content-type": "application/json; charset=UTF-8"}, msgspec.json.encode(content))


def _find(call: Call) -> Index:
    with call.context.platform.sql.connect() as connection:
        return indexes.find_index(connection, call.context, call.collection, call.index)


# Indexes


@_on("CatIndices", "GET", "_cat/indices")
def cat_indices(call: Call) -> Reply:
    """List the indexes."""
    listed = indexes.list_indexes(call.context, call.collection)
    if call.request.parameters().get("format") != "json":
        text = "".join(f"{index.name}\n" for index in listed)
        return Reply(200, {"content-type": "text/plain; charset=UTF-8"}, text.encode())
    counts = [str(count(call.context, call.collection, index.name, None)) for index in listed]
    return _reply(
        [
            {"health": "", "status": "", "index": index.name, "uuid": str(index.id), "docs.count": number}
            for index, number in zip(listed, counts, strict=True)
        ]
    )


@_on("Bulk", "POST PUT", "_bulk")
@_on("Bulk", "POST PUT", "{}/_bulk")
def bulk(call: Call) -> Reply:
    """Write, make and remove documents, line by line."""
    changes = _changes(call)
    done = documents.write_many(call.context, call.collection, [change for _, change in changes])
    items = []
    for (action, change), outcome in zip(changes, done, strict=True):
        if isinstance(outcome, CommonError):
            error = {"type": outcome.code, "reason": outcome.message}
            items.append(
                {action: {"_index": change.index_name, "_id": change.id, "status": outcome.status, "error": error}}
            )
        else:
            items.append({action: {**_written(change.index_name, outcome), "status": _STATUS[outcome.result]}})
    return _reply({"took": 0, "errors": any(isinstance(each, CommonError) for each in done), "items": items})


def _changes(call: Call) -> list[tuple[str, Change]]:
    lines = [line for line in call.request.body.split(b"\n") if line.strip()]
    found = []
    waiting = iter(lines)
    default = call.index if len(call.path) == 2 else ""
    for line in waiting:
        try:
            action = msgspec.json.decode(line)
            ((kind, where),) = action.items()
            if kind not in ("index", "create", "delete"):
                raise search_error(
                    "illegal_argument_exception", 400, f"bulk has index, create and delete here, not [{str(kind)[:50]}]"
                )
            source = None if kind == "delete" else msgspec.json.decode(next(waiting))
            name = where.get("_index", default)
        except (msgspec.DecodeError, ValueError, AttributeError, TypeError, StopIteration, RecursionError) as error:
            raise search_error("illegal_argument_exception", 400, f"Malformed bulk line: {line[:100]!r}") from error
        if not isinstance(name, str) or not name:
            raise search_error("action_request_validation_exception", 400, "Validation Failed: 1: index is missing;")
        identity = where.get("_id")
        found.append((kind, Change(kind, name, None if identity is None else str(identity), source)))
    return found


@_on("IndexExists", "HEAD", "{}")
def index_exists(call: Call) -> Reply:
    """Whether there is such an index."""
    _find(call)
    return Reply(200)


@_on("IndexCreate", "PUT", "{}")
def index_create(call: Call) -> Reply:
    """Make an index."""
    made = indexes.create_index(call.context, call.collection, call.index, call.body())
    return _reply({"acknowledged": True, "shards_acknowledged": True, "index": made.name})


@_on("IndexDelete", "DELETE", "{}")
def index_delete(call: Call) -> Reply:
    """Remove an index."""
    indexes.delete_index(call.context, call.collection, call.index)
    return _reply({"acknowledged": True})


@_on("IndexGetMapping", "GET", "{}/_mapping")
def index_mapping(call: Call) -> Reply:
    """Show an index's mappings."""
    return _reply({call.index: {"mappings": _find(call).mappings}})


@_on("IndexGetSettings", "GET", "{}/_settings")
def index_settings(call: Call) -> Reply:
    """Show an index's settings."""
    return _reply({call.index: {"settings": _settings(_find(call))}})


@_on("IndexRefresh", "POST GET", "{}/_refresh")
def index_refresh(call: Call) -> Reply:
    """Nothing: what was written is found at once."""
    _find(call)
    return _reply({"_shards": _SHARDS})


@_on("Count", "GET POST", "{}/_count")
def index_count(call: Call) -> Reply:
    """Count documents."""
    return _reply(
        {"count": count(call.context, call.collection, call.index, call.body().get("query")), "_shards": _SHARDS}
    )


@_on("Search", "GET POST", "{}/_search")
def index_search(call: Call) -> Reply:
    """Find documents."""
    body = dict(call.body())
    parameters = call.request.parameters()
    for name in ("size", "from"):
        if name in parameters:
            body[name] = int(parameters[name]) if parameters[name].isdecimal() else parameters[name]
    if "q" in parameters:
        raise search_error("illegal_argument_exception", 400, "searches are given in the body here, not by [q]")
    page = search(call.context, call.collection, call.index, body)
    hits = [
        {"_index": call.index, "_id": document.id, "_score": score} | ({} if source is None else {"_source": source})
        for document, score, source in page.hits
    ]
    total = {"value": page.total, "relation": "eq"}
    found = {"total": total, "max_score": page.best, "hits": hits}
    return _reply({"took": 0, "timed_out": False, "_shards": _SHARDS, "hits": found})


# Documents


@_on("Index", "POST", "{}/_doc")
@_on("Index", "PUT POST", "{}/_doc/{}")
@_on("Index", "PUT POST", "{}/_create/{}")
def document_write(call: Call) -> Reply:
    """Write a document."""
    identity = call.path[2] if len(call.path) == 3 else None
    is_new = call.path[1] == "_create" or call.request.parameters().get("op_type") == "create"
    change = Change("create" if is_new else "index", call.index, identity, dict(call.body()))
    written = documents.write_one(call.context, call.collection, change)
    return _reply(_written(call.index, written), _STATUS[written.result])


@_on("Get", "GET HEAD", "{}/_doc/{}")
def document_get(call: Call) -> Reply:
    """Read a document."""
    found = documents.get_document(call.context, call.collection, call.index, call.path[2])
    place = {"_index": call.index, "_id": call.path[2]}
    if found is None:
        return _reply({**place, "found": False}, 404)
    return _reply({**place, "_version": found.version, "found": True, "_source": pick(found, True)})


@_on("Delete", "DELETE", "{}/_doc/{}")
def document_delete(call: Call) -> Reply:
    """Remove a document."""
    gone = documents.write_one(call.context, call.collection, Change("delete", call.index, call.path[2]))
    return _reply(_written(call.index, gone), _STATUS[gone.result])


@_on("IndexGet", "GET", "{}")
def index_get(call: Call) -> Reply:
    """Show an index."""
    index = _find(call)
    return _reply({index.name: {"aliases": {}, "mappings": index.mappings, "settings": _settings(index)}})


@_on("Info", "GET", "")
def info(call: Call) -> Reply:
    """What answers here."""
    indexes.list_indexes(call.context, call.collection)
    version = {"distribution": "opensearch", "number": "2.17.0", "build_type": "rocamadre"}
    return _reply({"name": "rocamadre", "cluster_name": call.collection, "version": version})


_STATUS = {"created": 201, "updated": 200, "deleted": 200, "not_found": 404}


def _written(index: str, written: Written) -> dict[str, Any]:
    place = {"_index": index, "_id": written.id, "_version": written.version, "result": written.result}
    return {**place, "_shards": _SHARDS, "_seq_no": 0, "_primary_term": 0}


def _settings(index: Index) -> dict[str, Any]:
    given = index.settings.get("index", index.settings)
    held = dict(given) if isinstance(given, Mapping) else {}
    own = {"provided_name": index.name, "creation_date": str(index.created_ms), "uuid": str(index.id)}
    return {"index": {**held, **own}}
