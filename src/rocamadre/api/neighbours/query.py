"""AWS's query protocol: form fields in, XML out, both by the shapes of the service model."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rocamadre.api.neighbours.errors import xml_text
from rocamadre.api.wire.read import Findings, Shapes
from rocamadre.api.wire.times import format_timestamp
from rocamadre.core.errors import InvalidRequest

_INDEX = re.compile(r"[1-9]\d{0,4}")
_MOST_ITEMS = 10_000

_Tree = dict[str, Any]


class FormReader:
    """Turns `Tags.member.1.Key=…` into the value that JSON would have held.

    Args:
        shapes: The service model's.
    """

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def read(self, shape: str | None, form: Mapping[str, str], found: Findings) -> dict[str, Any]:
        """The request's members; what no shape has goes to `found.unknown`."""
        tree: _Tree = {}
        for name, text in form.items():
            if name in ("Action", "Version"):
                continue
            node = tree
            *parents, last = name.split(".")
            for part in parents:
                child = node.setdefault(part, {})
                if not isinstance(child, dict):
                    raise InvalidRequest(f"the parameter {name[:100]!r} contradicts another one")
                node = child
            if last in node:
                raise InvalidRequest(f"the parameter {name[:100]!r} contradicts another one")
            node[last] = text
        if shape is None:
            found.unknown += tree
            return {}
        value = self._value(shape, tree, "", found)
        assert isinstance(value, dict)
        return value

    def _value(self, name: str, node: Any, path: str, found: Findings) -> Any:
        shape = self._shapes[name]
        kind = shape["type"]
        if kind == "structure":
            return self._structure(shape, node, path, found) if isinstance(node, dict) else node
        if kind == "list":
            return self._list(shape, node, path, found)
        return _scalar(kind, node)

    def _structure(self, shape: dict[str, Any], node: _Tree, path: str, found: Findings) -> dict[str, Any]:
        members = {reference.get("locationName", name): reference for name, reference in shape["members"].items()}
        result = {}
        for key, child in node.items():
            inner = f"{path}.{key}" if path else key
            reference = members.get(key)
            if reference is None:
                found.unknown.append(inner)
            else:
                result[key] = self._value(reference["shape"], child, inner, found)
        return result

    def _list(self, shape: dict[str, Any], node: Any, path: str, found: Findings) -> Any:
        if node == "":
            return []  # How an empty list is written.
        wrapper = shape["member"].get("locationName", "member")
        items = node if shape.get("flattened") else node.get(wrapper) if isinstance(node, dict) else None
        if not isinstance(items, dict) or len(items) > _MOST_ITEMS or not all(map(_INDEX.fullmatch, items)):
            return node  # The reader will say that this is no list.
        ordered = sorted(items.items(), key=lambda item: int(item[0]))
        return [self._value(shape["member"]["shape"], child, f"{path}.{index}", found) for index, child in ordered]


def _scalar(kind: str, node: Any) -> Any:
    """A value as JSON would have held it; what does not fit stays text and fails the reader's type check."""
    if not isinstance(node, str):
        return node
    try:
        if kind in ("integer", "long"):
            return int(node)
        if kind in ("float", "double"):
            return float(node)
    except ValueError:
        return node
    if kind == "boolean":
        return {"true": True, "false": False}.get(node.lower(), node)
    return node


def write_xml(
    operation: str,
    value: Mapping[str, Any],
    *,
    output: Mapping[str, Any],
    shapes: Shapes,
    namespace: str,
    request_id: str,
) -> bytes:
    """A response document.

    Args:
        operation: Its name.
        value: The response by member name; None counts as absent.
        output: The operation's output in the service model; empty for none.
        shapes: The service model's.
        namespace: Of the whole document.
        request_id: Of this request.
    """
    body = ""
    if output:
        inner = _structure(shapes[output["shape"]], value, shapes)
        wrapper = output.get("resultWrapper")
        body = f"<{wrapper}>{inner}</{wrapper}>" if wrapper else inner
    return (
        f'<{operation}Response xmlns="{namespace}">{body}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    ).encode()


def _structure(shape: dict[str, Any], value: Mapping[str, Any], shapes: Shapes) -> str:
    pieces = []
    for name, item in value.items():
        if item is not None:
            reference = shape["members"][name]
            tag = reference.get("locationName", name)
            pieces.append(_element(tag, reference["shape"], item, shapes))
    return "".join(pieces)


def _element(tag: str, name: str, value: Any, shapes: Shapes) -> str:
    shape = shapes[name]
    kind = shape["type"]
    if kind == "structure":
        return f"<{tag}>{_structure(shape, value, shapes)}</{tag}>"
    if kind == "list":
        item_tag = shape["member"].get("locationName", "member")
        if shape.get("flattened"):
            return "".join(_element(tag, shape["member"]["shape"], item, shapes) for item in value)
        items = "".join(_element(item_tag, shape["member"]["shape"], item, shapes) for item in value)
        return f"<{tag}>{items}</{tag}>"
    return f"<{tag}>{xml_text(_text(kind, value, shape))}</{tag}>"


def _text(kind: str, value: Any, shape: dict[str, Any]) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str(format_timestamp(value, shape.get("timestampFormat", "iso8601")))
    if kind == "blob":
        return base64.b64encode(value).decode()
    return str(value)
