"""Model invocations, written down for the accounts that want it; the handlers know nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta

from rocamadre.api.http import Reply
from rocamadre.api.inference.transcript import Form, Transcript
from rocamadre.invocations.log import InvocationLog
from rocamadre.invocations.types import Invocation, LoggingConfig
from rocamadre.server.exchange import Exchange, Next

ABANDONED = "ClientClosedRequest"
"""The error of a call whose client left before its answer began; AWS has no word for it."""

_OPERATIONS = {"Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"}
_ENDPOINTS = ("/completions", "/embeddings", "/responses", "/messages")
_JSON = "application/json"


async def log_invocations(exchange: Exchange, after: Next) -> Reply:
    """Hand the call to the invocation log once its answer is complete; a stream when it has ended or broken off."""
    try:
        reply = await after(exchange)
    except asyncio.CancelledError:
        if (wish := _wish(exchange)) is not None:
            exchange.error_code = exchange.error_code or ABANDONED
            wish[0].record(_invocation(exchange, Reply(499)), wish[1])
        raise
    if (wish := _wish(exchange)) is None:
        return reply
    if isinstance(reply.body, bytes):
        wish[0].record(_invocation(exchange, reply, output=reply.body if reply.status < 400 else b""), wish[1])
    else:
        reply.body = _overheard(exchange, reply, reply.body, *wish)
    return reply


def _wish(exchange: Exchange) -> tuple[InvocationLog, LoggingConfig] | None:
    """Where the call is to be recorded; None when it is not. Without logging this costs a look into a dict.

    What jobs ask is not recorded, as batches are not on AWS: their output has it all.
    """
    log, context = exchange.platform.invocations, exchange.context
    if log is None or context is None or exchange.asker is not None or not _is_invocation(exchange):
        return None
    config = log.config(context.account, context.region)
    return None if config is None else (log, config)


def _is_invocation(exchange: Exchange) -> bool:
    if exchange.match is not None:
        return exchange.match.operation.name in _OPERATIONS
    route = exchange.route
    return route is not None and route.method == "POST" and route.path.endswith(_ENDPOINTS)


async def _overheard(
    exchange: Exchange, reply: Reply, body: AsyncIterator[bytes], log: InvocationLog, config: LoggingConfig
) -> AsyncGenerator[bytes]:
    transcript = Transcript(_form(exchange))
    try:
        async for piece in body:
            transcript.add(piece)
            yield piece
    finally:
        try:
            await body.aclose()  # type: ignore[attr-defined]  # every stream here is a generator
        finally:
            log.record(_invocation(exchange, reply), config, stream=transcript)


def _form(exchange: Exchange) -> Form:
    if exchange.match is None:
        return "sse"
    return "converse" if exchange.match.operation.name == "ConverseStream" else "chunks"


def _invocation(exchange: Exchange, reply: Reply, *, output: bytes = b"") -> Invocation:
    context, platform, notes, headers = exchange.context, exchange.platform, exchange.notes, reply.headers
    assert context is not None
    took_s = platform.clock.monotonic() - exchange.started
    labels = exchange.match.labels if exchange.match is not None else {}
    return Invocation(
        account=context.account,
        region=context.region,
        request_id=exchange.request_id,
        began=platform.clock.now() - timedelta(seconds=took_s),
        principal=context.principal.name,
        operation=exchange.operation_name,
        model_id=labels.get("modelId", ""),
        served_id=str(notes.get("model", "")),
        input=exchange.body,
        input_type=exchange.headers.get("content-type", _JSON),
        output=output,
        # A stream's answer is recorded as JSON, whatever form it had on the wire.
        output_type=headers.get("content-type", _JSON) if isinstance(reply.body, bytes) else _JSON,
        input_tokens=_count(headers.get("x-amzn-bedrock-input-token-count", notes.get("input_tokens"))),
        output_tokens=_count(headers.get("x-amzn-bedrock-output-token-count", notes.get("output_tokens"))),
        cache_read_tokens=_count(headers.get("x-amzn-bedrock-cache-read-input-token-count")) or 0,
        cache_write_tokens=_count(headers.get("x-amzn-bedrock-cache-write-input-token-count")) or 0,
        metadata=exchange.headers.get("x-amzn-bedrock-request-metadata", ""),
        error=exchange.error_code,
        latency=str(notes.get("latency", "")),
        tier=str(notes.get("service_tier", "")),
    )


def _count(value: str | float | None) -> int | None:
    return None if value is None else int(value)
