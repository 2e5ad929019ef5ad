"""One API operation compiled: requests in, responses out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from rocamadre.api.wire.models import ServiceModel
from rocamadre.api.wire.read import Findings, Reader, ReaderCompiler
from rocamadre.api.wire.times import format_timestamp
from rocamadre.api.wire.write import Writer, WriterCompiler
from rocamadre.core.errors import InvalidRequest

_BodyReader: TypeAlias = Callable[[bytes, Mapping[str, str], dict[str, Any], Findings], None]

_JSON_TYPES = ("application/json", "application/x-amz-json-1.1", "application/x-amz-json-1.0")


@dataclass(frozen=True, slots=True)
class DeclaredError:
    """An error shape that an operation may answer.

    Attributes:
        code: Its name on the wire.
        status: HTTP status.
        message_key: How its message member is spelled.
        has_fields: Whether it carries a `fieldList`.
    """

    code: str
    status: int
    message_key: str
    has_fields: bool


@dataclass(frozen=True, slots=True)
class _Bound:
    """A member that travels outside the body."""

    name: str
    wire_name: str
    kind: str
    reader: Reader
    item_kind: str = ""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A response ready to send: exactly one of `body` and `events` is meant."""

    status: int
    headers: dict[str, str]
    body: bytes
    events: AsyncIterator[Mapping[str, Any]] | None = None


class Service:
    """A service's model with its compilers.

    Args:
        name: botocore's name of the service.
        model: As `models.load_models` returns it.
    """

    def __init__(self, name: str, model: ServiceModel) -> None:
        self.name = name
        self.shapes: dict[str, dict[str, Any]] = model["shapes"]
        self.readers = ReaderCompiler(self.shapes)
        self.writers = WriterCompiler(self.shapes)
        self.operations = {key: Operation(self, key, value) for key, value in model["operations"].items()}

    def declared(self, shape_name: str) -> DeclaredError:
        """An error shape, as the wire needs it."""
        shape = self.shapes[shape_name]
        error = shape.get("error", {})
        members = shape.get("members", {})
        message_key = next((name for name in members if name.lower() == "message"), "message")
        return DeclaredError(
            error.get("code", shape_name), error.get("httpStatusCode", 500), message_key, "fieldList" in members
        )


class Operation:
    """One operation; its parts are compiled when first used.

    Args:
        service: The service it belongs to.
        name: For example `Converse`.
        model: The operation in botocore's form.
    """

    def __init__(self, service: Service, name: str, model: dict[str, Any]) -> None:
        self.service = service
        self.name = name
        self.method: str = model["http"]["method"]
        self.uri: str = model["http"]["requestUri"]
        self.status: int = model["http"].get("responseCode", 200)
        self._model = model

    @cached_property
    def errors(self) -> dict[str, DeclaredError]:
        """The errors that this operation declares, by code."""
        declared = [self.service.declared(shape) for shape in self._model["errors"]]
        return {error.code: error for error in declared}

    # -- requests ------------------------------------------------------------------------------------------------

    @cached_property
    def _input(self) -> dict[str, Any]:
        shape = self._model.get("input", {}).get("shape")
        return self.service.shapes[shape] if shape else {"members": {}}

    @cached_property
    def token_member(self) -> str | None:
        """The input's idempotency token, if it has one."""
        return next((name for name, member in self._input["members"].items() if member.get("idempotencyToken")), None)

    @cached_property
    def token_place(self) -> tuple[str, bool]:
        """The idempotency token's name on the wire, and whether it travels as a header."""
        member = self._input["members"][self.token_member]
        return member.get("locationName", self.token_member), member.get("location") == "header"

    @cached_property
    def takes_events(self) -> bool:
        """Whether the request itself is an event stream (HTTP/2 only; not served)."""
        payload: str | None = self._input.get("payload")
        return payload is not None and bool(self._shape_of(self._input, payload).get("eventstream"))

    @cached_property
    def read(self) -> Callable[[Mapping[str, str], bytes, Mapping[str, str], bytes], tuple[dict[str, Any], list[str]]]:
        """Parse and check a request.

        The function takes the path's labels (decoded), the raw query, the headers by lower-case name and the body;
        it returns the request by member name and the paths of unknown members, and raises `InvalidRequest` naming
        every broken trait.
        """
        shape = self._input
        labels, queries, headers = self._bound("uri"), self._bound("querystring"), self._bound("header")
        read_body = self._body_reader(shape)
        required = tuple(shape.get("required", ()))

        def read(
            path_labels: Mapping[str, str], query: bytes, head: Mapping[str, str], body: bytes
        ) -> tuple[dict[str, Any], list[str]]:
            found = Findings()
            request: dict[str, Any] = {}
            for bound in labels:
                value = _from_text(path_labels[bound.wire_name], bound.kind)
                request[bound.name] = bound.reader(value, bound.name, found)
            if queries and query:
                _read_query(query, queries, request, found)
            for bound in headers:
                text = head.get(bound.wire_name)
                if text is not None:
                    request[bound.name] = bound.reader(_from_text(text, bound.kind), bound.name, found)
            try:
                read_body(body, head, request, found)
            except RecursionError:
                raise InvalidRequest("the body is nested too deeply") from None
            for name in required:
                if name not in request:
                    found.fail(name, None, "Member must not be null")
            if found.failures:
                raise found.error()
            return request, found.unknown

        return read

    def _shape_of(self, structure: dict[str, Any], member: str) -> dict[str, Any]:
        return self.service.shapes[structure["members"][member]["shape"]]

    def _bound(self, location: str) -> list[_Bound]:
        result = []
        default_form = "rfc822" if location == "header" else "iso8601"
        for name, member in self._input["members"].items():
            if member.get("location") != location:
                continue
            wire_name = member.get("locationName", name)
            shape = self.service.shapes[member["shape"]]
            item = self.service.shapes[shape["member"]["shape"]]["type"] if shape["type"] == "list" else ""
            reader = self.service.readers.reader(member["shape"], timestamp_form=default_form)
            result.append(
                _Bound(name, wire_name.lower() if location == "header" else wire_name, shape["type"], reader, item)
            )
        return result

    def _body_reader(self, shape: dict[str, Any]) -> _BodyReader:
        payload = shape.get("payload")
        if payload is not None:
            reader = self.service.readers.reader(shape["members"][payload]["shape"])
            return _payload_reader(payload, reader, raw=self._shape_of(shape, payload)["type"] == "blob")
        return _members_reader(
            {
                member.get("locationName", name): (name, self.service.readers.reader(member["shape"]))
                for name, member in shape["members"].items()
                if "location" not in member
            }
        )

    # -- responses -----------------------------------------------------------------------------------------------

    @cached_property
    def _output(self) -> dict[str, Any]:
        shape = self._model.get("output", {}).get("shape")
        return self.service.shapes[shape] if shape else {"members": {}}

    @cached_property
    def stream_member(self) -> str | None:
        """The output member that is an event stream, if there is one."""
        return next(
            (name for name in self._output["members"] if self._shape_of(self._output, name).get("eventstream")), None
        )

    @cached_property
    def event_writers(self) -> dict[str, Writer | None]:
        """Event type to the writer of its payload."""
        if self.stream_member is None:
            return {}
        union = self._shape_of(self._output, self.stream_member)
        return {
            name: self.service.writers.writer(member["shape"])
            for name, member in union["members"].items()
            if not self.service.shapes[member["shape"]].get("error")
        }

    @cached_property
    def event_errors(self) -> dict[str, tuple[str, DeclaredError]]:
        """Error code to the exception frame's type and shape."""
        if self.stream_member is None:
            return {}
        union = self._shape_of(self._output, self.stream_member)
        result = {}
        for name, member in union["members"].items():
            if self.service.shapes[member["shape"]].get("error"):
                declared = self.service.declared(member["shape"])
                result[declared.code] = (name, declared)
        return result

    @cached_property
    def write(self) -> Callable[[Mapping[str, Any]], Encoded]:
        """Serialise a response given by member name."""
        members = self._output["members"]
        bound = {
            name: (member.get("locationName", name).lower(), self.service.shapes[member["shape"]])
            for name, member in members.items()
            if member.get("location") == "header"
        }
        payload = self._output.get("payload")
        stream = self.stream_member
        payload_kind = self._shape_of(self._output, payload)["type"] if payload else ""
        payload_writer = self.service.writers.writer(members[payload]["shape"]) if payload and not stream else None
        write_body = self.service.writers.structure(
            {name: member for name, member in members.items() if name not in bound}
        )
        status = self.status

        def write(response: Mapping[str, Any]) -> Encoded:
            headers: dict[str, str] = {}
            if bound:
                for name, (wire_name, shape) in bound.items():
                    value = response.get(name)
                    if value is not None:
                        headers[wire_name] = _to_text(value, shape)
                response = {name: value for name, value in response.items() if name not in bound}
            if stream is not None:
                headers["content-type"] = "application/vnd.amazon.eventstream"
                return Encoded(status, headers, b"", response[stream])
            if payload_kind == "blob" and payload is not None:
                headers.setdefault("content-type", "application/json")
                return Encoded(status, headers, response.get(payload) or b"")
            headers["content-type"] = "application/json"
            if payload is not None:
                value = response.get(payload)
                if value is not None and payload_writer is not None:
                    value = payload_writer(value)
                return Encoded(status, headers, b"" if value is None else msgspec.json.encode(value))
            if status == 204:
                return Encoded(status, {}, b"")
            return Encoded(status, headers, msgspec.json.encode(write_body(response)))

        return write

    def check(self, encoded: Encoded) -> list[str]:
        """What is wrong with a response's body, read as its own output shape; used by tests and `--strict`."""
        if self.stream_member or self._output.get("payload") or not encoded.body:
            return []
        found = Findings()
        output = {**self._output, "members": {k: v for k, v in self._output["members"].items() if "location" not in v}}
        output["required"] = [name for name in output.get("required", ()) if name in output["members"]]
        compiler = self.service.readers
        compiler.compile(output, "unixTimestamp")(msgspec.json.decode(encoded.body), "", found)
        return [f"{path}: {constraint}" for path, _, constraint in found.failures] + [
            f"{path}: not in the model" for path in found.unknown
        ]


def _payload_reader(name: str, reader: Reader, *, raw: bool) -> _BodyReader:
    """The whole body is one member: as it stands when `raw`, else as JSON."""

    def read(body: bytes, head: Mapping[str, str], request: dict[str, Any], found: Findings) -> None:
        if body:
            request[name] = reader(body if raw else _json(body, head), name, found)

    return read


def _members_reader(members: dict[str, tuple[str, Reader]]) -> _BodyReader:
    """The body is a JSON object of members, by wire name."""

    def read(body: bytes, head: Mapping[str, str], request: dict[str, Any], found: Findings) -> None:
        if not members or not body:
            return
        value = _json(body, head)
        if type(value) is not dict:
            raise InvalidRequest("the body must be a JSON object")
        for key, item in value.items():
            member = members.get(key)
            if member is None:
                found.unknown.append(key)
            elif item is not None:
                request[member[0]] = member[1](item, key, found)

    return read


def _json(body: bytes, headers: Mapping[str, str]) -> Any:
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type and content_type not in _JSON_TYPES and content_type not in ("application/octet-stream", "*/*"):
        raise InvalidRequest(f"Content-Type {content_type!r} is not taken; send application/json")
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error


def _read_query(query: bytes, queries: list[_Bound], request: dict[str, Any], found: Findings) -> None:
    pairs = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True)
    taken = {bound.wire_name for bound in queries if bound.kind != "map"}
    for bound in queries:
        if bound.kind == "map":  # A map takes every parameter that no other member claims.
            rest = {name: value for name, value in pairs if name not in taken}
            if rest:
                request[bound.name] = bound.reader(rest, bound.name, found)
            continue
        values = [value for name, value in pairs if name == bound.wire_name]
        if not values:
            continue
        value: Any = (
            [_from_text(each, bound.item_kind) for each in values]
            if bound.kind == "list"
            else _from_text(values[-1], bound.kind)
        )
        request[bound.name] = bound.reader(value, bound.name, found)


def _from_text(text: str, kind: str) -> Any:
    """A value as JSON would have held it; what does not fit stays text and fails the reader's type check."""
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
    except ValueError:
        return text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _to_text(value: Any, shape: dict[str, Any]) -> str:
    if shape["type"] == "boolean":
        return "true" if value else "false"
    if shape["type"] == "timestamp":
        return str(format_timestamp(value, shape.get("timestampFormat", "rfc822")))
    return str(value)
