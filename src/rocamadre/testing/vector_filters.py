"""Filters for the suite of vector stores: documents whose metadata are treated in many ways, and random filters."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rocamadre.store.vectors.filters import Filter, Group, parse_filter
from rocamadre.store.vectors.protocol import VectorStore
from rocamadre.testing.vector_cases import one, unit

TREATED: list[dict[str, Any]] = [
    {},
    {"animal": "cat", "year": 1989, "good": True, "tags": ["a", "bc"]},
    {"animal": "dog", "year": 1989.5, "good": False, "tags": []},
    {"animal": "camel", "year": -3, "tags": ["bc"]},
    {"animal": ["cat", "dog"], "year": "1989"},
    {"animal": "Cat", "year": 9007199254740993, "good": 1},
    {"animal": "ñandú 🙂%_'\"", "tags": "bc"},
    {"animal": "", "year": 1e300, "deep.key $": "x"},
]
KEYS = ("animal", "year", "good", "tags", "deep.key $", "absent")
VALUES = (
    "cat",
    "ca",
    "",
    "ñ",
    "%",
    "bc",
    "a",
    "1989",
    "🙂",
    1989,
    1989.0,
    1989.5,
    0,
    1,
    9007199254740992,
    1e300,
    True,
    False,
)


def _conditions() -> st.SearchStrategy[Filter]:
    keys, scalars = st.sampled_from(KEYS), st.sampled_from(VALUES)
    texts = scalars.filter(lambda value: isinstance(value, str))
    ordered = scalars.filter(lambda value: not isinstance(value, bool))
    by_kind = {
        ("equals", "notEquals"): scalars,
        ("greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals"): ordered,
        ("in", "notIn"): st.lists(scalars, min_size=1, max_size=4),
        ("startsWith", "stringContains"): texts,
        ("listContains",): texts,
    }
    one_of: st.SearchStrategy[Filter] = st.one_of(
        [
            st.builds(
                lambda operator, key, value: parse_filter({operator: {"key": key, "value": value}}),
                st.sampled_from(operators),
                keys,
                values,
            )
            for operators, values in by_kind.items()
        ]
    )
    return one_of


FILTERS: st.SearchStrategy[Filter] = st.recursive(
    _conditions(),
    lambda inner: st.builds(
        Group, st.sampled_from(("andAll", "orAll")), st.lists(inner, min_size=2, max_size=3).map(tuple)
    ),
    max_leaves=8,
)


def write_treated(store: VectorStore) -> None:
    """Write a document for each of `TREATED`."""
    store.replace_many(
        [one(f"t{number}", "word", unit(1, number), metadata=metadata) for number, metadata in enumerate(TREATED)]
    )


def found_treated(store: VectorStore, where: Filter) -> list[int]:
    """Numbers of the treated documents that both searches find."""
    by_vector = store.by_vector(unit(1), limit=50, where=where)
    by_terms = store.by_terms([("word", 1.0)], limit=50, where=where)
    assert {hit.chunk for hit in by_vector} == {hit.chunk for hit in by_terms}
    return sorted(int(each.document[1:]) for each in store.chunks([hit.chunk for hit in by_vector]))
