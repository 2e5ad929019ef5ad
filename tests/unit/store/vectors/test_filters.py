from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocamadre.core.errors import InvalidRequest
from rocamadre.store.vectors.filters import (
    MAX_CONDITIONS,
    Condition,
    after_prefix,
    all_of,
    compile_filter,
    conditions_of,
    matches,
    parse_filter,
    to_wire,
)
from rocamadre.testing.vector_filters import FILTERS, TREATED


def nested(levels):
    leaf = {"equals": {"key": "a", "value": 1}}
    for _ in range(levels):
        leaf = {"andAll": [leaf, {"equals": {"key": "a", "value": 1}}]}
    return leaf


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ({}, "filter must have exactly one operator; it has none"),
        ({"equals": {"key": "a", "value": 1}, "in": {"key": "a", "value": [1]}}, "it has equals, in"),
        ({"like": {"key": "a", "value": 1}}, "'like' is no operator; there are equals, "),
        ({"equals": {"key": "a"}}, "filter.equals must have the members key and value"),
        ({"equals": {"key": "", "value": 1}}, "filter.equals.key must be a string of 1 to 100 characters"),
        ({"equals": {"key": "x" * 101, "value": 1}}, "filter.equals.key must be"),
        ({"equals": {"key": "a", "value": None}}, "filter.equals.value must be a string, a number or a boolean"),
        ({"equals": {"key": "a", "value": float("nan")}}, "filter.equals.value must be"),
        ({"equals": {"key": "a", "value": "\ud800"}}, "half a character"),
        ({"greaterThan": {"key": "a", "value": True}}, "filter.greaterThan.value must be a number"),
        ({"startsWith": {"key": "a", "value": 1}}, "filter.startsWith.value must be a string"),
        ({"in": {"key": "a", "value": []}}, "filter.in.value must be a list of at least one"),
        ({"in": {"key": "a", "value": "cat"}}, "filter.in.value must be a list"),
        ({"in": {"key": "a", "value": [{}]}}, r"filter.in.value\[0\] must be"),
        ({"in": {"key": "a", "value": ["x"] * 1001}}, "has 1001 values; at most 1000"),
        ({"andAll": [{"equals": {"key": "a", "value": 1}}]}, "filter.andAll must be a list of at least 2 filters"),
        ({"orAll": [{"equals": {"key": "a", "value": 1}}, {"no": 1}]}, r"filter.orAll\[1\]: 'no' is no operator"),
        (nested(10), "is nested too deeply; at most 10 levels"),
        ({"andAll": [nested(9)] * 21}, f"has 210 conditions; at most {MAX_CONDITIONS}"),
        ("text", "filter must be an object"),
    ],
)
def test_what_is_no_filter_is_refused_with_its_place(wire, message):
    if message.startswith("has 210"):
        wire = {"andAll": [{"orAll": [{"equals": {"key": "a", "value": 1}}] * 10}] * 21}
    with pytest.raises(InvalidRequest, match=message):
        parse_filter(wire)


@settings(deadline=None)
@given(FILTERS)
def test_a_filter_reads_back(where):
    assert parse_filter(to_wire(where)) == where


def test_missing_attributes_satisfy_only_negations():
    assert matches(Condition("notEquals", "a", 1), {})
    assert matches(Condition("notIn", "a", (1,)), {})
    for operator in ("equals", "greaterThan", "lessThan", "startsWith", "stringContains", "listContains"):
        assert not matches(Condition(operator, "a", "x"), {})


def test_booleans_are_no_numbers():
    assert not matches(Condition("equals", "a", 1), {"a": True})
    assert not matches(Condition("in", "a", (1, "True")), {"a": True})
    assert matches(Condition("equals", "a", 1), {"a": 1.0})


def test_filters_are_joined():
    one, two = Condition("equals", "a", 1), Condition("equals", "b", 2)
    assert all_of(None, None) is None
    assert list(conditions_of(all_of(one, None, two))) == [one, two]


@given(st.text(max_size=3), st.text(max_size=4))
def test_after_a_prefix_comes_what_does_not_begin_so(prefix, text):
    after = after_prefix(prefix)
    assert text.startswith(prefix) == (prefix <= text and (after is None or text < after))


@settings(deadline=None)
@given(FILTERS)
def test_sql_has_the_shape_of_the_tree(where):
    """Each condition becomes what it says of a row; the rest is AND, OR and NOT."""
    for metadata in TREATED:
        sql, values = compile_filter(where, lambda each, held=metadata: ("{}", [matches(each, held)]))
        expression = sql.format(*values).replace("AND", "and").replace("OR", "or").replace("NOT", "not")
        assert eval(expression) == matches(where, metadata)
