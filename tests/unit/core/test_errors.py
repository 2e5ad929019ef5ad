from __future__ import annotations

import inspect
from datetime import UTC, datetime

from rocamadre.core import errors
from rocamadre.core.clock import FixedClock, SystemClock
from rocamadre.core.errors import CommonError, FieldError, InvalidRequest, RocamadreError, Throttled

CLASSES = [
    item
    for _, item in inspect.getmembers(errors, inspect.isclass)
    if issubclass(item, RocamadreError) and item is not CommonError
]


def test_every_error_has_codes_and_a_default_sentence():
    for kind in CLASSES:
        assert kind.codes, kind
        assert all(code.endswith(("Exception", "Error")) for code in kind.codes), kind
        assert kind().message == kind.__doc__.strip().splitlines()[0]
        assert kind("other").message == "other"


def test_the_drawing_of_the_tree_names_every_class():
    for kind in CLASSES:
        assert f" {kind.__name__}" in errors.__doc__ or kind is RocamadreError, kind


def test_extra_facts_travel():
    assert Throttled("slow", retry_after_s=3).retry_after_s == 3
    error = InvalidRequest("bad", fields=(FieldError("a.b", "too long"),))
    assert (error.fields[0].name, error.fields[0].message) == ("a.b", "too long")
    assert CommonError("SomeException", 418, "tea").status == 418


def test_clocks():
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(90)
    assert clock.now() == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)
    assert clock.monotonic() == 90
    real = SystemClock()
    assert real.now().tzinfo is UTC
    assert real.monotonic() <= real.monotonic()
