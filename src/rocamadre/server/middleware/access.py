"""Request ids, the access log and the request metrics."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator

from rocamadre.api.http import Reply
from rocamadre.server.exchange import Exchange, Next

logger = logging.getLogger(__name__)


async def log_access(exchange: Exchange, after: Next) -> Reply:
    """Send the request id back, count and log; a stream when it has ended, not when it begins."""
    reply = await after(exchange)
    reply.headers["x-amzn-requestid"] = exchange.request_id
    if isinstance(reply.body, bytes):
        _record(exchange, reply.status, len(reply.body))
    else:
        reply.body = _counted(exchange, reply.status, reply.body)
    return reply


async def _counted(exchange: Exchange, status: int, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    metrics = exchange.platform.metrics
    sent = 0
    metrics.shift("active_streams", 1)
    try:
        async for piece in body:
            sent += len(piece)
            yield piece
    finally:
        metrics.shift("active_streams", -1)
        await body.aclose()  # type: ignore[attr-defined]  # every stream here is a generator
        _record(exchange, status, sent)


def _record(exchange: Exchange, status: int, sent: int) -> None:
    platform = exchange.platform
    seconds = platform.clock.monotonic() - exchange.started
    service, operation = exchange.service_name, exchange.operation_name
    platform.metrics.count("requests", service=service, operation=operation, status=str(status))
    platform.metrics.observe("request_seconds", seconds, service=service, operation=operation)
    if platform.settings.log.access:
        logger.info(
            "request",
            extra={
                "request_id": exchange.request_id,
                "service": service,
                "operation": operation,
                "status": status,
                "error": exchange.error_code,
                "milliseconds": round(seconds * 1000, 2),
                "sent_bytes": sent,
                "principal": exchange.principal.name if exchange.principal else "",
                **exchange.notes,
            },
        )
