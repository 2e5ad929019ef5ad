"""Reading the request's body, whole and bounded."""

from __future__ import annotations

import asyncio

from rocamadre.api.http import STREAMED, ClientGone, Reply
from rocamadre.api.neighbours.streams import BodyStream, WholeBody
from rocamadre.core.errors import CommonError
from rocamadre.server.exchange import Exchange, Next

_SIGNED = "AWS4-"


async def read_body(exchange: Exchange, after: Next) -> Reply:
    """Read the body, unless it is handed over unread.

    Raises:
        CommonError: it is larger than `server.max_body_bytes` (413), or did not arrive in time (408).
        ClientGone: nobody is there to answer.
    """
    if exchange.neighbour is not None and exchange.neighbour.stream is not None:
        return await after(exchange)
    streams = (exchange.method, exchange.raw_path) in STREAMED
    if streams and not exchange.headers.get("authorization", "").startswith(_SIGNED):
        exchange.stream = BodyStream(
            exchange.receive,
            idle_s=exchange.platform.settings.server.request_timeout_s,
            ended=lambda: exchange.body_read.set_result(None) if exchange.body_read is not None else None,
        )
        return await after(exchange)
    most = exchange.platform.settings.server.max_body_bytes
    declared = exchange.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    try:
        async with asyncio.timeout(exchange.platform.settings.server.request_timeout_s):
            exchange.body = await _read(exchange, most)
    except TimeoutError:
        raise CommonError("RequestTimeoutException", 408, "the request's body did not arrive in time") from None
    if exchange.body_read is not None:
        exchange.body_read.set_result(None)
    if streams:  # The signature holds for the whole body, and is verified before anything is done with it.
        exchange.stream = WholeBody(exchange.body)
    return await after(exchange)


async def _read(exchange: Exchange, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        size += len(piece)
        if size > most:
            raise _too_large(most)
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(most: int) -> CommonError:
    return CommonError(
        "RequestEntityTooLargeException", 413, f"the body is larger than {most} bytes (setting server.max_body_bytes)"
    )
