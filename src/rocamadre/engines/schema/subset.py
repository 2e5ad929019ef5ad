"""Which part of JSON Schema is enforced while a model writes, and schemas brought to one plain form.

The plain form has few kinds of node, so that what follows (bounds, grammars, examples) stays small:

```
True, False                       anything, nothing
{"enum": [...]}                   one of these values
{"anyOf": [node, ...]}            one of these
{"$ref": name}                    a node of `Plain.nodes`; only where a schema is recursive or used twice
{"type": "string" | "number" | "integer" | "boolean" | "null" | "array" | "object", ...}
```

It may be narrower than the schema, never wider: whatever follows the plain form follows the schema. A keyword that says
nothing about values (`title`, `default`) is left out. `oneOf` is taken where its branches cannot overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.schema.merging import NeedsNode, disjoint, merge

Node: TypeAlias = "bool | dict[str, Any]"

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_DATE = (
    r"[12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    r"|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])"
AS_PATTERNS = {
    "date": f"^{_DATE}$",
    "date-time": f"^{_DATE}T{_TIME}$",
    "time": f"^{_TIME}$",
    "uri": r"^https?://[a-z0-9]([a-z0-9-]{0,30}\.){0,3}[a-z]{2,12}(/[A-Za-z0-9._~-]{0,30}){0,4}$",
}
"""String formats as patterns, narrower than the formats (no leap days and seconds), where llguidance knows none or a
looser one."""
FORMATS = ("date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid")
"""String formats that are enforced."""
OF_TYPE: dict[str, tuple[str, ...]] = {
    "object": (
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "maxProperties",
    ),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Keywords by the type that they speak of."""
COMBINING = ("type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions")
ANNOTATIONS = (
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "nullable",
    "strict",
)
"""Taken and without effect, like everything that begins with `x-`."""
ENFORCED = (*COMBINING, *(name for names in OF_TYPE.values() for name in names))
MOST_NODES = 10_000
MOST_DEPTH = 64

_COUNTS = ("minProperties", "maxProperties", "minItems", "maxItems", "minLength", "maxLength")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


@dataclass(slots=True)
class Plain:
    """A schema in the plain form.

    Attributes:
        root: Where it begins.
        nodes: What `$ref` names.
        dropped: Places and keywords that are not enforced, as `at: keyword`; only with `relax`.
    """

    root: Node
    nodes: dict[str, Node] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


def check_schema(schema: Any, *, at: str, relax: bool = False) -> Plain:
    """Bring a schema to the plain form.

    Args:
        schema: As the client sent it.
        at: Where it stands in the request, for errors.
        relax: Drop what cannot be enforced instead of refusing it.

    Raises:
        InvalidRequest: it is no JSON Schema, nothing can follow it, it is too large, or (without `relax`) a keyword
            cannot be enforced; the message names it.
    """
    reader = _Reader(schema, at, relax=relax)
    try:
        plain = Plain(reader.read(schema, "#", 0), reader.nodes, reader.dropped)
    except RecursionError:
        raise InvalidRequest(f"{at}: the JSON Schema is nested too deeply") from None
    if plain.root is False:
        raise InvalidRequest(f"{at}: nothing can follow this JSON Schema: its conditions exclude each other")
    return plain


class _Reader:
    def __init__(self, root: Any, at: str, *, relax: bool) -> None:
        self._root = root
        self._at = at
        self._relax = relax
        self._count = 0
        self._reading: set[str] = set()
        self.nodes: dict[str, Node] = {}
        self.dropped: list[str] = []

    def read(self, schema: Any, where: str, depth: int) -> Node:
        self._count += 1
        if self._count > MOST_NODES or depth > MOST_DEPTH:
            raise InvalidRequest(
                f"{self._at}: the JSON Schema is too large; it may have {MOST_NODES} parts, nested {MOST_DEPTH} deep"
            )
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise self._wrong(where, f"a schema is an object or a boolean, not {type(schema).__name__}")
        for name in schema:
            if name not in ENFORCED and name not in ANNOTATIONS and not str(name).startswith("x-"):
                self._drop(where, str(name))
        node = self._own(schema, where, depth)
        for name in ("anyOf", "oneOf"):
            if name in schema:
                node = self._merge(node, self._branches(schema, name, where, depth), where)
        for index, part in enumerate(self._list(schema, "allOf", where)):
            node = self._merge(node, self.read(part, f"{where}/allOf/{index}", depth + 1), where)
        if "$ref" in schema:
            node = self._merge(node, self._reference(schema["$ref"], where, depth), where)
        return node

    def _own(self, schema: Mapping[str, Any], where: str, depth: int) -> Node:
        """What the schema says itself, without its combinations."""
        node = self._typed(schema, where, depth)
        values = self._list(schema, "enum", where) if "enum" in schema else None
        if "enum" in schema and not values:
            raise self._wrong(f"{where}/enum", "it holds no value")
        if values is not None:
            node = self._merge(node, {"enum": list(values)}, where)
        if "const" in schema:
            node = self._merge(node, {"enum": [schema["const"]]}, where)
        return node

    def _typed(self, schema: Mapping[str, Any], where: str, depth: int) -> Node:
        kinds = schema.get("type")
        if kinds is None:
            # Keywords speak of one type only; without `type` others would pass. Narrower is allowed, and what is meant.
            kinds = [kind for kind, names in OF_TYPE.items() if any(name in schema for name in names)][:1]
            if not kinds:
                return True
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not isinstance(kinds, list) or not kinds or any(kind not in TYPES for kind in kinds):
            raise self._wrong(f"{where}/type", f"{_shown(schema.get('type'))}; types are {', '.join(TYPES)}")
        nodes = [self._kind(kind, schema, where, depth) for kind in dict.fromkeys(kinds)]
        return nodes[0] if len(nodes) == 1 else {"anyOf": nodes}

    def _kind(self, kind: str, schema: Mapping[str, Any], where: str, depth: int) -> Node:
        node: dict[str, Any] = {"type": kind}
        for name in OF_TYPE.get("number" if kind == "integer" else kind, ()):
            if name not in schema:
                continue
            value = schema[name]
            if name in _COUNTS and not (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
                raise self._wrong(f"{where}/{name}", f"{_shown(value)}; it must be an integer of at least 0")
            if name in _BOUNDS and (not isinstance(value, int | float) or isinstance(value, bool)):
                raise self._wrong(f"{where}/{name}", f"{_shown(value)}; it must be a number")
            node[name] = value
        if kind == "string":
            self._check_string(node, where)
        elif kind == "array":
            self._read_array(node, where, depth)
        elif kind == "object":
            self._read_object(node, where, depth)
        return node

    def _check_string(self, node: dict[str, Any], where: str) -> None:
        for name in ("pattern", "format"):
            if name in node and not isinstance(node[name], str):
                raise self._wrong(f"{where}/{name}", f"{_shown(node[name])}; it must be a string")
        if "format" in node and node["format"] not in FORMATS:
            self._drop(where, "format", f"the format {_shown(node['format'])}; enforced are {', '.join(FORMATS)}")
            del node["format"]
        if node.get("format") in AS_PATTERNS and "pattern" not in node:
            node["pattern"] = AS_PATTERNS[node.pop("format")]

    def _read_array(self, node: dict[str, Any], where: str, depth: int) -> None:
        if isinstance(node.get("items"), list):  # Drafts before 2020-12 wrote prefixItems so.
            node["prefixItems"] = node.pop("items")
        prefix = self._list(node, "prefixItems", where)
        node["prefixItems"] = [
            self.read(part, f"{where}/prefixItems/{index}", depth + 1) for index, part in enumerate(prefix)
        ]
        node["items"] = self.read(node.get("items", True), f"{where}/items", depth + 1)

    def _read_object(self, node: dict[str, Any], where: str, depth: int) -> None:
        empty = "properties" in node and not any(node.get(name) for name in ("properties", "patternProperties"))
        for name in ("properties", "patternProperties"):
            members = node.get(name, {})
            if not isinstance(members, Mapping):
                raise self._wrong(f"{where}/{name}", f"{_shown(members)}; it must be an object of schemas")
            node[name] = {
                str(key): self.read(part, f"{where}/{name}/{key}", depth + 1) for key, part in members.items()
            }
        required = self._list(node, "required", where)
        if any(not isinstance(name, str) for name in required):
            raise self._wrong(f"{where}/required", "it must be an array of strings")
        node["required"] = list(dict.fromkeys(required))
        if node.get("minProperties", 0) > max(1, len({*node["properties"], *required})):
            # A model may write the same name twice, which counts once.
            self._drop(where, "minProperties", "minProperties over 1 where the names are free")
            del node["minProperties"]
        extra = node.get("additionalProperties")
        if extra is None and empty and not node["required"]:
            extra = False  # `{"properties": {}}` is how clients write that there is nothing to say.
        node["additionalProperties"] = (
            None if extra is None else self.read(extra, f"{where}/additionalProperties", depth + 1)
        )

    def _branches(self, schema: Mapping[str, Any], name: str, where: str, depth: int) -> Node:
        parts = self._list(schema, name, where)
        if not parts:
            raise self._wrong(f"{where}/{name}", "it holds no schema")
        nodes = [self.read(part, f"{where}/{name}/{index}", depth + 1) for index, part in enumerate(parts)]
        if name == "oneOf" and not disjoint(nodes, self.nodes):
            self._drop(where, "oneOf", "oneOf whose branches may overlap; write anyOf, or tell them apart by a const")
        return {"anyOf": nodes} if len(nodes) > 1 else nodes[0]

    def _reference(self, reference: Any, where: str, depth: int) -> Node:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise self._wrong(f"{where}/$ref", f"{_shown(reference)}; references within the schema are taken only")
        if reference not in self.nodes:
            target = self._root
            for part in reference[1:].split("/")[1:]:
                key = unquote(part).replace("~1", "/").replace("~0", "~")
                if isinstance(target, Mapping) and key in target:
                    target = target[key]
                elif isinstance(target, list) and key.isdecimal() and int(key) < len(target):
                    target = target[int(key)]
                else:
                    raise self._wrong(f"{where}/$ref", f"{_shown(reference)} points nowhere")
            if reference in self._reading:
                return {"$ref": reference}
            self._reading.add(reference)
            self.nodes[reference] = self.read(target, reference, depth + 1)
            self._reading.discard(reference)
        return {"$ref": reference}

    def _merge(self, one: Node, other: Node, where: str) -> Node:
        try:
            merged: Node = merge(one, other, self.nodes)
            return merged
        except NeedsNode as needs:
            if not self._relax:
                raise self._wrong(where, f"{needs}; write it as one schema") from None
            self.dropped.append(f"{where}: {needs}")
            return one if other is True else other

    def _list(self, schema: Mapping[str, Any], name: str, where: str) -> list[Any]:
        value: Any = schema.get(name, [])
        if not isinstance(value, list):
            raise self._wrong(f"{where}/{name}", f"{_shown(value)}; it must be an array")
        return value

    def _drop(self, where: str, keyword: str, why: str = "") -> None:
        if self._relax:
            self.dropped.append(f"{where}: {keyword}")
            return
        shown = why or f"the JSON Schema keyword {keyword[:80]!r}"
        raise InvalidRequest(
            f"{self._at} at {where}: Rocamadre cannot enforce {shown}. Keywords enforced: {', '.join(ENFORCED)}"
        )

    def _wrong(self, where: str, what: str) -> InvalidRequest:
        return InvalidRequest(f"{self._at} is not a valid JSON Schema at {where}: {what}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
