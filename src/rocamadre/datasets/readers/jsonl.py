"""JSON Lines: one object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from rocamadre.datasets.encodings import Lines
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.readers.types import Row
from rocamadre.datasets.sources import Source, unpacked

_FIX = "write one JSON object a line, names and texts in double quotes"


def read_jsonl(source: Source, encoding: str = "") -> Iterator[Row]:
    """The objects of a file; blank lines are passed over."""
    for line in Lines(unpacked(source), encoding):
        if line.problem is not None:
            yield Row(line.number, None, line.problem)
        elif line.data.strip():
            yield _row(line.number, line.data)


def _row(number: int, data: bytes) -> Row:
    try:
        value: Any = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        return Row(number, None, BadRecord("json", "", f"it is no JSON: {error}", _FIX))
    except RecursionError:
        return Row(number, None, BadRecord("json", "", "it is nested too deeply", _FIX))
    return object_row(number, value)


def object_row(number: int, value: Any) -> Row:
    """A row of a JSON value, which must be an object."""
    if isinstance(value, dict):
        return Row(number, value)
    kind = {list: "an array", str: "a text", bool: "true or false"}.get(type(value), "a number or null")
    return Row(number, None, BadRecord("type", "", f"it is {kind}, not an object", _FIX))
