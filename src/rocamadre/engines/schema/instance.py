"""A small value that follows a schema: what the fake engine answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from rocamadre.engines.schema.bounds import Limits, bound
from rocamadre.engines.schema.grammar import follows, json_rule, some_sentence
from rocamadre.engines.schema.subset import AS_PATTERNS, Plain

_SMALL = Limits(64, 1, 1, 0)
_FORMATS = {
    "duration": "P1D",
    "email": "someone@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_PATTERNS = {
    AS_PATTERNS["date"]: "2026-01-31",
    AS_PATTERNS["date-time"]: "2026-01-31T12:00:00Z",
    AS_PATTERNS["time"]: "12:00:00Z",
    AS_PATTERNS["uri"]: "https://example.org/",
}


def small_instance(plain: Plain, *, at: str) -> Any:
    """A value that follows the schema: required members only, shortest lists, least numbers.

    Raises:
        InvalidRequest: nothing follows it.
    """
    bounded = bound(plain, _SMALL, at=at)
    value = _made(bounded, bounded.get("$defs", {}))
    grammar = "start: " + json_rule(bounded)
    if follows(grammar, json.dumps(value, ensure_ascii=False)):
        return value
    return msgspec.json.decode(some_sentence(grammar, 0))


def _match(pattern: str, seed: int, *, least: int = 0, most: int = 24) -> str:
    """A string that a pattern matches."""
    schema = {"type": "string", "pattern": pattern, "minLength": least, "maxLength": max(least, most)}
    text: str = msgspec.json.decode(some_sentence("start: " + json_rule(schema), seed))
    return text


def _made(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    if "$ref" in node:
        return _made(defs[node["$ref"].rpartition("/")[2]], defs)
    if "enum" in node:
        return node["enum"][0]
    if "anyOf" in node:
        return _made(node["anyOf"][0], defs)
    kind = node.get("type", "object")
    if kind == "object":
        return _object(node, defs)
    if kind == "array":
        prefix = node.get("prefixItems", [])
        return [
            _made(prefix[place] if place < len(prefix) else node["items"], defs) for place in range(node["minItems"])
        ]
    if kind == "string":
        return _string(node)
    return {"boolean": True, "null": None}.get(kind) if kind in ("boolean", "null") else _number(node)


def _object(node: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    if "patternProperties" not in node:
        return {name: _made(node.get("properties", {})[name], defs) for name in node.get("required", ())}
    pattern, part = next(iter(node["patternProperties"].items()))
    names = (_match(pattern, index) for index in range(node["minProperties"]))
    return {name: _made(part, defs) for name in names}


def _string(node: Mapping[str, Any]) -> str:
    if "format" in node:
        return _FORMATS[node["format"]]
    if node.get("pattern") in _PATTERNS:
        return _PATTERNS[node["pattern"]]
    if "pattern" in node:
        return _match(node["pattern"], 0, least=node.get("minLength", 0), most=node["maxLength"])
    return "text"[: node["maxLength"]].ljust(node.get("minLength", 0), "x")


def _number(node: Mapping[str, Any]) -> int | float:
    """The number nearest to zero from above, or the least, that keeps the bounds."""
    low = node.get("minimum", node.get("exclusiveMinimum"))
    high = node.get("maximum", node.get("exclusiveMaximum"))
    step = node.get("multipleOf", 1)
    value: float = 0 if low is None or low <= 0 else -(-low // step) * step
    if high is not None and value > high:
        value = high // step * step
    if value == node.get("exclusiveMinimum"):
        value += step
    if value == node.get("exclusiveMaximum"):
        value -= step
    if low is not None and high is not None and not low <= value <= high:
        value = (low + high) / 2
    elif value in (node.get("exclusiveMinimum"), node.get("exclusiveMaximum")):
        value = (low + high) / 2 if low is not None and high is not None else value
    return int(value) if node["type"] == "integer" or float(value).is_integer() else value
