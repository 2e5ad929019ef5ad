"""Schemas brought to a form that can be enforced, and the values that grammars made of them let through."""

import json
import time

import pytest
from jsonschema import Draft202012Validator

from rocamadre.core.errors import InvalidRequest, ModelFailure
from rocamadre.engines.schema.bounds import LADDER, bound, fit
from rocamadre.engines.schema.grammar import checked, follows, json_rule, some_sentence
from rocamadre.engines.schema.instance import small_instance
from rocamadre.engines.schema.subset import check_schema
from rocamadre.engines.schema.validation import is_valid
from rocamadre.testing.schemas import random_schema

AT = "the schema"


def grammar(schema, *, max_tokens=500):
    return checked("start: " + json_rule(fit(check_schema(schema, at=AT), max_tokens=max_tokens, at=AT)), at=AT)


def takes(schema, value):
    return follows(grammar(schema), json.dumps(value, ensure_ascii=False))


@pytest.mark.parametrize("seed", range(60))
def test_everything_that_a_random_schema_lets_through_is_valid(seed):
    schema = random_schema(seed)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    plain = check_schema(schema, at=AT)
    validator.validate(small_instance(plain, at=AT))
    held = grammar(schema)
    for walk in range(3):
        validator.validate(json.loads(some_sentence(held, walk)))


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer", "minimum": 3, "exclusiveMaximum": 5}, [3, 4], [2, 5, 3.5, "3"]),
        ({"type": "number", "multipleOf": 0.5}, [0.5, 2, 0], [0.3]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab", "añb"], ["a", "abcd"]),
        ({"type": "string", "pattern": "^[a-z]+$"}, ["abc"], ["A", ""]),
        ({"type": "string", "format": "date"}, ["2026-02-28"], ["2026-13-01", "today"]),
        ({"enum": ["a", 1, None]}, ["a", 1, None], ["b", True]),
        ({"const": {"x": [1]}}, [{"x": [1]}], [{"x": [2]}]),
        ({"type": ["string", "null"]}, ["x", None], [1]),
        ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, [1, True], ["x"]),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, [1, "x"], [None]),
        ({"allOf": [{"minimum": 2}, {"type": "integer", "maximum": 4}]}, [2, 4], [1, 5, 2.5]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": False}, [[1], []], [[1, 2], ["a"]]),
        ({"type": "object", "properties": {}}, [{}], [{"a": 1}]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"any": 1}], [{"any": "x"}]),
        ({"properties": {"a": {"type": "integer"}}, "required": ["a", "b"]}, [{"a": 1, "b": 0}], [{"a": 1}, {}]),
        ({"$ref": "#/$defs/p~1q", "$defs": {"p/q": {"type": "null"}}}, [None], [1]),
    ],
)  # fmt: skip
def test_keywords_that_are_enforced(schema, good, bad):
    for value in good:
        assert takes(schema, value), value
    for value in bad:
        assert not takes(schema, value), value


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"not": {"type": "string"}}, "'not'"),
        ({"if": {}, "then": {}}, "'if'"),
        ({"type": "object", "properties": {"a": {"contains": {}}}}, "#/properties/a.*contains"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
        ({"type": "string", "format": "iban"}, "iban"),
        ({"type": "string", "pattern": "^(?=a)b"}, "look-around|regex"),
        ({"type": "object", "minProperties": 3}, "minProperties"),
        ({"$ref": "https://example.org/x.json"}, r"\$ref"),
        ({"$ref": "#/nowhere"}, "points nowhere"),
        ({"type": "text"}, "types are object"),
        ({"type": "string", "maxLength": -1}, "at least 0"),
        ({"type": "integer", "minimum": "3"}, "must be a number"),
        ({"enum": []}, "no value"),
        ({"properties": []}, "object of schemas"),
        ([], "a schema is an object"),
        (False, "exclude each other"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "exclude each other"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "minimum"),
        ({"type": "array", "minItems": 4, "maxItems": 2}, "without a way to end|maxItems"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "contains itself"),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_name(schema, named):
    with pytest.raises(InvalidRequest, match=named):
        grammar(schema)


def test_relaxed_reading_drops_and_says_what():
    plain = check_schema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, at=AT, relax=True)
    assert plain.dropped == ["#: uniqueItems"]
    assert is_valid([1, 2], {"type": "array", "uniqueItems": True})
    assert not is_valid([1, 1], {"type": "array", "uniqueItems": True})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$defs": {f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)}, "$ref": "#/$defs/a0"},
        {"$defs": {"x": {"allOf": [{"$ref": "#/$defs/x"}, {"type": "string"}]}}, "$ref": "#/$defs/x"},
        {"type": "string", "pattern": "^((a{1,1000}){1,1000}){1,1000}$"},
        {"type": "string", "pattern": "^(.*a.{20}){3}$"},
        {"anyOf": [{"allOf": [{"anyOf": [{"const": [i, j]} for i in range(40)]}] * 3} for j in range(10)]},
        {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(3000)}},
    ],
)
def test_hostile_schemas_end_in_time(schema):
    began = time.process_time()
    try:
        some_sentence(grammar(schema), 0)
    except (InvalidRequest, ModelFailure):
        pass
    assert time.process_time() - began < 10


def test_nesting_and_size_are_bounded():
    deep = {"type": "integer"}
    for _ in range(200):
        deep = {"type": "array", "items": deep}
    with pytest.raises(InvalidRequest, match="too large"):
        check_schema(deep, at=AT)
    with pytest.raises(InvalidRequest, match="too large"):
        check_schema({"anyOf": [{"type": "null"}] * 20_000}, at=AT)


def test_recursion_is_unrolled_and_still_valid():
    tree = {
        "$defs": {"node": {"type": "object", "properties": {"v": {"type": "integer"}, "kids": {
            "type": "array", "items": {"$ref": "#/$defs/node"}}}, "required": ["v", "kids"]}},
        "$ref": "#/$defs/node",
    }  # fmt: skip
    assert takes(tree, {"v": 1, "kids": [{"v": 2, "kids": []}]})
    assert not takes(tree, {"v": 1, "kids": [{"v": 2}]})


def test_bounds_shrink_with_the_room():
    plain = check_schema({"type": "array", "items": {"type": "string"}}, at=AT)
    wide, narrow = fit(plain, max_tokens=100_000, at=AT), fit(plain, max_tokens=100, at=AT)
    assert wide["items"]["maxLength"] > narrow["items"]["maxLength"] >= 1
    assert wide["maxItems"] > narrow["maxItems"] >= 1
    kept = bound(check_schema({"type": "string", "minLength": 50}, at=AT), LADDER[-1], at=AT)
    assert kept["maxLength"] == 50
