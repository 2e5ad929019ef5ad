"""A valid request broken in one trait at a time, with the path that the refusal must name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rocamadre.api.wire.patterns import matcher
from rocamadre.testing.strings import unmatching

LONGEST = 300_000
"""Limits above this many characters, bytes or items are not exceeded here; a suite would take hours to send them."""

_MOST_ITEMS = 5_000


class Broken(NamedTuple):
    """One request with one fault.

    Attributes:
        path: Of the member at fault, as a ValidationException spells it.
        trait: What is broken, for example `max length`.
        place: `shape.member trait`: the same place may be reached by several paths.
        params: The request by member name.
    """

    path: str
    trait: str
    place: str
    params: dict[str, Any]


class _Change(NamedTuple):
    """A fault at or below a value: the value with the fault, and where."""

    path: str
    trait: str
    place: str
    value: Any


_GONE = object()


def broken(model: Mapping[str, Any], operation: str, params: Mapping[str, Any]) -> Iterator[Broken]:
    """Every way to break one trait of a valid request.

    Args:
        model: A service's model, in botocore's form.
        operation: Its name.
        params: Valid, by member name.
    """
    shapes = model["shapes"]
    name = model["operations"][operation].get("input", {}).get("shape")
    if name is None:
        return
    shape = shapes[name]
    for member, value in params.items():
        reference = shape["members"][member]
        location = "payload" if shape.get("payload") == member else reference.get("location", "body")
        faults = _faults(shapes, reference["shape"], value, member, f"{name}.{member}")
        if member in shape.get("required", ()):
            faults = _and_gone(faults, member, f"{name}.{member}")
        for change in faults:
            if _travels(change, shapes[reference["shape"]], location):
                rest = {key: item for key, item in params.items() if key != member}
                changed = rest if change.value is _GONE else {**params, member: change.value}
                yield Broken(change.path, change.trait, f"{change.place} {change.trait}", changed)


def _and_gone(faults: Iterator[_Change], path: str, place: str) -> Iterator[_Change]:
    yield from faults
    yield _Change(path, "required", place, _GONE)


def _travels(change: _Change, shape: Mapping[str, Any], location: str) -> bool:
    """Whether a fault survives the way to the server: paths, queries and headers carry nothing but text."""
    if location == "body" or (location == "payload" and shape["type"] != "blob"):
        return True
    if location == "payload":
        return change.trait in ("min length", "max length") and change.value != b""
    if change.value is _GONE:
        return location != "uri"
    typed = change.trait in ("type", "null item")
    if location == "uri":
        return not typed and change.value != ""
    if location == "header":
        return not typed and str(change.value).isascii() and str(change.value).strip() == str(change.value) != ""
    numbers = shape["type"] in ("integer", "long", "float", "double", "boolean")
    return numbers or (not typed and change.value not in ([], {}))


def _faults(shapes: Mapping[str, Any], name: str, value: Any, path: str, place: str) -> Iterator[_Change]:
    shape = shapes[name]
    kind = shape["type"]
    if kind == "structure":
        if not shape.get("document"):
            yield from _structure_faults(shapes, name, value, path, place)
    elif kind in ("list", "map"):
        yield from (_list_faults if kind == "list" else _map_faults)(shapes, shape, value, path, place)
    else:
        for trait, wrong in _scalar_faults(shape):
            yield _Change(path, trait, place, wrong)


def _structure_faults(shapes: Mapping[str, Any], name: str, value: Any, path: str, place: str) -> Iterator[_Change]:
    shape = shapes[name]
    yield _Change(path, "type", place, "text")
    if shape.get("union"):
        yield _Change(path, "union of none", place, {})
        other = next((member for member in shape["members"] if member not in value), None)
        if other is not None and _harmless(shapes, shape["members"][other]["shape"]) is not None:
            second = _harmless(shapes, shape["members"][other]["shape"])
            yield _Change(path, "union of two", place, {**value, other: second})
    for member, item in value.items():
        below, spot = f"{path}.{member}", f"{name}.{member}"
        if member in shape.get("required", ()):
            yield _Change(below, "required", spot, {key: each for key, each in value.items() if key != member})
        for change in _faults(shapes, shape["members"][member]["shape"], item, below, spot):
            yield change._replace(value={**value, member: change.value})


def _harmless(shapes: Mapping[str, Any], name: str) -> Any:
    """A value that no more than one constraint could mind: enough to make a union's second member."""
    shape = shapes[name]
    if shape["type"] == "structure" and not shape.get("required") and not shape.get("union"):
        return {}
    if shape["type"] == "list" and not shape.get("min"):
        return []
    return None


def _list_faults(
    shapes: Mapping[str, Any], shape: Mapping[str, Any], value: list[Any], path: str, place: str
) -> Iterator[_Change]:
    yield _Change(path, "type", place, {})
    if shape.get("min", 0) > 0:
        yield _Change(path, "min length", place, value[: shape["min"] - 1])
    if value and shape.get("max", _MOST_ITEMS) < _MOST_ITEMS:
        yield _Change(path, "max length", place, (value * (shape["max"] + 1))[: shape["max"] + 1])
    if value:
        yield _Change(f"{path}.{len(value)}.member", "null item", place, [*value[:-1], None])
        for change in _faults(shapes, shape["member"]["shape"], value[0], f"{path}.1.member", f"{place}[]"):
            yield change._replace(value=[change.value, *value[1:]])


def _map_faults(
    shapes: Mapping[str, Any], shape: Mapping[str, Any], value: dict[str, Any], path: str, place: str
) -> Iterator[_Change]:
    yield _Change(path, "type", place, [])
    if shape.get("min", 0) > 0:
        yield _Change(path, "min length", place, dict(list(value.items())[: shape["min"] - 1]))
    if not value:
        return
    key, item = next(iter(value.items()))
    if shape.get("max", _MOST_ITEMS) < _MOST_ITEMS:
        extra = {f"{key}{index}": item for index in range(shape["max"] + 1)}
        yield _Change(path, "max length", place, extra)
    yield _Change(f"{path}.{key}.member", "null item", place, {**value, key: None})
    for trait, wrong in _scalar_faults(shapes[shape["key"]["shape"]]):
        if isinstance(wrong, str):
            yield _Change(f"{path}.key", trait, f"{place}{{key}}", {wrong: item})
    for change in _faults(shapes, shape["value"]["shape"], item, f"{path}.{key}.member", f"{place}{{}}"):
        yield change._replace(value={**value, key: change.value})


def _scalar_faults(shape: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    kind = shape["type"]
    if kind == "string":
        yield from _string_faults(shape)
    elif kind == "blob":
        yield "type", "no base64!"
        yield from _length_faults(shape, b"x")
    elif kind in ("integer", "long", "float", "double"):
        yield from _number_faults(shape)
    else:
        yield "type", "neither"


def _string_faults(shape: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "type", 7
    if shape.get("enum"):
        yield "enum", "no-such-choice"
        return
    pattern, least, most = shape.get("pattern"), shape.get("min", 0), shape.get("max")
    yield from _length_faults(shape, "a")
    if pattern is not None:
        wrong = unmatching(pattern, least=least, most=most)
        if wrong is not None and not matcher(pattern)(wrong):
            yield "pattern", wrong


def _length_faults(shape: Mapping[str, Any], unit: Any) -> Iterator[tuple[str, Any]]:
    if shape.get("min", 0) > 0:
        yield "min length", unit * (shape["min"] - 1)
    if shape.get("max", LONGEST) < LONGEST:
        yield "max length", unit * (shape["max"] + 1)


def _number_faults(shape: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    whole = shape["type"] in ("integer", "long")
    yield "type", "many"
    if whole:
        yield "type", 1.5
        yield "max", 1 << (31 if shape["type"] == "integer" else 63)
    if "min" in shape:
        yield "min", shape["min"] - 1
    if "max" in shape:
        yield "max", shape["max"] + 1
