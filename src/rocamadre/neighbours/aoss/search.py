"""Searching an index: queries, pages, and the parts of documents that are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rocamadre.core.context import Context
from rocamadre.neighbours.aoss.corpus import Corpus
from rocamadre.neighbours.aoss.documents import Document, all_documents, count_documents
from rocamadre.neighbours.aoss.errors import bad_query, search_error
from rocamadre.neighbours.aoss.indexes import find_index
from rocamadre.neighbours.aoss.queries import evaluate

MAX_WINDOW = 10_000
_SEARCH = frozenset({"query", "size", "from", "_source", "track_total_hits", "timeout", "min_score", "explain"})


@dataclass(frozen=True, slots=True)
class Page:
    """What a search found: how many in all, and those of the page with their scores."""

    total: int
    best: float | None
    hits: list[tuple[Document, float, Any]]


def search(ctx: Context, collection: str, name: str, body: Mapping[str, Any]) -> Page:
    """Documents by score, ties by id; of each the source as it is to be shown, or None.

    Raises:
        CommonError: there is no such index, or the search asks for what is not here.
    """
    unknown = sorted(set(body) - _SEARCH)
    if unknown:
        raise bad_query(f"Rocamadre's OpenSearch does not have [{unknown[0]}] in a search")
    size, start = _whole(body, "size", 10), _whole(body, "from", 0)
    if size + start > MAX_WINDOW:
        raise search_error("illegal_argument_exception", 400, f"from + size must be at most {MAX_WINDOW}")
    with ctx.platform.sql.connect() as connection:
        index = find_index(connection, ctx, collection, name)
        corpus = Corpus(index, all_documents(connection, index))
    query = body.get("query")
    scores = evaluate({"match_all": {}} if query is None else query, corpus)
    least = body.get("min_score", 0.0)
    found = sorted(
        ((score, place) for place, score in scores.items() if score >= least), key=lambda each: (-each[0], each[1])
    )
    shown = [
        (corpus.documents[place], score, pick(corpus.documents[place], body.get("_source", True)))
        for score, place in found[start : start + size]
    ]
    return Page(len(found), found[0][0] if found else None, shown)


def count(ctx: Context, collection: str, name: str, query: Any) -> int:
    """How many documents a query finds; all without one."""
    with ctx.platform.sql.connect() as connection:
        index = find_index(connection, ctx, collection, name)
        if query is None:
            return count_documents(connection, index)
        corpus = Corpus(index, all_documents(connection, index))
    return len(evaluate(query, corpus))


def pick(document: Document, wanted: Any) -> Any:
    """The parts of a document that `_source` asks for; None for none."""
    if wanted is False:
        return None
    if wanted is True or wanted is None:
        return document.whole()
    patterns = wanted if isinstance(wanted, Mapping) else {"includes": wanted}
    includes, excludes = (_patterns(patterns, name) for name in ("includes", "excludes"))
    return _kept(document.whole(), "", includes, excludes)


def _patterns(given: Mapping[str, Any], name: str) -> list[str]:
    value = given.get(name, given.get(name.removesuffix("s"))) or []
    return [str(each) for each in (value if isinstance(value, list) else [value])]


def _kept(source: Mapping[str, Any], above: str, includes: list[str], excludes: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in source.items():
        path = f"{above}{name}"
        if any(fnmatchcase(path, pattern) for pattern in excludes):
            continue
        is_included = not includes or any(fnmatchcase(path, pattern) for pattern in includes)
        if isinstance(value, Mapping):
            inner = _kept(value, f"{path}.", [] if is_included else includes, excludes)
            if inner or is_included:
                kept[name] = inner
        elif is_included:
            kept[name] = value
    return kept


def _whole(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise bad_query(f"[{name}] must be a whole number that is not negative")
    return value
