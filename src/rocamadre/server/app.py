"""The ASGI application: the list of middleware below is the life of a request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

import rocamadre.api.endpoints  # noqa: F401  (registers every handler and endpoint)
from rocamadre.api.http import ClientGone, Reply
from rocamadre.api.neighbours.shaped import prepare
from rocamadre.api.wire.models import load_models
from rocamadre.api.wire.operations import Service
from rocamadre.api.wire.routes import Router
from rocamadre.core.context import Platform
from rocamadre.core.ids import request_id
from rocamadre.observability.tracing import span
from rocamadre.server.exchange import Exchange, compose
from rocamadre.server.internal import INTERNAL
from rocamadre.server.middleware.access import log_access
from rocamadre.server.middleware.authenticate import authenticate
from rocamadre.server.middleware.body import read_body
from rocamadre.server.middleware.call import call
from rocamadre.server.middleware.failures import answer_failures
from rocamadre.server.middleware.idempotency import answer_once
from rocamadre.server.middleware.invocation_log import log_invocations
from rocamadre.server.middleware.limits import throttle
from rocamadre.server.middleware.neighbours import find_neighbour
from rocamadre.server.middleware.origin import check_origin
from rocamadre.server.middleware.routing import find_operation

logger = logging.getLogger(__name__)

Scope: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]


class Application:
    """Rocamadre on one port.

    Args:
        platform: What the handlers work with.
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        models = load_models(platform.settings.home / "cache")
        prepare(platform.settings.home / "cache")
        self.services = {name: Service(name, model) for name, model in models.items()}
        limits = platform.settings.limits
        self._respond = compose(
            [
                log_access,
                log_invocations,
                answer_failures,
                check_origin,
                find_neighbour,
                read_body,
                find_operation(Router(self.services)),
                authenticate,
                throttle(limits.requests_per_minute, limits.concurrent_requests),
                answer_once(),
            ],
            call,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; other kinds of connections are closed."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        exchange = _exchange(self.platform, scope, receive)
        task = asyncio.current_task()
        assert task is not None
        watch: asyncio.Task[None] | None = None
        try:
            # Until the body is read, `receive` belongs to read_body; from then on it tells when the client leaves.
            exchange.body_read = asyncio.get_running_loop().create_future()
            watch = asyncio.ensure_future(_cancel_when_gone(exchange.body_read, receive, task))
            with span("request", traceparent=exchange.headers.get("traceparent"), http_method=exchange.method) as timed:
                status = 0
                try:
                    reply = await self._respond(exchange)
                    if "expect" in exchange.headers and not exchange.body_read.done():
                        # Refused before the client was told to send its body: nobody knows what it sends next.
                        reply.headers["connection"] = "close"
                    status = reply.status
                    await _send(reply, send)
                finally:
                    timed.set(
                        rpc_service=exchange.service_name,
                        rpc_method=exchange.operation_name,
                        http_status=status,
                        request_id=exchange.request_id,
                        account=exchange.principal.account if exchange.principal else "",
                        error_code=exchange.error_code,
                    )
        except ClientGone:
            return
        except asyncio.CancelledError:
            if watch is None or not watch.done():
                raise  # The server is stopping, not the client leaving.
            task.uncancel()
        finally:
            if watch is not None:
                watch.cancel()


def _exchange(platform: Platform, scope: Scope, receive: Receive) -> Exchange:
    raw_headers: list[tuple[bytes, bytes]] = scope["headers"]
    return Exchange(
        platform=platform,
        receive=receive,
        method=scope["method"],
        raw_path=scope.get("raw_path") or scope["path"].encode(),
        query=scope.get("query_string", b""),
        raw_headers=raw_headers,
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw_headers},
        request_id=request_id(),
        started=platform.clock.monotonic(),
        asker=scope.get(INTERNAL),
    )


async def _cancel_when_gone(ready: asyncio.Future[None], receive: Receive, task: asyncio.Task[Any]) -> None:
    await ready
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()


async def _send(reply: Reply, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in reply.headers.items()]
    body = reply.body
    if isinstance(body, bytes):
        # A neighbour that answers HEAD says how long the content would be.
        if reply.status not in (204, 304) and "content-length" not in reply.headers:
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        async for piece in body:
            # uvicorn's send waits while the client's buffer is full: a slow reader slows the model, memory stays flat.
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        with suppress(RuntimeError):
            await body.aclose()  # type: ignore[attr-defined]  # every stream here is a generator
