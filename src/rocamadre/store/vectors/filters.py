"""Conditions on chunks' metadata, as Bedrock's `RetrievalFilter` has them.

A condition looks at one attribute. An attribute that is a list satisfies `equals`, `in`, `startsWith` and
`stringContains` when one of its members does; `listContains` wants a list. `notEquals` and `notIn` are the opposites of
`equals` and `in`, so that a chunk without the attribute satisfies them. Values of different kinds are never equal and
never in order; strings are compared by code point, with case.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rocamadre.core.errors import InvalidRequest

Scalar: TypeAlias = str | int | float | bool

COMPARISONS = ("greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals")
CONDITIONS = (
    "equals",
    "notEquals",
    *COMPARISONS,
    "in",
    "notIn",
    "startsWith",
    "listContains",
    "stringContains",
)
GROUPS = ("andAll", "orAll")

MAX_KEY_CHARS = 100
MAX_DEPTH = 10
MAX_CONDITIONS = 200
MAX_VALUES = 1000

_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Condition:
    """One attribute held against a value.

    Attributes:
        operator: One of `CONDITIONS`.
        key: The attribute's name.
        value: A tuple for `in` and `notIn`, else a scalar; a string for the three that look into strings, a number or
            string for comparisons.
    """

    operator: str
    key: str
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Filters of which all or one must be satisfied; `operator` is one of `GROUPS`."""

    operator: str
    filters: tuple[Filter, ...]


Filter: TypeAlias = Condition | Group


def all_of(*filters: Filter | None) -> Filter | None:
    """The filter that is satisfied when all of these are; what is None does not count.

    >>> all_of(None, Condition("equals", "year", 2024))
    Condition(operator='equals', key='year', value=2024)
    """
    present = tuple(each for each in filters if each is not None)
    if len(present) < 2:
        return present[0] if present else None
    return Group("andAll", present)


def parse_filter(wire: Mapping[str, Any], *, path: str = "filter") -> Filter:
    """Read a filter in Bedrock's form.

    Args:
        wire: For example `{"andAll": [{"equals": {"key": "animal", "value": "cat"}}, ...]}`.
        path: Where it stands in the request, for messages.

    Raises:
        InvalidRequest: it is none; the message says where and why.
    """
    parsed = _parse(wire, path, 1)
    conditions = sum(1 for _ in conditions_of(parsed))
    if conditions > MAX_CONDITIONS:
        raise InvalidRequest(f"{path} has {conditions} conditions; at most {MAX_CONDITIONS} are allowed")
    return parsed


def _parse(wire: Any, path: str, depth: int) -> Filter:
    if not isinstance(wire, Mapping):
        raise InvalidRequest(f"{path} must be an object with one operator, not {type(wire).__name__}")
    given = [name for name, value in wire.items() if value is not None]
    if len(given) != 1:
        found = ", ".join(map(str, given)) or "none"
        raise InvalidRequest(f"{path} must have exactly one operator; it has {found}")
    operator = given[0]
    inner = wire[operator]
    here = f"{path}.{operator}"
    if operator in GROUPS:
        if not isinstance(inner, list | tuple) or len(inner) < 2:
            raise InvalidRequest(f"{here} must be a list of at least 2 filters")
        if depth >= MAX_DEPTH:
            raise InvalidRequest(f"{here} is nested too deeply; at most {MAX_DEPTH} levels are allowed")
        if len(inner) > MAX_CONDITIONS:
            raise InvalidRequest(f"{here} has {len(inner)} filters; at most {MAX_CONDITIONS} are allowed")
        return Group(operator, tuple(_parse(each, f"{here}[{at}]", depth + 1) for at, each in enumerate(inner)))
    if operator not in CONDITIONS:
        raise InvalidRequest(
            f"{path}: {str(operator)[:100]!r} is no operator; there are {', '.join(CONDITIONS + GROUPS)}"
        )
    if not isinstance(inner, Mapping) or "key" not in inner or "value" not in inner:
        raise InvalidRequest(f"{here} must have the members key and value")
    key = inner["key"]
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY_CHARS:
        raise InvalidRequest(f"{here}.key must be a string of 1 to {MAX_KEY_CHARS} characters")
    return Condition(operator, key, _value(operator, inner["value"], f"{here}.value"))


def _value(operator: str, value: Any, path: str) -> Scalar | tuple[Scalar, ...]:
    if operator in ("in", "notIn"):
        if not isinstance(value, list | tuple) or not value:
            raise InvalidRequest(f"{path} must be a list of at least one string, number or boolean")
        if len(value) > MAX_VALUES:
            raise InvalidRequest(f"{path} has {len(value)} values; at most {MAX_VALUES} are allowed")
        return tuple(_scalar(each, f"{path}[{at}]") for at, each in enumerate(value))
    if operator in COMPARISONS:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InvalidRequest(f"{path} must be a number (or a string, compared by code point) for {operator}")
        return _scalar(value, path)
    if operator in ("startsWith", "listContains", "stringContains"):
        scalars = (str, int, float) if operator == "listContains" else (str,)
        if not isinstance(value, scalars):
            raise InvalidRequest(f"{path} must be a string for {operator}")
    return _scalar(value, path)


def _scalar(value: Any, path: str) -> Scalar:
    scalar = canonical(value)
    if scalar is None:
        raise InvalidRequest(f"{path} must be a string, a number or a boolean, not {type(value).__name__}")
    if isinstance(scalar, str) and not encodable(scalar):
        raise InvalidRequest(f"{path} holds half a character (a lone surrogate)")
    return scalar


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8; lone surrogates cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def to_wire(where: Filter) -> dict[str, Any]:
    """A filter in Bedrock's form; `parse_filter` reads it back.

    >>> to_wire(Condition("in", "year", (2023, 2024)))
    {'in': {'key': 'year', 'value': [2023, 2024]}}
    """
    if isinstance(where, Group):
        return {where.operator: [to_wire(each) for each in where.filters]}
    value = list(where.value) if isinstance(where.value, tuple) else where.value
    return {where.operator: {"key": where.key, "value": value}}


def conditions_of(where: Filter) -> Iterator[Condition]:
    """Every condition of a tree, from left to right."""
    if isinstance(where, Condition):
        yield where
    else:
        for each in where.filters:
            yield from conditions_of(each)


def canonical(value: Any) -> Scalar | None:
    """A scalar as it is compared: whole numbers of 64 bits as int, other finite numbers as float; None: it is none.

    >>> canonical(2.0), canonical(True), canonical([1])
    (2, True, None)
    """
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if -_INT64 <= value < _INT64:
            return value
        return float(value) if abs(value) < 10**308 else None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and -_INT64 <= value < _INT64 else value
    return None


def kind_of(scalar: Scalar) -> int:
    """0 for a string, 1 for a number, 2 for a boolean; scalars of different kinds are not compared."""
    if isinstance(scalar, bool):
        return 2
    return 0 if isinstance(scalar, str) else 1


def matches(where: Filter, metadata: Mapping[str, Any]) -> bool:
    """Whether metadata satisfy a filter: what each store's own way must agree with.

    >>> matches(Condition("startsWith", "animal", "ca"), {"animal": ["dog", "cat"]})
    True
    """
    if isinstance(where, Group):
        satisfied = (matches(each, metadata) for each in where.filters)
        return all(satisfied) if where.operator == "andAll" else any(satisfied)
    if where.operator in ("notEquals", "notIn"):
        return not matches(positive(where), metadata)
    stored = metadata.get(where.key)
    if where.operator == "listContains" and not isinstance(stored, list | tuple):
        return False
    members = stored if isinstance(stored, list | tuple) else (stored,)
    scalars = (scalar for scalar in map(canonical, members) if scalar is not None)
    return any(_satisfies(where.operator, scalar, where.value) for scalar in scalars)


def positive(where: Condition) -> Condition:
    """The condition of which `notEquals` or `notIn` is the opposite."""
    return Condition("equals" if where.operator == "notEquals" else "in", where.key, where.value)


def _satisfies(operator: str, stored: Scalar, value: Scalar | tuple[Scalar, ...]) -> bool:
    if isinstance(value, tuple):
        return any(_satisfies("equals", stored, each) for each in value)
    if kind_of(stored) != kind_of(value):
        return False
    if operator in _ORDER:
        return _ORDER[operator](stored, value)
    return isinstance(stored, str) and _TEXT[operator](stored, str(value))


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda stored, value: stored == value,
    "listContains": lambda stored, value: stored == value,
    "greaterThan": lambda stored, value: stored > value,
    "greaterThanOrEquals": lambda stored, value: stored >= value,
    "lessThan": lambda stored, value: stored < value,
    "lessThanOrEquals": lambda stored, value: stored <= value,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "startsWith": lambda stored, value: stored.startswith(value),
    "stringContains": lambda stored, value: value in stored,
}

Fragment: TypeAlias = tuple[str, list[Any]]


def compile_filter(where: Filter, leaf: Callable[[Condition], Fragment]) -> Fragment:
    """A filter as an SQL condition and its parameters, in order.

    Args:
        where: The filter.
        leaf: The SQL of one condition, never `notEquals` or `notIn`; its value must be true or false, not null.

    >>> compile_filter(Condition("notEquals", "year", 3), lambda condition: (f"{condition.key} = ?", [condition.value]))
    ('NOT (year = ?)', [3])
    """
    if isinstance(where, Condition):
        if where.operator in ("notEquals", "notIn"):
            sql, values = leaf(positive(where))
            return f"NOT ({sql})", values
        return leaf(where)
    parts = [compile_filter(each, leaf) for each in where.filters]
    joined = (" AND " if where.operator == "andAll" else " OR ").join(f"({sql})" for sql, _ in parts)
    return joined, [value for _, values in parts for value in values]


def after_prefix(prefix: str) -> str | None:
    """The least string greater than all that begin so, by code point; None where there is none.

    >>> after_prefix("ca"), after_prefix("")
    ('cb', None)
    """
    for at in range(len(prefix) - 1, -1, -1):
        following = ord(prefix[at]) + 1
        if following == 0xD800:  # surrogates are no characters
            following = 0xE000
        if following <= 0x10FFFF:
            return prefix[:at] + chr(following)
    return None


def attributes(metadata: Mapping[str, Any]) -> list[tuple[str, bool, Scalar]]:
    """What can be searched for in metadata: name, whether it is a member of a list, and the scalar; each once.

    >>> attributes({"year": 2024.0, "tags": ["a", "b", "a"], "nothing": None})
    [('year', False, 2024), ('tags', True, 'a'), ('tags', True, 'b')]
    """
    found: dict[tuple[str, bool, int, Scalar], tuple[str, bool, Scalar]] = {}
    for key, value in metadata.items():
        listed = isinstance(value, list | tuple)
        members: Sequence[Any] = value if listed else (value,)
        for scalar in map(canonical, members):
            if scalar is not None:
                found.setdefault((key, listed, kind_of(scalar), scalar), (key, listed, scalar))
    return list(found.values())
