"""What follows two schemas at once, and whether anything can; on the plain form of `subset.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import combinations
from typing import Any

_LARGER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_MOST_BRANCHES = 500
_NAMES = {bool: "boolean", type(None): "null", str: "string", int: "integer", float: "number", list: "array"}


class NeedsNode(Exception):
    """Two schemas that no single plain node can stand for; the message says which keywords meet."""


def merge(one: Any, other: Any, nodes: Mapping[str, Any]) -> Any:
    """The node that both follow; False where nothing does.

    Args:
        one: A plain node.
        other: Another.
        nodes: What references name.

    Raises:
        NeedsNode: the plain form has no such node.
    """
    if one is True or other is False:
        return other
    if other is True or one is False:
        return one
    if "$ref" in one or "$ref" in other:
        return merge(_resolved(one, nodes), _resolved(other, nodes), nodes)
    if "anyOf" in one or "anyOf" in other:
        return _merge_branches(one, other, nodes)
    if "enum" in one or "enum" in other:
        return _merge_values(one, other)
    return _merge_typed(one, other, nodes)


def any_of(nodes: Iterable[Any]) -> Any:
    """One of these; branches that nothing follows are gone."""
    kept = [node for node in nodes if node is not False]
    if any(node is True for node in kept):
        return True
    if not kept:
        return False
    return kept[0] if len(kept) == 1 else {"anyOf": kept}


def _resolved(node: Any, nodes: Mapping[str, Any]) -> Any:
    for _ in range(100):
        if not (isinstance(node, dict) and "$ref" in node):
            return node
        if node["$ref"] not in nodes:
            raise NeedsNode("a recursive $ref beside other conditions")
        node = nodes[node["$ref"]]
    raise NeedsNode("a $ref that refers to itself")


def _merge_branches(one: Any, other: Any, nodes: Mapping[str, Any]) -> Any:
    left, right = one.get("anyOf", [one]), other.get("anyOf", [other])
    if len(left) * len(right) > _MOST_BRANCHES:
        raise NeedsNode(f"{len(left)} branches combined with {len(right)}")
    return any_of(merge(first, second, nodes) for first in left for second in right)


def _merge_values(one: dict[str, Any], other: dict[str, Any]) -> Any:
    if "enum" not in one:
        one, other = other, one
    if "enum" in other:
        kept = [value for value in one["enum"] if any(_same(value, each) for each in other["enum"])]
    elif set(other) - {"type", "properties", "required", "additionalProperties", "patternProperties"} - {
        "items",
        "prefixItems",
    } or (other["type"] in ("object", "array") and _says_something(other)):
        raise NeedsNode(f"enum or const beside {', '.join(sorted(set(other) - {'type'}))}")
    else:
        kept = [value for value in one["enum"] if is_of_type(value, other["type"])]
    return {"enum": kept} if kept else False


def _says_something(node: dict[str, Any]) -> bool:
    if node["type"] == "array":
        return bool(node["prefixItems"]) or node["items"] is not True
    return bool(node["properties"] or node["required"] or node["patternProperties"]) or (
        node["additionalProperties"] not in (None, True)
    )


def _merge_typed(one: dict[str, Any], other: dict[str, Any], nodes: Mapping[str, Any]) -> Any:
    kinds = {one["type"], other["type"]}
    if kinds == {"integer", "number"}:
        kinds = {"integer"}
    if len(kinds) > 1:
        return False
    node = {**one, **other, "type": kinds.pop()}
    for name in {*one} & {*other} - {"type"}:
        if name in _LARGER or name in _SMALLER:
            node[name] = (max if name in _LARGER else min)(one[name], other[name])
        elif name in ("pattern", "format", "multipleOf") and one[name] != other[name]:
            raise NeedsNode(f"two different values of {name}")
    if node["type"] == "array":
        _merge_arrays(node, one, other, nodes)
    elif node["type"] == "object":
        _merge_objects(node, one, other, nodes)
    return node


def _merge_arrays(node: dict[str, Any], one: Any, other: Any, nodes: Mapping[str, Any]) -> None:
    length = max(len(one["prefixItems"]), len(other["prefixItems"]))
    node["prefixItems"] = [merge(_item(one, place), _item(other, place), nodes) for place in range(length)]
    node["items"] = merge(one["items"], other["items"], nodes)


def _item(array: dict[str, Any], place: int) -> Any:
    prefix = array["prefixItems"]
    return prefix[place] if place < len(prefix) else array["items"]


def _merge_objects(node: dict[str, Any], one: Any, other: Any, nodes: Mapping[str, Any]) -> None:
    if one["patternProperties"] or other["patternProperties"]:
        raise NeedsNode("patternProperties combined with another object")
    names = list(dict.fromkeys([*one["properties"], *other["properties"]]))
    node["properties"] = {name: merge(_member(one, name), _member(other, name), nodes) for name in names}
    node["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    extras = [each for each in (one["additionalProperties"], other["additionalProperties"]) if each is not None]
    node["additionalProperties"] = reduce(lambda a, b: merge(a, b, nodes), extras) if extras else None


def _member(node: dict[str, Any], name: str) -> Any:
    if name in node["properties"]:
        return node["properties"][name]
    extra = node["additionalProperties"]
    return True if extra is None else extra


def disjoint(branches: Sequence[Any], nodes: Mapping[str, Any]) -> bool:
    """Whether no value can follow two of the branches; False also where that is not certain."""
    if len(branches) * len(branches) > _MOST_BRANCHES * 8:
        return False
    return all(_apart(one, other, nodes, 0) for one, other in combinations(branches, 2))


def _apart(one: Any, other: Any, nodes: Mapping[str, Any], depth: int) -> bool:
    if depth > 8:
        return False
    try:
        one, other = _resolved(one, nodes), _resolved(other, nodes)
    except NeedsNode:
        return False
    if one is False or other is False:
        return True
    if one is True or other is True:
        return False
    if "anyOf" in one:
        return all(_apart(branch, other, nodes, depth + 1) for branch in one["anyOf"])
    if "anyOf" in other:
        return _apart(other, one, nodes, depth)
    if "enum" in one or "enum" in other:
        try:
            return _merge_values(one, other) is False
        except NeedsNode:
            return False
    kinds = {one["type"], other["type"]}
    if len(kinds) == 2:
        return kinds != {"integer", "number"}
    return one["type"] == "object" and _told_apart(one, other, nodes, depth)


def _told_apart(one: Any, other: Any, nodes: Mapping[str, Any], depth: int) -> bool:
    """Whether a required member of both can never be the same, or one requires what the other forbids."""
    for name in one["required"]:
        if other["additionalProperties"] is False and name not in other["properties"]:
            return True
        if name in other["required"] and _apart(_member(one, name), _member(other, name), nodes, depth + 1):
            return True
    return any(one["additionalProperties"] is False and name not in one["properties"] for name in other["required"])


def is_of_type(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a JSON Schema type.

    >>> is_of_type(2.0, "integer"), is_of_type(True, "number")
    (True, False)
    """
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "integer":
        return not isinstance(value, bool) and (
            isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        )
    return _NAMES.get(type(value), "object") == kind


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
