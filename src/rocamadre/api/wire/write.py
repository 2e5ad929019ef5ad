"""Writers of values: a response by member name becomes JSON by wire name."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeAlias

from rocamadre.api.wire.read import Shapes
from rocamadre.api.wire.times import format_timestamp

Writer: TypeAlias = Callable[[Any], Any]


class WriterCompiler:
    """Compiles a service's shapes into writers, each once.

    A shape under which nothing needs a change (no bytes, no time, no renamed member) has no writer: its value goes to
    the JSON encoder as it is.

    Args:
        shapes: The service model's shapes, in botocore's form.
    """

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._changes: dict[str, bool] = {}
        self._writers: dict[str, Writer] = {}

    def writer(self, name: str) -> Writer | None:
        """The writer of a shape, or None where its values are JSON already."""
        if not self._needs_change(name, frozenset()):
            return None
        if name not in self._writers:
            self._writers[name] = lambda value: self._writers[name](value)  # noqa: PLW0108 (looked up late)
            self._writers[name] = self._compile(self._shapes[name])
        return self._writers[name]

    def _needs_change(self, name: str, above: frozenset[str]) -> bool:
        if name in self._changes:
            return self._changes[name]
        if name in above:
            return False  # Decided by the shape's other members.
        shape = self._shapes[name]
        kind = shape["type"]
        within = above | {name}
        if kind == "structure":
            answer = any(
                reference.get("locationName", member) != member or self._needs_change(reference["shape"], within)
                for member, reference in shape["members"].items()
            )
        elif kind == "list":
            answer = self._needs_change(shape["member"]["shape"], within)
        elif kind == "map":
            answer = self._needs_change(shape["value"]["shape"], within)
        else:
            answer = kind in ("blob", "timestamp")
        if answer or not above:
            self._changes[name] = answer
        return answer

    def _compile(self, shape: dict[str, Any]) -> Writer:
        kind = shape["type"]
        if kind == "blob":
            return _write_blob
        if kind == "timestamp":
            form = shape.get("timestampFormat", "unixTimestamp")
            return lambda value: format_timestamp(value, form)
        if kind == "list":
            item = self.writer(shape["member"]["shape"])
            assert item is not None
            return lambda value: [item(each) for each in value]
        if kind == "map":
            entry = self.writer(shape["value"]["shape"])
            assert entry is not None
            return lambda value: {key: entry(each) for key, each in value.items()}
        return self.structure(shape["members"])

    def structure(self, members: dict[str, Any]) -> Writer:
        """The writer of a structure with these members; members that are None are left out."""
        table = {
            name: (reference.get("locationName", name), self.writer(reference["shape"]))
            for name, reference in members.items()
        }

        def write(value: Any) -> Any:
            result = {}
            for name, item in value.items():
                if item is not None:
                    wire_name, writer = table[name]
                    result[wire_name] = item if writer is None else writer(item)
            return result

        return write


def _write_blob(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
