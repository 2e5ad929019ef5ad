"""Plain HTTP endpoints beside the Bedrock operations: the OpenAI wire, health, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, read whole.

    Attributes:
        raw_path: As sent, still percent-encoded, without the query.
        query: As sent, without `?`.
        headers: By lower-case name; the last value of a repeated one.
        path_values: What stood in the `{}` parts of the route, decoded.
        stream: The body as it arrives, for an endpoint that streams; `body` is then empty.
    """

    method: str
    raw_path: bytes
    query: bytes
    headers: Mapping[str, str]
    body: bytes
    path_values: tuple[str, ...] = ()
    stream: AsyncIterable[bytes] | None = None

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            InvalidRequest: it is no JSON.
        """
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"the body is not valid JSON: {error}") from error

    def parameters(self) -> dict[str, str]:
        """The query's parameters, the last value of a repeated one."""
        return dict(parse_qsl(self.query.decode("latin-1"), keep_blank_values=True))


@dataclass(slots=True)
class Reply:
    """What goes back: `body` whole, or piece by piece.

    An iterator's `aclose` is called when the client leaves.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""


def json_reply(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON answer."""
    return Reply(status, {"content-type": "application/json", **(headers or {})}, msgspec.json.encode(value))


class ClientGone(Exception):
    """The client hung up before its request was complete."""


Endpoint: TypeAlias = Callable[[Context, HttpRequest], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """One plain endpoint.

    Attributes:
        dialect: Form of its errors: `openai`, `anthropic` or `plain`.
        public: Answered without credentials (health).
        streams: The body is handed over unread, beyond `server.max_body_bytes`; only for paths without `{}`.
    """

    method: str
    path: str
    endpoint: Endpoint
    dialect: str
    public: bool
    streams: bool = False


ROUTES: list[Route] = []
STREAMED: set[tuple[str, bytes]] = set()
"""Method and path of the endpoints that stream."""


def route(
    method: str, *paths: str, dialect: str = "plain", public: bool = False, streams: bool = False
) -> Callable[[Endpoint], Endpoint]:
    """Register a function as the endpoint of one or more paths; `{}` in a path matches one segment.

    Errors raised as `RocamadreError` are answered in the form of `dialect`.
    """

    def register(function: Endpoint) -> Endpoint:
        ROUTES.extend(Route(method, path, function, dialect, public, streams) for path in paths)
        if streams:
            STREAMED.update((method, path.encode()) for path in paths)
        return function

    return register
