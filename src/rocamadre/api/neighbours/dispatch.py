"""Which of Bedrock's neighbours a request is for, on the same port, and how a neighbour registers.

A request is a neighbour's when

1. its credential scope names one (`…/20260101/us-east-1/s3/aws4_request`, in the header or in a signed URL), as every
   AWS client says it; or
2. its path begins with the neighbour's name (`/s3/bucket/key`): that part is taken off before the service sees it. The
   signature covers the path as it was sent.

A request without either is not a neighbour's: an anonymous `GET /bucket/key` stays what it always was.

A service registers with one function, imported in `api/endpoints.py`:

```python
@neighbour("sts", operations=("AssumeRole", "GetCallerIdentity"), named_by=query_action, errors=query_error)
async def sts(context: Context, request: NeighbourRequest) -> Reply:
    parameters = request.form()         # of a query-protocol body
    match request.operation: ...        # a name of `operations`, or "" for any other: refuse it with `not_built`
```

Who asks is settled before the function runs: `context.principal`, `context.account`, `context.region`. Whatever
`RocamadreError` it raises goes back in the form of `errors`; `CommonError(code, status, message)` names the service's
own code.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qsl

import msgspec

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.streams import BodyStream
from rocamadre.api.wire.sigv4 import Seed
from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError, InvalidRequest, RocamadreError
from rocamadre.core.settings import NeighbourSettings

SERVICES = ("s3", "sts", "iam", "lambda", "logs", "s3vectors", "aoss")
"""Names of the services, as credential scopes have them."""

_ENDING = r"(?:/|%2[Ff])(s3vectors|s3|sts|iam|lambda|logs|aoss)(?:/|%2[Ff])aws4_request"
_IN_HEADER = re.compile(r"Credential=[^,\s]{1,300}?" + _ENDING)
_IN_QUERY = re.compile((r"(?:^|&)X-Amz-Credential=[^&]{1,300}?" + _ENDING).encode())
_OLD_QUERY = re.compile(rb"(?:^|&)AWSAccessKeyId=")
_MOST_PARAMETERS = 10_000
_VARIABLES = {"logs": "CLOUDWATCH_LOGS"}


@dataclass(slots=True)
class NeighbourRequest:
    """One request to a neighbour.

    Attributes:
        neighbour: Whose it is.
        method: HTTP method.
        raw_path: As sent, still percent-encoded, without the query, and without the service's prefix.
        query: As sent, without `?`.
        headers: By lower-case name; the last value of a repeated one.
        raw_headers: As sent, in order.
        stream: The body still to be read, for a service that streams; None where there is none, or it was read.
        body: The body, unless it streams.
        operation: One of the neighbour's operations, or empty. Bounded in number: logs and metrics show it.
        scope: The service named in the credential; empty for a bearer key or none.
        seed: Where the signature was verified: what signatures of the body's chunks begin from.
    """

    neighbour: Neighbour
    method: str
    raw_path: bytes
    query: bytes
    headers: Mapping[str, str]
    raw_headers: list[tuple[bytes, bytes]]
    stream: BodyStream | None = None
    body: bytes = b""
    operation: str = ""
    scope: str = ""
    seed: Seed | None = None

    def parameters(self) -> dict[str, str]:
        """The query's parameters, the last value of a repeated one.

        Raises:
            InvalidRequest: the query is no UTF-8, or has too many.
        """
        return _pairs(self.query)

    def form(self) -> dict[str, str]:
        """The parameters of a query-protocol request: those of its body, and those of its query.

        Raises:
            InvalidRequest: they are no UTF-8, or too many.
        """
        return _pairs(self.query) | _pairs(self.body)

    def json(self) -> object:
        """The body as JSON; an empty one is an empty object.

        Raises:
            InvalidRequest: it is none.
        """
        try:
            return msgspec.json.decode(self.body) if self.body else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"the body is not valid JSON: {error}") from error

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives; once."""
        if self.stream is None:
            if self.body:
                yield self.body
            return
        async for piece in self.stream:
            yield piece

    async def batches(self, size_bytes: int) -> AsyncIterator[list[bytes]]:
        """As `pieces`, in lists of at least this size together; the last may be smaller."""
        if self.stream is None:
            if self.body:
                yield [self.body]
            return
        async for batch in self.stream.batches(size_bytes):
            yield batch


def _pairs(text: bytes) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
        )
    except ValueError:  # Also UnicodeDecodeError.
        raise InvalidRequest(f"the parameters must be percent-encoded UTF-8, and at most {_MOST_PARAMETERS}") from None


Endpoint: TypeAlias = Callable[[Context, NeighbourRequest], Awaitable[Reply]]
Namer: TypeAlias = Callable[[NeighbourRequest], str]
ErrorForm: TypeAlias = Callable[[RocamadreError, NeighbourRequest, str], Reply]
"""An error, the request and the request id, to the answer."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One service.

    Attributes:
        name: As credential scopes have it.
        endpoint: Answers a request.
        operations: What it can do, by AWS's names.
        named_by: Which operation a request means; a name that is not in `operations` counts as none.
        errors: The service's form of errors.
        streams: Whether bodies are handed over unread, beyond `server.max_body_bytes`.
        is_long: Whether it bounds its own time, instead of by `server.request_timeout_s`.
        other_scopes: Further scopes whose signatures it takes.
    """

    name: str
    endpoint: Endpoint
    operations: frozenset[str]
    named_by: Namer
    errors: ErrorForm
    streams: bool = False
    is_long: bool = False
    other_scopes: frozenset[str] = field(default=frozenset())

    def name_operation(self, request: NeighbourRequest) -> str:
        """The operation that a request means, or nothing; never what a client made up."""
        name = self.named_by(request)
        return name if name in self.operations else ""


NEIGHBOURS: dict[str, Neighbour] = {}


def neighbour(
    name: str,
    *,
    operations: tuple[str, ...],
    named_by: Namer,
    errors: ErrorForm,
    streams: bool = False,
    is_long: bool = False,
) -> Callable[[Endpoint], Endpoint]:
    """Register a function as a neighbour; see the module's docstring and `Neighbour`."""
    if name not in SERVICES:
        raise ValueError(f"{name!r} is none of {', '.join(SERVICES)}")

    def register(function: Endpoint) -> Endpoint:
        if name in NEIGHBOURS:
            raise ValueError(f"the neighbour {name!r} is registered twice")
        NEIGHBOURS[name] = Neighbour(name, function, frozenset(operations), named_by, errors, streams, is_long)
        return function

    return register


def find_neighbour(raw_path: bytes, query: bytes, authorization: str) -> tuple[Neighbour, bytes] | None:
    """The neighbour that a request is for, and its path without the service's prefix.

    Args:
        raw_path: As sent, without the query.
        query: As sent, without `?`.
        authorization: That header, or nothing.
    """
    name = _scope(query, authorization)
    first, slash, rest = raw_path[1:].partition(b"/")
    if not name:
        # A bearer key, or no key at all: only a whole first part of the path says so.
        name = first.decode("latin-1") if slash else ""
    found = NEIGHBOURS.get(name)
    if found is None:
        return None
    # `s3` is too short for a bucket's name, and no other service has a path that begins with its own.
    return found, b"/" + rest if first == name.encode() and slash else raw_path


def _scope(query: bytes, authorization: str) -> str:
    if authorization:
        in_header = _IN_HEADER.search(authorization)
        return in_header[1] if in_header else ""
    if query:
        in_query = _IN_QUERY.search(query)
        if in_query:
            return in_query[1].decode()
        if _OLD_QUERY.search(query):
            return "s3"  # Signature version 2, which boto3 still makes signed S3 URLs with.
    return ""


def elsewhere(name: str, settings: NeighbourSettings) -> str:
    """The endpoint that the settings name for a service; empty where it is here."""
    endpoint: str = getattr(settings, f"{name}_endpoint", "")
    return endpoint


def check_here(request: NeighbourRequest, settings: NeighbourSettings) -> None:
    """Refuse a request to a service that the settings have put elsewhere.

    Raises:
        CommonError: it is; the message names where.
    """
    name = request.neighbour.name
    endpoint = elsewhere(name, settings)
    if endpoint:
        where = "Amazon's own endpoint" if endpoint == "aws" else endpoint
        raise CommonError(
            "InvalidRequest",
            421,
            f"this Rocamadre uses the {name} service at {where} (setting neighbours.{name}_endpoint); send the request "
            f"there, for example with AWS_ENDPOINT_URL_{_VARIABLES.get(name, name.upper())}",
        )


def not_built(service: str, operation: str) -> CommonError:
    """The refusal of an operation that a neighbour does not have."""
    setting, has_setting = f"neighbours.{service}_endpoint", f"{service}_endpoint" in NeighbourSettings.model_fields
    return CommonError(
        "NotImplemented",
        501,
        f"Rocamadre's {service} does not have {operation or 'this operation'}; docs/neighbours.md lists what there is"
        + (f", and {setting} in the settings can name another server that has it" if has_setting else ""),
    )


def query_action(request: NeighbourRequest) -> str:
    """The operation of a query-protocol request (STS, IAM)."""
    return request.form().get("Action", "")


def json_target(request: NeighbourRequest) -> str:
    """The operation of an AWS-JSON request (CloudWatch Logs)."""
    return request.headers.get("x-amz-target", "").rpartition(".")[2]
