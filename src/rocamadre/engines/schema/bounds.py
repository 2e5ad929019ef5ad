"""Schemas with an end: every string, list and recursion is given a bound, so that an answer fits the tokens it has.

A weak model told to write a string may never close it. What a bounded schema allows, the schema allows too; bounds that
the client set are kept or tightened. How wide the bounds are depends on the room there is: `fit` takes the widest under
which the longest answer fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.schema.merging import any_of
from rocamadre.engines.schema.subset import Plain


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for what a schema leaves open.

    Attributes:
        characters: Of a string.
        items: Of an array, and members of an object whose names are free.
        depth: How often a recursive part may be entered on the way down.
        free_depth: Levels of a value about which nothing is said.
    """

    characters: int
    items: int
    depth: int
    free_depth: int


LADDER = (
    Limits(8192, 100, 6, 3),
    Limits(2048, 50, 5, 3),
    Limits(1024, 24, 4, 2),
    Limits(512, 12, 4, 2),
    Limits(256, 8, 3, 2),
    Limits(128, 6, 3, 1),
    Limits(64, 4, 2, 1),
    Limits(32, 3, 2, 1),
    Limits(16, 2, 1, 0),
    Limits(8, 1, 1, 0),
)
"""From wide to narrow."""
CHARACTERS_PER_TOKEN = 1.4
"""Fewer than models write in prose: names, digits and signs are short tokens."""

_DEEPER = (8, 16, 32)
_FORMAT_CHARACTERS = 64
_NUMBER_CHARACTERS = 12
_MOST_NUMBER = 10**15 - 1
_FREE_NAME = "^[A-Za-z_][A-Za-z0-9_-]{0,23}$"
_NAME_CHARACTERS = 24
_ENDLESS = 10**12


def fit(plain: Plain, *, max_tokens: int, at: str) -> dict[str, Any]:
    """The schema within the widest bounds of `LADDER` under which its longest answer has at most `max_tokens`.

    Where none is narrow enough the narrowest is taken; the answer may then end for want of tokens.

    Raises:
        InvalidRequest: it is recursive without a way out.
    """
    room = max_tokens * CHARACTERS_PER_TOKEN
    bounded: dict[str, Any] | None = None
    for limits in LADDER:
        bounded = bound(plain, limits, at=at)
        if _longest(bounded, bounded.get("$defs", {}), {}) <= room:
            break
    assert bounded is not None
    return bounded


def bound(plain: Plain, limits: Limits, *, at: str) -> dict[str, Any]:
    """The schema within bounds, as a JSON Schema without recursion.

    Raises:
        InvalidRequest: it is recursive without a way out.
    """
    for depth in (limits.depth, *(deeper for deeper in _DEEPER if deeper > limits.depth)):
        binder = _Binder(plain.nodes, Limits(limits.characters, limits.items, depth, limits.free_depth))
        root = binder.bind(plain.root, 0)
        if root is not False:
            whole = dict(root) if isinstance(root, dict) else {}
            return {**whole, "$defs": binder.defs} if binder.defs else whole
    raise InvalidRequest(f"{at}: nothing can follow this JSON Schema: it contains itself without a way to end")


class _Binder:
    def __init__(self, nodes: Mapping[str, Any], limits: Limits) -> None:
        self._nodes = nodes
        self._limits = limits
        self._recursive = _recursive(nodes)
        self._names: dict[tuple[str, int], Any] = {}
        self.defs: dict[str, Any] = {}

    def bind(self, node: Any, depth: int) -> Any:
        if node is True:
            return self._free(self._limits.free_depth)
        if node is False or "enum" in node:
            return node
        if "$ref" in node:
            return self._reference(node["$ref"], depth)
        if "anyOf" in node:
            return any_of(self.bind(branch, depth) for branch in node["anyOf"])
        kind = node["type"]
        if kind == "string":
            return self._string(node)
        if kind == "array":
            return self._array(node, depth)
        if kind == "object":
            return self._object(node, depth)
        return self._number(node) if kind in ("number", "integer") else node

    def _reference(self, name: str, depth: int) -> Any:
        if name in self._recursive:
            depth += 1
            if depth > self._limits.depth:
                return False
        key = (name, depth)
        if key not in self._names:
            made = self.bind(self._nodes[name], depth)
            if isinstance(made, dict) and "$ref" not in made and len(made) > 1:
                short = f"d{len(self.defs)}"
                self.defs[short] = made
                made = {"$ref": f"#/$defs/{short}"}
            self._names[key] = made
        return self._names[key]

    def _string(self, node: dict[str, Any]) -> dict[str, Any]:
        # A pattern may ask for more than a narrow bound leaves room for.
        narrow = max(_FORMAT_CHARACTERS, self._limits.characters) if "pattern" in node else self._limits.characters
        widest = _FORMAT_CHARACTERS if "format" in node else narrow
        least = node.get("minLength", 0)
        return {**node, "maxLength": max(least, min(node.get("maxLength", _ENDLESS), widest))}

    def _number(self, node: dict[str, Any]) -> dict[str, Any]:
        """With at most fifteen digits before the point, which every reader of JSON keeps exact."""
        out = dict(node)
        if "minimum" not in node and "exclusiveMinimum" not in node:
            out["minimum"] = min(-_MOST_NUMBER, node.get("maximum", 0), node.get("exclusiveMaximum", 0) - 1)
        if "maximum" not in node and "exclusiveMaximum" not in node:
            out["maximum"] = max(_MOST_NUMBER, node.get("minimum", 0), node.get("exclusiveMinimum", 0) + 1)
        return out

    def _array(self, node: dict[str, Any], depth: int) -> Any:
        least, most = node.get("minItems", 0), node.get("maxItems", _ENDLESS)
        prefix: list[Any] = []
        for part in node["prefixItems"]:
            bound_part = self.bind(part, depth)
            if bound_part is False:
                most = min(most, len(prefix))
                break
            prefix.append(bound_part)
        items = self.bind(node["items"], depth)
        if items is False:
            most = min(most, len(prefix))
        if most < least:
            return False
        most = max(least, min(most, max(self._limits.items, len(prefix))))
        out: dict[str, Any] = {"type": "array", "minItems": least, "maxItems": most}
        if prefix:
            out["prefixItems"] = prefix[:most]
        # Without items there is nothing to say beyond the prefix.
        out["items"] = items if most > len(prefix) else False
        return out

    def _object(self, node: dict[str, Any], depth: int) -> Any:
        extra = node["additionalProperties"]
        names = list(dict.fromkeys([*node["properties"], *node["required"]]))
        if node["patternProperties"] or not names:
            return self._map(node, extra, depth)
        members = {}
        for name in names:
            bound_member = self.bind(node["properties"].get(name, True if extra is None else extra), depth)
            if bound_member is not False:
                members[name] = bound_member
            elif name in node["required"]:
                return False
        required = list(node["required"])
        least, most = node.get("minProperties", 0), node.get("maxProperties", _ENDLESS)
        if len(required) > most or len(members) < least:
            return False
        # Optional members, in order, until there are enough; all others away where not all may be there.
        required += [name for name in members if name not in required][: max(0, least - len(required))]
        if len(members) > most:
            spare = most - len(required)
            optional = [name for name in members if name not in required][:spare]
            members = {name: members[name] for name in members if name in required or name in optional}
        return {"type": "object", "properties": members, "required": required, "additionalProperties": False}

    def _map(self, node: dict[str, Any], extra: Any, depth: int) -> Any:
        """An object whose names are free."""
        values = self.bind(True if extra is None else extra, depth)
        patterns = {name: self.bind(part, depth) for name, part in node["patternProperties"].items()}
        patterns = {name: part for name, part in patterns.items() if part is not False}
        least = node.get("minProperties", 0)
        most = max(least, min(node.get("maxProperties", _ENDLESS), self._limits.items))
        if node["required"] or node["properties"]:
            return False if node["required"] else {"type": "object", "properties": {}, "additionalProperties": False}
        if not patterns and values is not False:
            patterns = {_FREE_NAME: values}
        if not patterns:
            return False if least else {"type": "object", "properties": {}, "additionalProperties": False}
        return {
            "type": "object",
            "patternProperties": patterns,
            "additionalProperties": False,
            "minProperties": least,
            "maxProperties": most,
        }

    def _free(self, depth: int) -> dict[str, Any]:
        plain: list[dict[str, Any]] = [
            self._string({"type": "string"}),
            self._number({"type": "number"}),
            {"type": "boolean"},
            {"type": "null"},
        ]
        if depth <= 0:
            return {"anyOf": plain}
        inner = self._free(depth - 1)
        array = {"type": "array", "items": inner, "minItems": 0, "maxItems": self._limits.items}
        record = {
            "type": "object",
            "patternProperties": {_FREE_NAME: inner},
            "additionalProperties": False,
            "minProperties": 0,
            "maxProperties": self._limits.items,
        }
        return {"anyOf": [record, array, *plain]}


def _recursive(nodes: Mapping[str, Any]) -> set[str]:
    """Names of nodes that contain themselves."""
    direct = {name: _mentioned(node) for name, node in nodes.items()}
    found = set()
    for name in nodes:
        seen: set[str] = set()
        waiting = list(direct[name])
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting += direct.get(each, ())
        if name in seen:
            found.add(name)
    return found


def _mentioned(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*(_mentioned(each) for each in node)) if node else set()
    if not isinstance(node, dict) or "enum" in node:
        return set()
    if "$ref" in node:
        return {node["$ref"]}
    found: set[str] = set()
    for value in node.values():
        if isinstance(value, dict | list):
            found |= _mentioned(value)
            if isinstance(value, dict):  # Members by name, among which may be one called `$ref`.
                for each in value.values():
                    found |= _mentioned(each)
    return {name for name in found if isinstance(name, str)}


def _longest(node: Any, defs: Mapping[str, Any], known: dict[str, float]) -> float:
    """Characters of the longest value that follows a bounded node, roughly."""
    if not isinstance(node, dict):
        return 0
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name not in known:
            known[name] = _longest(defs[name], defs, known)
        return known[name]
    if "enum" in node:
        return max(len(msgspec.json.encode(value)) for value in node["enum"])
    if "anyOf" in node:
        return max(_longest(branch, defs, known) for branch in node["anyOf"])
    return _longest_typed(node, node.get("type"), defs, known)


def _longest_typed(node: dict[str, Any], kind: Any, defs: Mapping[str, Any], known: dict[str, float]) -> float:
    if kind == "string":
        return 2 + float(node["maxLength"])
    if kind == "array":
        prefix = node.get("prefixItems", [])
        rest: float = max(0, node["maxItems"] - len(prefix))
        return (
            2
            + sum(2 + _longest(part, defs, known) for part in prefix)
            + rest * (2 + _longest(node["items"], defs, known))
        )
    if kind == "object":
        if "patternProperties" in node:
            widest = max(_longest(part, defs, known) for part in node["patternProperties"].values())
            return 2 + float(node["maxProperties"]) * (_NAME_CHARACTERS + 6 + widest)
        return 2 + sum(6 + len(name) + _longest(part, defs, known) for name, part in node["properties"].items())
    return _NUMBER_CHARACTERS
