"""JSON and JSON lines: a record per object of a list or line, its values with their names, as the file spells them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers.builder import Builder
from rocamadre.knowledge.parsers.encodings import decode
from rocamadre.knowledge.parsers.file import File
from rocamadre.knowledge.parsers.formats import MEDIA_TYPES
from rocamadre.knowledge.parsers.parsed import Parsed

_DEEPEST_NAME = 4
_LONGEST_NAME = 200


def parse_json(file: File) -> Parsed:
    """See `Parser`."""
    text, _ = decode(file.data)
    text = text.strip().removeprefix("\ufeff")
    builder = Builder(file.limits.characters)
    form = file.format
    if form == "json":
        try:
            _add(builder, _loads(text))
        except ValueError as error:
            # A file of lines is often called .json.
            if "\n" not in text:
                raise Refused(f"the file is no JSON: {error}") from error
            form = "jsonl"
            builder = Builder(file.limits.characters)
    if form == "jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    _add(builder, _loads(line))
                except ValueError as error:
                    raise Refused(f"line {number} of the file is no JSON") from error
    return builder.parsed(MEDIA_TYPES[form])


def _loads(text: str) -> Any:
    """With numbers as they are written: no digit is lost, and none is too many."""
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def _add(builder: Builder, value: Any) -> None:
    several = isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)
    items = value if several else [value]
    for item in items:
        builder.gap(2 if isinstance(item, (dict, list)) else 1)
        builder.record("\n".join(f"{name}: {text}" if name else text for name, text in _leaves(item)))


def _leaves(value: Any) -> Iterator[tuple[str, str]]:
    """Every value that is no object or list, with the names on the way to it; empty ones are left out."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while waiting:
        path, found = waiting.pop()
        if isinstance(found, dict):
            waiting += [((*path, name)[-_DEEPEST_NAME:], each) for name, each in reversed(found.items())]
        elif isinstance(found, list) and all(isinstance(each, (str, bool)) or each is None for each in found):
            yield _name(path), ", ".join(_shown(each) for each in found if each is not None)
        elif isinstance(found, list):
            waiting += [(path, each) for each in reversed(found)]
        elif found is not None and found != "":
            yield _name(path), _shown(found)


def _shown(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _name(path: tuple[str, ...]) -> str:
    return ".".join(path)[:_LONGEST_NAME]
