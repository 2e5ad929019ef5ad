"""Values that a service model allows: as few members as possible, or all of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rocamadre.testing.strings import matching

Shapes = Mapping[str, Any]

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_DOCUMENT = {"text": "é", "list": [1, 2.5, True, None], "nested": {"x": {}}}
_WHOLE_NUMBERS = ("integer", "long")


class Examples:
    """Makes values in the form that boto3 takes: bytes for blobs, aware datetimes for timestamps.

    Args:
        shapes: A service's shapes, in botocore's form.
        known: Values for members by name, at any depth, instead of made-up ones; a function makes a new one each time.
    """

    def __init__(self, shapes: Shapes, known: Mapping[str, Any] | None = None) -> None:
        self._shapes = shapes
        self._known = known or {}

    def minimal(self, shape: str) -> Any:
        """A value with required members only; the smallest that its constraints allow."""
        return self._value(shape, (), full=False, choice=0)

    def full(self, shape: str, *, choice: int = 0) -> Any:
        """A value with every member.

        Args:
            shape: Its name.
            choice: Which member a union has, modulo how many there are: counting up from 0 shows all of them.
        """
        return self._value(shape, (), full=True, choice=choice)

    def choices(self, shape: str) -> int:
        """How many values of `choice` show every union member and every item of an enum at most once too often."""
        seen: set[str] = set()
        waiting, most = [shape], 1
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            model = self._shapes[name]
            if model.get("union"):
                most = max(most, len(_plain(model["members"])))
            waiting += [reference["shape"] for reference in references(model).values()]
        return most

    def _value(self, name: str, above: tuple[str, ...], *, full: bool, choice: int) -> Any:
        shape = self._shapes[name]
        kind = shape["type"]
        if kind == "structure":
            if shape.get("document"):
                return _DOCUMENT if full else {}
            return self._structure(name, above, full=full, choice=choice)
        within = (*above, name)
        if kind == "list":
            item = shape["member"]["shape"]
            count = max(shape.get("min", 0), 1 if full and within.count(name) < 2 else 0)
            if not count:
                return []
            # Items of a list that may hold several kinds differ, so that fewer requests show more.
            return [self._value(item, within, full=full, choice=choice + index) for index in range(count)]
        if kind == "map":
            count = max(shape.get("min", 0), 1 if full and within.count(name) < 2 else 0)
            keys = self._keys(shape["key"]["shape"], count)
            return {key: self._value(shape["value"]["shape"], within, full=full, choice=choice) for key in keys}
        return scalar(shape, choice if full else 0)

    def _structure(self, name: str, above: tuple[str, ...], *, full: bool, choice: int) -> Any:
        shape = self._shapes[name]
        within = (*above, name)
        members, required = _plain(shape["members"]), shape.get("required", ())
        if shape.get("union"):
            wanted = self._union_member(members, within, choice)
        elif full and within.count(name) < 2:
            wanted = [name for name in members if name in required or not self._endless(members[name]["shape"], within)]
        else:
            wanted = [name for name in members if name in required]
        return {member: self._member(member, members[member], within, full=full, choice=choice) for member in wanted}

    def _member(
        self, member: str, reference: Mapping[str, Any], within: tuple[str, ...], *, full: bool, choice: int
    ) -> Any:
        if member in self._known:
            known = self._known[member]
            value = known() if callable(known) else known
            # A name may stand for another kind of member further down: the source of a text, and that of an image.
            if isinstance(value, dict) == (self._shapes[reference["shape"]]["type"] in ("structure", "map")):
                return value
        value = self._value(reference["shape"], within, full=full, choice=choice)
        if value == [] and reference.get("location") == "querystring":
            # In a query, an empty list is no list.
            return [self._value(self._shapes[reference["shape"]]["member"]["shape"], within, full=full, choice=choice)]
        return value

    def _union_member(self, members: Mapping[str, Any], within: tuple[str, ...], choice: int) -> list[str]:
        ending = [member for member in members if not self._endless(members[member]["shape"], within)]
        names = ending or list(members)
        return [names[choice % len(names)]] if names else []

    def _endless(self, name: str, within: tuple[str, ...]) -> bool:
        """Whether a member would only repeat what stands above it."""
        shape = self._shapes[name]
        if shape["type"] == "list":
            name = shape["member"]["shape"]
        elif shape["type"] == "map":
            name = shape["value"]["shape"]
        return within.count(name) > 0

    def _keys(self, shape: str, count: int) -> list[str]:
        first = scalar(self._shapes[shape], 0)
        enum = self._shapes[shape].get("enum")
        return list(enum[:count]) if enum else [first + "0" * index for index in range(count)]


def _plain(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: reference for name, reference in members.items() if "eventstream" not in reference}


def references(shape: Mapping[str, Any]) -> dict[str, Any]:
    """What a shape is made of, by a name for each part."""
    kind = shape["type"]
    if kind == "structure":
        return dict(shape["members"])
    if kind == "list":
        return {"member": shape["member"]}
    return {"key": shape["key"], "value": shape["value"]} if kind == "map" else {}


def scalar(shape: Mapping[str, Any], choice: int) -> Any:
    """A value of a shape that holds no others."""
    kind, least = shape["type"], shape.get("min", 0)
    if kind == "string":
        if enum := shape.get("enum"):
            return enum[choice % len(enum)]
        if pattern := shape.get("pattern"):
            return matching(pattern, least=least, most=shape.get("max"))
        return "a" * max(least, 1 if shape.get("max", 1) else 0)
    if kind in _WHOLE_NUMBERS:
        return min(max(least, 1), shape.get("max", 1 << 30))
    if kind in ("float", "double"):
        return float(min(max(least, 0.5), shape.get("max", 1e9)))
    if kind == "boolean":
        return choice % 2 == 0
    if kind == "timestamp":
        return MOMENT
    return b"x" * max(least, 1)
