"""From values by member name to the HTTP request that carries them, written apart from botocore and from the server."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request without its signature.

    Attributes:
        path: Percent-encoded.
        query: Without `?`.
        headers: By lower-case name.
    """

    method: str
    path: bytes
    query: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def wire_value(value: Any, shapes: Mapping[str, Any], name: str) -> Any:
    """A value as JSON holds it: base64 for bytes, times in their shape's form; what is wrong already stays wrong."""
    shape = shapes[name]
    kind = shape["type"]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return _time(value, shape.get("timestampFormat", "unixTimestamp"))
    if kind == "structure" and isinstance(value, dict) and not shape.get("document"):
        members = shape["members"]
        return {key: wire_value(item, shapes, members[key]["shape"]) for key, item in value.items()}
    if kind == "map" and isinstance(value, dict):
        return {key: wire_value(item, shapes, shape["value"]["shape"]) for key, item in value.items()}
    if kind == "list" and isinstance(value, list):
        return [wire_value(item, shapes, shape["member"]["shape"]) for item in value]
    return value


def _time(moment: datetime, form: str) -> Any:
    if form == "unixTimestamp":
        return int(moment.timestamp())
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wire_request(model: Mapping[str, Any], operation: str, params: Mapping[str, Any]) -> WireRequest:
    """The request that carries `params`.

    Args:
        model: A service's model, in botocore's form.
        operation: Its name.
        params: By member name; need not be valid.
    """
    http = model["operations"][operation]["http"]
    shape = model["shapes"].get(model["operations"][operation].get("input", {}).get("shape"), {"members": {}})
    members, payload = shape["members"], shape.get("payload")
    path, queries, headers, body = http["requestUri"].partition("?")[0], [], {}, {}
    for name, value in params.items():
        reference = members.get(name, {})
        wire_name, location = reference.get("locationName", name), reference.get("location")
        if location == "uri":
            path = path.replace(f"{{{wire_name}}}", quote(_text(value), safe=""))
            path = path.replace(f"{{{wire_name}+}}", quote(_text(value), safe="/"))
        elif location == "querystring":
            queries += _pairs(wire_name, value)
        elif location == "header":
            headers[wire_name.lower()] = _text(value)
        else:
            body[wire_name] = value
    content = _body(body, payload, model["shapes"], members)
    if not payload and (body or any("location" not in reference for reference in members.values())):
        headers["content-type"] = "application/json"
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in queries)
    return WireRequest(http["method"], path.encode(), query.encode(), headers, content)


def _body(body: Mapping[str, Any], payload: str | None, shapes: Mapping[str, Any], members: Mapping[str, Any]) -> bytes:
    if payload is None:
        content = {name: wire_value(value, shapes, members[name]["shape"]) for name, value in body.items()}
        return json.dumps(content).encode() if content else b""
    value = body.get(payload)
    name = members[payload]["shape"]
    if value is None or shapes[name].get("eventstream"):
        return b""
    if shapes[name]["type"] == "blob" and isinstance(value, bytes):
        return value
    return json.dumps(wire_value(value, shapes, name)).encode()


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, list):
        return [(name, _text(item)) for item in value]
    if isinstance(value, dict):
        return [(key, _text(item)) for key, item in value.items()]
    return [(name, _text(value))]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(_time(value, "iso8601")) if isinstance(value, datetime) else str(value)
