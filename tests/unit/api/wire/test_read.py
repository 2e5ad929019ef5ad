import base64
from datetime import UTC, datetime

import pytest

from rocamadre.api.wire.read import Findings, ReaderCompiler, read_document
from rocamadre.core.errors import InvalidRequest

SHAPES = {
    "Name": {"type": "string", "min": 2, "max": 5, "pattern": "[a-z]+"},
    "Secret": {"type": "string", "max": 3, "sensitive": True},
    "Colour": {"type": "string", "enum": ["red", "blue"]},
    "Count": {"type": "integer", "min": 1, "max": 9},
    "Big": {"type": "long"},
    "Share": {"type": "float", "min": 0, "max": 1},
    "Flag": {"type": "boolean"},
    "Data": {"type": "blob", "min": 1, "max": 4},
    "When": {"type": "timestamp", "timestampFormat": "iso8601"},
    "Epoch": {"type": "timestamp"},
    "Any": {"type": "structure", "members": {}, "document": True},
    "Names": {"type": "list", "member": {"shape": "Name"}, "min": 1, "max": 2},
    "Table": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Count"}, "max": 1},
    "Choice": {"type": "structure", "union": True, "members": {"a": {"shape": "Name"}, "b": {"shape": "Count"}}},
    "Tree": {
        "type": "structure",
        "required": ["name"],
        "members": {"name": {"shape": "Name", "locationName": "Label"}, "inner": {"shape": "Trees"}},
    },
    "Trees": {"type": "list", "member": {"shape": "Tree"}},
}


def read(shape, value):
    found = Findings()
    result = ReaderCompiler(SHAPES).reader(shape)(value, "it", found)
    return result, [constraint for _, _, constraint in found.failures], found


@pytest.mark.parametrize(
    ("shape", "value", "expected"),
    [
        ("Name", "abc", "abc"),
        ("Colour", "red", "red"),
        ("Count", 3, 3),
        ("Count", 3.0, 3),
        ("Share", 1, 1.0),
        ("Flag", False, False),
        ("Data", base64.b64encode(b"ab").decode(), b"ab"),
        ("When", "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("Epoch", 0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("Any", {"x": [1, None, "y"]}, {"x": [1, None, "y"]}),
        ("Names", ["ab", "cd"], ["ab", "cd"]),
        ("Table", {"ab": 1}, {"ab": 1}),
        ("Choice", {"b": 2}, {"b": 2}),
        ("Choice", {"b": 2, "a": None, "__type": "x"}, {"b": 2}),
        ("Tree", {"Label": "ab", "inner": [{"Label": "cd"}]}, {"name": "ab", "inner": [{"name": "cd"}]}),
    ],
)
def test_valid_values_are_read(shape, value, expected):
    assert read(shape, value)[:2] == (expected, [])


@pytest.mark.parametrize(
    ("shape", "value", "part"),
    [
        ("Name", "a", "length greater than or equal to 2"),
        ("Name", "abcdef", "length less than or equal to 5"),
        ("Name", "aBc", "regular expression pattern: [a-z]+"),
        ("Name", "ab\n", "regular expression pattern"),
        ("Name", 7, "must be a string"),
        ("Colour", "green", "enum value set: [red, blue]"),
        ("Count", 0, "value greater than or equal to 1"),
        ("Count", 10, "value less than or equal to 9"),
        ("Count", 1.5, "number of type integer"),
        ("Count", True, "number of type integer"),
        ("Count", "1", "number of type integer"),
        ("Big", 1 << 63, "value less than or equal to"),
        ("Share", 1.01, "value less than or equal to 1"),
        ("Share", float("inf"), "finite"),
        ("Flag", "true", "must be a boolean"),
        ("Data", "not base64!", "base64"),
        ("Data", "", "length greater than or equal to 1"),
        ("Data", base64.b64encode(b"abcde").decode(), "length less than or equal to 4"),
        ("When", "yesterday", "timestamp in iso8601"),
        ("When", 17, "timestamp in iso8601"),
        ("Epoch", 1e300, "timestamp in unixTimestamp"),
        ("Names", [], "length greater than or equal to 1"),
        ("Names", ["ab"] * 3, "length less than or equal to 2"),
        ("Names", ["ab", None], "must not be null"),
        ("Names", {"a": 1}, "must be a list"),
        ("Table", {"ab": 1, "cd": 2}, "length less than or equal to 1"),
        ("Table", {"A": 1}, "regular expression pattern"),
        ("Table", {"ab": None}, "must not be null"),
        ("Choice", {}, "exactly one of these set: a, b"),
        ("Choice", {"a": "ab", "b": 2}, "exactly one"),
        ("Tree", {"inner": []}, "must not be null"),
        ("Tree", [], "must be a structure"),
    ],
)
def test_each_broken_trait_is_named(shape, value, part):
    constraints = read(shape, value)[1]
    assert any(part in constraint for constraint in constraints), constraints


def test_all_failures_come_in_one_sentence():
    found = read("Tree", {"inner": [{"Label": "a"}, {"Label": 3}]})[2]
    error = found.error()
    assert isinstance(error, InvalidRequest)
    assert error.message.startswith("3 validation errors detected: Value ")
    assert "Value 'a' at 'it.inner.1.member.Label' failed to satisfy constraint" in error.message
    assert [field.name for field in error.fields] == ["it.inner.1.member.Label", "it.inner.2.member.Label", "it.name"]


def test_secret_and_long_values_are_not_repeated():
    assert "hunter2" not in read("Secret", "hunter2")[2].error().message
    assert "x" * 100 not in read("Name", "x" * 100)[2].error().message


def test_unknown_members_are_reported_not_read():
    result, failures, found = read("Tree", {"Label": "ab", "colour": 1})
    assert (result, failures, found.unknown) == ({"name": "ab"}, [], ["it.colour"])


def test_a_list_over_its_length_is_one_failure():
    assert len(read("Names", [0] * 1000)[1]) == 1


def test_documents_are_bounded_in_depth():
    deep = shallow = []
    for _ in range(150):
        deep = [deep]
    for _ in range(50):
        shallow = [shallow]
    found = Findings()
    read_document(shallow, "d", found)
    assert not found.failures
    read_document(deep, "d", found)
    assert len(found.failures) == 1
