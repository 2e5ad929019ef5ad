"""Readers of values: parse and check in one pass, against every trait that a shape carries.

A reader takes a JSON value, the path to it and the list of failures so far; it returns the Python value. It never
stops at the first failure: AWS reports all of them in one sentence.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rocamadre.api.wire.patterns import matcher
from rocamadre.api.wire.times import parse_timestamp
from rocamadre.core.errors import FieldError, InvalidRequest

Shapes: TypeAlias = dict[str, dict[str, Any]]

_LONGEST_ECHO = 64
_DEEPEST_DOCUMENT = 100
_INT_BITS = {"integer": 31, "long": 63}


@dataclass(slots=True)
class Findings:
    """What reading a request brought up.

    Attributes:
        failures: `(path, value as text or None, constraint)` of each broken trait.
        unknown: Paths of members that the model does not have; they are ignored, as AWS does, but reported.
    """

    failures: list[tuple[str, str | None, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def fail(self, path: str, value: Any, constraint: str, *, secret: bool = False) -> None:
        """Note a failure; the value is shown when it is short, scalar and not secret."""
        text = None
        if value is None:
            text = "null"
        elif not secret and isinstance(value, str | int | float) and len(str(value)) <= _LONGEST_ECHO:
            text = f"'{value}'"
        self.failures.append((path, text, constraint))

    def error(self) -> InvalidRequest:
        """All failures as one error, worded as AWS words it."""
        sentences = [
            f"Value {text + ' ' if text else ''}at '{path}' failed to satisfy constraint: {constraint}"
            for path, text, constraint in self.failures
        ]
        count = len(sentences)
        head = f"{count} validation error{'s' if count > 1 else ''} detected: "
        fields = tuple(FieldError(path, constraint) for path, _, constraint in self.failures)
        return InvalidRequest(head + "; ".join(sentences), fields=fields)


Reader: TypeAlias = Callable[[Any, str, Findings], Any]


class ReaderCompiler:
    """Compiles a service's shapes into readers, each once.

    Args:
        shapes: The service model's shapes, in botocore's form.
    """

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._readers: dict[tuple[str, str], Reader] = {}

    def reader(self, name: str, *, timestamp_form: str = "unixTimestamp") -> Reader:
        """The reader of a shape.

        Args:
            name: The shape's name.
            timestamp_form: What timestamps look like where their shape does not say.
        """
        key = (name, timestamp_form)
        if key not in self._readers:
            # A shape may contain itself: while it is being compiled, its own members reach it through the table.
            self._readers[key] = lambda value, path, found: self._readers[key](value, path, found)  # noqa: PLW0108
            self._readers[key] = self.compile(self._shapes[name], timestamp_form)
        return self._readers[key]

    def compile(self, shape: dict[str, Any], timestamp_form: str) -> Reader:
        """The reader of a shape given in full, not by name."""
        kind = shape["type"]
        if kind == "structure":
            return read_document if shape.get("document") else self._structure(shape, timestamp_form)
        if kind == "list":
            return self._list(shape, timestamp_form)
        if kind == "map":
            return self._map(shape, timestamp_form)
        if kind == "string":
            return _string(shape)
        if kind == "blob":
            return _blob(shape)
        if kind == "boolean":
            return _read_boolean
        if kind == "timestamp":
            return _timestamp(shape.get("timestampFormat", timestamp_form))
        return _number(shape)

    def _structure(self, shape: dict[str, Any], timestamp_form: str) -> Reader:
        members = {
            reference.get("locationName", name): (name, self.reader(reference["shape"], timestamp_form=timestamp_form))
            for name, reference in shape["members"].items()
        }
        required = tuple(shape.get("required", ()))
        union = bool(shape.get("union"))
        choices = ", ".join(members)

        def read(value: Any, path: str, found: Findings) -> Any:
            if type(value) is not dict:
                found.fail(path, value, "Member must be a structure")
                return None
            result: dict[str, Any] = {}
            prefix = f"{path}." if path else ""
            for key, item in value.items():
                member = members.get(key)
                if member is None:
                    if key != "__type":
                        found.unknown.append(prefix + key)
                elif item is not None:
                    name, reader = member
                    result[name] = reader(item, prefix + key, found)
            for name in required:
                if name not in result:
                    found.fail(prefix + name, None, "Member must not be null")
            if union and len(result) != 1:
                found.fail(path, "", f"Member must have exactly one of these set: {choices}", secret=True)
            return result

        return read

    def _list(self, shape: dict[str, Any], timestamp_form: str) -> Reader:
        reader = self.reader(shape["member"]["shape"], timestamp_form=timestamp_form)
        least, most = shape.get("min", 0), shape.get("max", math.inf)

        def read(value: Any, path: str, found: Findings) -> Any:
            if type(value) is not list:
                found.fail(path, value, "Member must be a list")
                return None
            _check_length(value, path, found, least, most)
            if len(value) > most:
                return None  # A list of a million bad items is one failure, not a million.
            result = []
            for index, item in enumerate(value, 1):
                if item is None:
                    found.fail(f"{path}.{index}.member", None, "Member must not be null")
                else:
                    result.append(reader(item, f"{path}.{index}.member", found))
            return result

        return read

    def _map(self, shape: dict[str, Any], timestamp_form: str) -> Reader:
        key_reader = self.reader(shape["key"]["shape"])
        reader = self.reader(shape["value"]["shape"], timestamp_form=timestamp_form)
        least, most = shape.get("min", 0), shape.get("max", math.inf)

        def read(value: Any, path: str, found: Findings) -> Any:
            if type(value) is not dict:
                found.fail(path, value, "Member must be a map")
                return None
            _check_length(value, path, found, least, most)
            if len(value) > most:
                return None
            result = {}
            for key, item in value.items():
                key_reader(key, f"{path}.key", found)
                if item is None:
                    found.fail(f"{path}.{key}.member", None, "Member must not be null")
                else:
                    result[key] = reader(item, f"{path}.{key}.member", found)
            return result

        return read


def _check_length(value: Any, path: str, found: Findings, least: float, most: float) -> None:
    if len(value) < least:
        found.fail(path, value, f"Member must have length greater than or equal to {least}")
    if len(value) > most:
        found.fail(path, value, f"Member must have length less than or equal to {most}")


def _string(shape: dict[str, Any]) -> Reader:
    least, most = shape.get("min", 0), shape.get("max", math.inf)
    choices = frozenset(shape.get("enum", ()))
    listed = ", ".join(shape.get("enum", ()))
    pattern = shape.get("pattern")
    secret = bool(shape.get("sensitive"))

    def read(value: Any, path: str, found: Findings) -> Any:
        if type(value) is not str:
            found.fail(path, value, "Member must be a string", secret=secret)
            return None
        if len(value) < least:
            found.fail(path, value, f"Member must have length greater than or equal to {least}", secret=secret)
        elif len(value) > most:
            found.fail(path, value, f"Member must have length less than or equal to {most}", secret=secret)
        if choices and value not in choices:
            found.fail(path, value, f"Member must satisfy enum value set: [{listed}]", secret=secret)
        # Longer than allowed has failed already; matching it too would only cost time.
        if pattern is not None and len(value) <= most and not matcher(pattern)(value):
            found.fail(path, value, f"Member must satisfy regular expression pattern: {pattern}", secret=secret)
        return value

    return read


def _number(shape: dict[str, Any]) -> Reader:
    kind = shape["type"]
    bits = _INT_BITS.get(kind)
    least = shape.get("min", -math.inf if bits is None else -(1 << bits))
    most = shape.get("max", math.inf if bits is None else (1 << bits) - 1)

    def read(value: Any, path: str, found: Findings) -> Any:
        if bits is not None and type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int and (bits is not None or type(value) is not float):
            found.fail(path, value, f"Member must be a number of type {kind}")
            return None
        if not math.isfinite(value):
            found.fail(path, value, "Member must be a finite number")
        elif value < least:
            found.fail(path, value, f"Member must have value greater than or equal to {least}")
        elif value > most:
            found.fail(path, value, f"Member must have value less than or equal to {most}")
        return value if bits is not None else float(value)

    return read


def _read_boolean(value: Any, path: str, found: Findings) -> Any:
    if type(value) is not bool:
        found.fail(path, value, "Member must be a boolean")
    return value


def _blob(shape: dict[str, Any]) -> Reader:
    least, most = shape.get("min", 0), shape.get("max", math.inf)

    def read(value: Any, path: str, found: Findings) -> Any:
        if isinstance(value, bytes):  # A payload, or a header; JSON has only base64.
            data = value
        else:
            try:
                data = base64.b64decode(value, validate=True)
            except (binascii.Error, TypeError, ValueError):
                found.fail(path, None if value is None else "", "Member must be base64-encoded bytes", secret=True)
                return None
        if len(data) < least:
            found.fail(path, data, f"Member must have length greater than or equal to {least}")
        if len(data) > most:
            found.fail(path, data, f"Member must have length less than or equal to {most}")
        return data

    return read


def _timestamp(form: str) -> Reader:
    def read(value: Any, path: str, found: Findings) -> Any:
        try:
            return parse_timestamp(value, form)
        except (ValueError, TypeError, IndexError, OverflowError):
            found.fail(path, value, f"Member must be a timestamp in {form} form")
            return None

    return read


def read_document(value: Any, path: str, found: Findings) -> Any:
    """Any JSON value, at most 100 levels deep."""
    if isinstance(value, dict | list) and _depth_over(value, _DEEPEST_DOCUMENT):
        found.fail(path, "", f"Member must be nested at most {_DEEPEST_DOCUMENT} levels deep", secret=True)
    return value


def _depth_over(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
