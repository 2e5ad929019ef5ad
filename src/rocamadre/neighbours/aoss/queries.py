"""OpenSearch's queries, as far as code around knowledge bases asks them; others are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

import numpy as np

from rocamadre.neighbours.aoss.corpus import Corpus, words_of
from rocamadre.neighbours.aoss.errors import bad_query

Scores: TypeAlias = dict[int, float]
"""By the place of each document that a query finds."""

MAX_K = 10_000
MAX_DEPTH = 30


def evaluate(query: Any, corpus: Corpus, depth: int = 1) -> Scores:
    """What a query finds.

    Raises:
        CommonError: parsing_exception.
    """
    if not isinstance(query, Mapping) or len(query) != 1:
        raise bad_query("a query must be an object with exactly one name")
    if depth > MAX_DEPTH:
        raise bad_query(f"the query is nested deeper than {MAX_DEPTH}")
    (name, body), *_ = query.items()
    if name not in QUERIES:
        raise bad_query(f"unknown query [{str(name)[:50]}]; Rocamadre's OpenSearch has {', '.join(sorted(QUERIES))}")
    if not isinstance(body, Mapping):
        raise bad_query(f"[{name}] must be an object")
    return QUERIES[name](body, corpus, depth)


def _only(name: str, body: Mapping[str, Any], *allowed: str) -> None:
    unknown = sorted(set(body) - {*allowed, "boost", "_name"})
    if unknown:
        raise bad_query(f"[{name}] query does not support [{unknown[0]}]")


def _boosted(scores: Scores, body: Mapping[str, Any]) -> Scores:
    boost = body.get("boost", 1.0)
    if isinstance(boost, bool) or not isinstance(boost, int | float):
        raise bad_query("boost must be a number")
    return {place: score * boost for place, score in scores.items()}


def _field(name: str, body: Mapping[str, Any], member: str, *allowed: str) -> tuple[str, Mapping[str, Any]]:
    """The one field of a query, and what is asked of it as an object with `member`."""
    if len(body) != 1:
        raise bad_query(f"[{name}] query must name exactly one field")
    (field, asked), *_ = body.items()
    asked = asked if isinstance(asked, Mapping) else {member: asked}
    _only(name, asked, member, *allowed)
    if member and member not in asked:
        raise bad_query(f"[{name}] query needs [{member}]")
    return field, asked


def _match_all(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    _only("match_all", body)
    return _boosted(dict.fromkeys(corpus.everything, 1.0), body)


def _match_none(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    return {}


def _match(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    field, asked = _field("match", body, "query", "operator")
    return _boosted(_matched(corpus, field, asked["query"], str(asked.get("operator", "or")).lower()), asked)


def _matched(corpus: Corpus, field: str, text: Any, operator: str) -> Scores:
    if not corpus.is_text(field):
        return _with_value(corpus, field, lambda value: _equal(value, text))
    wanted = words_of(str(text))
    found = corpus.bm25(field, wanted)
    return {place: score for place, (score, held) in found.items() if operator != "and" or held >= set(wanted)}


def _multi_match(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    _only("multi_match", body, "query", "fields", "operator")
    best: Scores = {}
    for named in body.get("fields") or []:
        field, _, boost = str(named).partition("^")
        for place, score in _matched(corpus, field, body.get("query", ""), str(body.get("operator", "or"))).items():
            best[place] = max(best.get(place, 0.0), score * float(boost or 1))
    return _boosted(best, body)


def _match_phrase(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    field, asked = _field("match_phrase", body, "query")
    wanted = words_of(str(asked["query"]))
    words = corpus.words(field)
    return _boosted(
        {
            place: score
            for place, (score, _) in corpus.bm25(field, wanted).items()
            if any(words[place][at : at + len(wanted)] == wanted for at in range(len(words[place])))
        },
        asked,
    )


def _with_value(corpus: Corpus, field: str, test: Callable[[Any], bool]) -> Scores:
    return {place: 1.0 for place in corpus.everything if any(map(test, corpus.values(place, field)))}


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return str(value).lower() == str(wanted).lower()
    return bool(value == wanted) or str(value) == str(wanted)


def _term(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    field, asked = _field("term", body, "value", "case_insensitive")
    return _boosted(_having(corpus, field, [asked["value"]]), asked)


def _terms(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    rest = {name: value for name, value in body.items() if name not in ("boost", "_name")}
    if len(rest) != 1:
        raise bad_query("[terms] query must name exactly one field")
    (field, values), *_ = rest.items()
    if not isinstance(values, list):
        raise bad_query("[terms] query needs a list of values")
    return _boosted(_having(corpus, field, values), body)


def _having(corpus: Corpus, field: str, values: list[Any]) -> Scores:
    if corpus.is_text(field):
        wanted = set(map(str, values))
        words = corpus.words(field)
        # A dynamic field is text and keyword in one.
        return {
            place: 1.0
            for place in corpus.everything
            if wanted & set(words[place])
            or any(_equal(each, value) for each in corpus.values(place, field) for value in values)
        }
    return _with_value(corpus, field, lambda each: any(_equal(each, value) for value in values))


def _range(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    if len(body) != 1:
        raise bad_query("[range] query must name exactly one field")
    (field, bounds), *_ = body.items()
    if not isinstance(bounds, Mapping) or not bounds:
        raise bad_query("[range] query needs gt, gte, lt or lte")
    _only("range", bounds, "gt", "gte", "lt", "lte")
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "gt": lambda value, bound: value > bound,
        "gte": lambda value, bound: value >= bound,
        "lt": lambda value, bound: value < bound,
        "lte": lambda value, bound: value <= bound,
    }

    def within(value: Any) -> bool:
        given = [(name, bound) for name, bound in bounds.items() if name in tests and bound is not None]
        return all(
            isinstance(value, str) == isinstance(bound, str) and tests[name](value, bound) for name, bound in given
        )

    return _boosted(
        _with_value(corpus, field, lambda value: isinstance(value, str | int | float) and within(value)), bounds
    )


def _exists(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    _only("exists", body, "field")
    field = str(body.get("field", ""))
    return _boosted(
        {
            place: 1.0
            for place, document in enumerate(corpus.documents)
            if field in document.vectors or corpus.values(place, field)
        },
        body,
    )


def _ids(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    _only("ids", body, "values")
    wanted = {str(each) for each in body.get("values") or []}
    return _boosted({place: 1.0 for place, each in enumerate(corpus.documents) if each.id in wanted}, body)


def _prefix(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    field, asked = _field("prefix", body, "value")
    return _boosted(_with_value(corpus, field, lambda value: str(value).startswith(str(asked["value"]))), asked)


def _wildcard(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    field, asked = _field("wildcard", body, "value")
    pattern = str(asked["value"]).replace("[", "[[]")
    return _boosted(_with_value(corpus, field, lambda value: fnmatchcase(str(value), pattern)), asked)


def _constant(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    _only("constant_score", body, "filter")
    return _boosted(dict.fromkeys(evaluate(body.get("filter"), corpus, depth + 1), 1.0), body)


def _bool(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    _only("bool", body, "must", "should", "filter", "must_not", "minimum_should_match")

    def found(name: str) -> list[Scores]:
        clauses = body.get(name) or []
        return [evaluate(each, corpus, depth + 1) for each in (clauses if isinstance(clauses, list) else [clauses])]

    must, should, needed, forbidden = (found(name) for name in ("must", "should", "filter", "must_not"))
    least = body.get("minimum_should_match", 0 if must or needed or not should else 1)
    if isinstance(least, bool) or not isinstance(least, int):
        raise bad_query("[bool] minimum_should_match must be a whole number here")
    places = corpus.everything
    for scores in (*must, *needed):
        places &= scores.keys()
    for scores in forbidden:
        places -= scores.keys()
    return _boosted(
        {
            place: sum(scores.get(place, 0.0) for scores in (*must, *should))
            for place in places
            if sum(place in scores for scores in should) >= least
        },
        body,
    )


def _knn(body: Mapping[str, Any], corpus: Corpus, depth: int) -> Scores:
    field, asked = _field("knn", body, "vector", "k", "filter", "method_parameters", "rescore")
    mapped = corpus.index.vectors().get(field)
    if mapped is None:
        raise bad_query(f"Field '{field[:200]}' is not knn_vector type.")
    count = asked.get("k")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_K:
        raise bad_query(f"[knn] requires k to be in the range (0, {MAX_K}]")
    vector = asked["vector"]
    if not isinstance(vector, list) or not all(isinstance(each, int | float) for each in vector):
        raise bad_query("[knn] vector must be a list of numbers")
    if len(vector) != mapped["dimension"]:
        raise bad_query(
            f"Query vector has invalid dimension: {len(vector)}. Dimension should be: {mapped['dimension']}"
        )
    among = corpus.everything
    if asked.get("filter") is not None:
        among = set(evaluate(asked["filter"], corpus, depth + 1))
    query = np.array(vector, np.float32)
    return _boosted(corpus.nearest(field, query, count, among, corpus.index.space(mapped)), asked)


QUERIES: dict[str, Callable[[Mapping[str, Any], Corpus, int], Scores]] = {
    "bool": _bool,
    "constant_score": _constant,
    "exists": _exists,
    "ids": _ids,
    "knn": _knn,
    "match": _match,
    "match_all": _match_all,
    "match_none": _match_none,
    "match_phrase": _match_phrase,
    "multi_match": _multi_match,
    "prefix": _prefix,
    "range": _range,
    "term": _term,
    "terms": _terms,
    "wildcard": _wildcard,
}
