"""Metadata filters of S3 Vectors: `{"genre": "drama", "year": {"$gte": 1990}}`, `$and`, `$or`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from rocamadre.neighbours.s3vectors.errors import VectorsInvalid
from rocamadre.store.vectors.filters import MAX_CONDITIONS, MAX_DEPTH, matches, parse_filter

Test: TypeAlias = Callable[[Mapping[str, Any]], bool]

_OPERATORS = {
    "$eq": "equals",
    "$ne": "notEquals",
    "$gt": "greaterThan",
    "$gte": "greaterThanOrEquals",
    "$lt": "lessThan",
    "$lte": "lessThanOrEquals",
    "$in": "in",
    "$nin": "notIn",
}


def compile_filter(wire: Any, not_filterable: Collection[str]) -> Test:
    """What says whether metadata satisfy a filter.

    Args:
        wire: As the request has it.
        not_filterable: Keys that it may not name.

    Raises:
        VectorsInvalid: it is no filter, or names such a key.
    """
    return _Compiler(not_filterable).compile(wire, 1)


class _Compiler:
    def __init__(self, not_filterable: Collection[str]) -> None:
        self._not_filterable = not_filterable
        self._conditions = 0

    def compile(self, wire: Any, depth: int) -> Test:
        if not isinstance(wire, Mapping) or not wire:
            raise VectorsInvalid("Invalid query filter: it must be a JSON object with at least one condition")
        if depth > MAX_DEPTH:
            raise VectorsInvalid(f"Invalid query filter: it is nested deeper than {MAX_DEPTH} levels")
        tests = [self._entry(key, value, depth) for key, value in wire.items()]
        return _every(tests)

    def _entry(self, key: str, value: Any, depth: int) -> Test:
        if key in ("$and", "$or"):
            if not isinstance(value, list) or not value:
                raise VectorsInvalid(f"Invalid query filter: {key} must be a list of at least one filter")
            tests = [self.compile(each, depth + 1) for each in value]
            return _every(tests) if key == "$and" else _some(tests)
        if key.startswith("$"):
            raise VectorsInvalid(f"Invalid query filter: there is no operator {key[:50]!r}")
        if key in self._not_filterable:
            raise VectorsInvalid(f"Invalid query filter: the metadata key {key!r} is not filterable in this index")
        conditions = value if isinstance(value, Mapping) else {"$eq": value}
        if not conditions:
            raise VectorsInvalid(f"Invalid query filter: {key!r} has no condition")
        return _every([self._condition(key, operator, operand) for operator, operand in conditions.items()])

    def _condition(self, key: str, operator: str, operand: Any) -> Test:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise VectorsInvalid(f"Invalid query filter: it has more than {MAX_CONDITIONS} conditions")
        if operator == "$exists":
            if not isinstance(operand, bool):
                raise VectorsInvalid("Invalid query filter: $exists must be true or false")
            return lambda metadata: (key in metadata) is operand
        if operator not in _OPERATORS:
            allowed = ", ".join((*_OPERATORS, "$exists"))
            raise VectorsInvalid(f"Invalid query filter: {str(operator)[:50]!r} is no operator; there are {allowed}")
        where = parse_filter({_OPERATORS[operator]: {"key": key, "value": operand}}, path="Invalid query filter")
        return lambda metadata: matches(where, metadata)


def _every(tests: list[Test]) -> Test:
    return lambda metadata: all(test(metadata) for test in tests)


def _some(tests: list[Test]) -> Test:
    return lambda metadata: any(test(metadata) for test in tests)
