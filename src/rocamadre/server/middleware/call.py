"""The end of the chain: parse, check, call the handler, serialise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import msgspec

from rocamadre.api.http import HttpRequest, Reply
from rocamadre.api.substitutes import substitute
from rocamadre.api.wire.eventstream import event_frame, exception_frame
from rocamadre.api.wire.failures import INTERNAL, encode_event_error
from rocamadre.api.wire.operations import Operation
from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError, ModelTimeout, RocamadreError
from rocamadre.server.exchange import Exchange
from rocamadre.server.middleware.neighbours import call_neighbour

logger = logging.getLogger(__name__)


async def call(exchange: Exchange) -> Reply:
    """Answer the request.

    Raises:
        RocamadreError: whatever the handler raises.
        TimeoutError: the handler passed the request's deadline.
    """
    context = exchange.context
    assert context is not None
    if exchange.neighbour is not None:
        reply = await call_neighbour(exchange, exchange.neighbour, context)
    else:
        reply = await (_call_endpoint if exchange.route is not None else _call_operation)(exchange, context)
    if context.reply_headers:
        reply.headers.update(context.reply_headers)
    exchange.notes.update(context.notes)
    return reply


async def _call_endpoint(exchange: Exchange, context: Context) -> Reply:
    route = exchange.route
    assert route is not None
    request = HttpRequest(
        exchange.method,
        exchange.raw_path,
        exchange.query,
        exchange.headers,
        exchange.body,
        exchange.path_values,
        exchange.stream,
    )
    server = exchange.platform.settings.server
    async with asyncio.timeout(server.stream_timeout_s if route.streams else server.request_timeout_s):
        return await route.endpoint(context, request)


async def _call_operation(exchange: Exchange, context: Context) -> Reply:
    match = exchange.match
    assert match is not None
    operation = match.operation
    handler = exchange.handler
    if handler is None or operation.takes_events:
        raise CommonError(
            "NotImplementedException",
            501,
            f"Rocamadre does not have {operation.service.name}:{operation.name} yet. Instead: "
            f"{substitute(operation.name)}. What there is: GET /coverage.json or `roca coverage`",
        )
    request, unknown = operation.read(match.labels, exchange.query, exchange.headers, exchange.body)
    if unknown:
        # AWS ignores members it does not know; so do we, but not in silence.
        context.reply_headers["x-rocamadre-ignored"] = ",".join(unknown[:5]).encode("ascii", "replace").decode()[:200]
    server = exchange.platform.settings.server
    async with asyncio.timeout(server.stream_timeout_s if operation.stream_member else server.request_timeout_s):
        response = await handler.handle(context, request)
    encoded = operation.write(response)
    if server.strict and (problems := operation.check(encoded)):
        raise RocamadreError(f"the response breaks its own shape: {'; '.join(problems[:5])}")
    if encoded.events is None:
        return Reply(encoded.status, encoded.headers, encoded.body)
    return Reply(encoded.status, encoded.headers, _frames(exchange, operation, encoded.events, server.stream_timeout_s))


async def _frames(
    exchange: Exchange, operation: Operation, events: AsyncIterator[Mapping[str, Any]], timeout_s: float
) -> AsyncGenerator[bytes]:
    """Events as event-stream frames; an error ends the stream as an exception frame."""
    writers = operation.event_writers
    encode = msgspec.json.encode
    try:
        async with asyncio.timeout(timeout_s):
            async for event in events:
                for name, value in event.items():
                    writer = writers[name]
                    yield event_frame(name, encode(value if writer is None else writer(value)))
    except RocamadreError as error:
        yield _failed(exchange, operation, error)
    except TimeoutError:
        yield _failed(exchange, operation, ModelTimeout(f"the answer took longer than {timeout_s:g} s"))
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except Exception:
        logger.exception("stream.crashed", extra={"request_id": exchange.request_id, "operation": operation.name})
        yield _failed(exchange, operation, RocamadreError(INTERNAL))
    finally:
        await events.aclose()  # type: ignore[attr-defined]  # handlers return generators
        exchange.notes.update(exchange.context.notes if exchange.context else {})


def _failed(exchange: Exchange, operation: Operation, error: RocamadreError) -> bytes:
    name, payload = encode_event_error(error, operation)
    exchange.error_code = name
    return exception_frame(name, payload)
