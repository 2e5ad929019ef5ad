from __future__ import annotations

import pytest

from rocamadre.neighbours.logs.errors import LogsInvalid
from rocamadre.neighbours.logs.patterns import compile_pattern

RECORD = '{"level": "ERROR", "n": 3, "ok": true, "nothing": null, "a": {"b": [{"c": "deep"}]}}'


@pytest.mark.parametrize(
    ("pattern", "message", "fits"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("one two", "two then one", True),
        ("one two", "one only", False),
        ('"one two"', "one two", True),
        ('"one two"', "one  two", False),
        ('"say \\"hi\\""', 'say "hi"', True),
        ("?one ?two", "two", True),
        ("?one ?two", "three", False),
        ("one -two", "one two", False),
        ("one -two", "one", True),
        ('-"two three"', "two three", False),
        ("{ $.level = ERROR }", RECORD, True),
        ('{ $.level = "ERR*" }', RECORD, True),
        ('{ $.level = "*RO*" }', RECORD, True),
        ('{ $.level = "*X*" }', RECORD, False),
        ('{ $.level != "ERROR" }', RECORD, False),
        ("{ $.absent != 1 }", RECORD, False),
        ("{ $.n = 3 }", RECORD, True),
        ('{ $.n = "3" }', RECORD, False),
        ("{ $.n > 2 && $.n <= 3 }", RECORD, True),
        ("{ $.n > 3 || $.ok IS TRUE }", RECORD, True),
        ("{ $.ok > 0 }", RECORD, False),
        ("{ $.nothing IS NULL }", RECORD, True),
        ("{ $.absent IS NULL }", RECORD, False),
        ("{ $.absent NOT EXISTS }", RECORD, True),
        ('{ $.a.b[0].c = "deep" }', RECORD, True),
        ('{ $.a.b[1].c = "deep" }', RECORD, False),
        ("{ $.n = 3 }", "no JSON", False),
        ("{ $.n = 3 }", "[" * 100_000, False),
        ("{ $.n = 3 }", "\ud800", False),
    ],
)
def test_what_a_pattern_fits(pattern, message, fits):
    assert compile_pattern(pattern)(message) is fits


@pytest.mark.parametrize(
    "pattern",
    [
        "%regex%",
        "[ip, user]",
        "{ $.a = 1",
        "{ a = 1 }",
        "{ ($.a = 1) }",
        "{ $.a = 1 && $.b = 2 || $.c = 3 }",
        '{ $.a > "text" }',
        "{ $.a = %x% }",
        "{ $.a = 1 && }",
        "{}",
        'open "quote',
        "x" * 1025,
    ],
)
def test_other_forms_are_refused(pattern):
    with pytest.raises(LogsInvalid, match="pattern"):
        compile_pattern(pattern)


def test_hostile_patterns_cost_little():
    matches = compile_pattern('{ $.a = "' + "*a" * 400 + '*b" }')
    assert matches('{"a": "' + "a" * 100_000 + '"}') is False
