"""One request on its way through the middleware."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from rocamadre.api.http import Reply, Route
from rocamadre.api.wire.routes import Match
from rocamadre.core.context import Context, Platform, Principal

if TYPE_CHECKING:
    from rocamadre.api.handlers import Handler
    from rocamadre.api.neighbours.dispatch import NeighbourRequest
    from rocamadre.api.neighbours.streams import BodyStream, WholeBody
    from rocamadre.server.internal import Asker

Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class Exchange:
    """What is known of a request so far; each middleware adds its part.

    Attributes:
        headers: By lower-case name; the last value of a repeated one.
        raw_headers: As sent, in order.
        body: Empty until `read_body` has run.
        stream: The body as it arrives, for an endpoint that streams.
        match: The Bedrock operation, once found.
        route: The plain endpoint, where the path is one's.
        neighbour: The request as S3, STS and the like see it, where it is one of theirs; then none of `match`,
            `route` and `handler` is set.
        handler: Set with `match` for the operations that exist here.
        asker: Whose job asks, where the request came over the internal socket.
        context: Set by `authenticate`.
        body_read: Done once `receive` is free again, to tell when the client leaves.
        error_code: What the error was called on the wire, for the log.
    """

    platform: Platform
    receive: Receive
    method: str
    raw_path: bytes
    query: bytes
    raw_headers: list[tuple[bytes, bytes]]
    headers: dict[str, str]
    request_id: str
    started: float
    body: bytes = b""
    stream: BodyStream | WholeBody | None = None
    body_read: asyncio.Future[None] | None = None
    match: Match | None = None
    neighbour: NeighbourRequest | None = None
    handler: Handler | None = None
    route: Route | None = None
    path_values: tuple[str, ...] = ()
    asker: Asker | None = None
    principal: Principal | None = None
    context: Context | None = None
    error_code: str = ""
    notes: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def dialect(self) -> str:
        """Form of this request's errors: `bedrock`, `openai`, `anthropic` or `plain`."""
        if self.route is not None:
            return self.route.dialect
        # What fails before its route is known, or has none.
        return "anthropic" if self.raw_path.startswith((b"/anthropic/", b"/v1/messages")) else "bedrock"

    @property
    def operation_name(self) -> str:
        """For logs and metrics: bounded in number, never what the client made up."""
        if self.match is not None:
            return self.match.operation.name
        if self.neighbour is not None:
            return self.neighbour.operation or "unknown"
        return f"{self.route.method} {self.route.path}" if self.route else "unknown"

    @property
    def service_name(self) -> str:
        """For logs and metrics."""
        if self.match is not None:
            return self.match.operation.service.name
        if self.neighbour is not None:
            return self.neighbour.neighbour.name
        return self.route.dialect if self.route else "unknown"


Next: TypeAlias = Callable[[Exchange], Awaitable[Reply]]
Middleware: TypeAlias = Callable[[Exchange, Next], Awaitable[Reply]]


def compose(middleware: list[Middleware], last: Next) -> Next:
    """Chain middleware, first outermost."""
    chain = last
    for step in reversed(middleware):
        chain = _link(step, chain)
    return chain


def _link(step: Middleware, after: Next) -> Next:
    async def run(exchange: Exchange) -> Reply:
        return await step(exchange, after)

    return run
