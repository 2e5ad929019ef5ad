"""Values against whole schemas, for the keywords that no grammar enforces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing.exceptions import Unresolvable

_MOST_STEPS = 20_000
_QUIET = re2.Options()
_QUIET.log_errors = False


class _TooLong(Exception):
    """The schema takes too many steps on this value."""


def is_valid(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value follows a schema; False also where that takes too long to tell.

    Patterns run in linear time (RE2); one that needs look-around counts as not followed.
    """
    steps = 0

    def counted(rule: Callable[..., Any]) -> Callable[..., Any]:
        def run(validator: Any, part: Any, instance: Any, whole: Any) -> Iterator[Any]:
            nonlocal steps
            steps += 1
            if steps > _MOST_STEPS:
                raise _TooLong
            yield from rule(validator, part, instance, whole) or ()

        return run

    every = {**Draft202012Validator.VALIDATORS, **_LINEAR}
    rules = {name: counted(rule) for name, rule in every.items()}
    try:
        return bool(extend(Draft202012Validator, rules)(dict(schema)).is_valid(value))
    except (_TooLong, RecursionError, Unresolvable, re2.error, TypeError, ValueError, AttributeError):
        return False


def _pattern(_validator: Any, pattern: Any, instance: Any, _whole: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re2.compile(pattern, _QUIET).search(instance):
        yield ValidationError("no match")


def _pattern_properties(validator: Any, parts: Any, instance: Any, _whole: Any) -> Iterator[Any]:
    for pattern, part in parts.items() if isinstance(instance, dict) else ():
        compiled = re2.compile(pattern, _QUIET)
        for name, value in instance.items():
            if compiled.search(name):
                yield from validator.descend(value, part)


_LINEAR = {"pattern": _pattern, "patternProperties": _pattern_properties}
