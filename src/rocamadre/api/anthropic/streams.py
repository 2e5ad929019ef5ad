"""Server-sent events as Anthropic names them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

import msgspec

from rocamadre.api.anthropic.errors import error_object
from rocamadre.api.bedrock_runtime.native_guards import NONE, NativeGuard
from rocamadre.api.http import Reply
from rocamadre.api.inference.generation import Generation, Stream, whole_input
from rocamadre.core.context import Context
from rocamadre.core.errors import ModelFailure, ModelTimeout, RocamadreError
from rocamadre.core.messages import Event, Finish, TextDelta
from rocamadre.engines.profiles.claude_write import MessageChunks
from rocamadre.engines.profiles.types import Json

logger = logging.getLogger(__name__)

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"text_delta","text":%b}}\n\n'
)


def sse(value: Json) -> bytes:
    """One server-sent event, named as its type."""
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), msgspec.json.encode(value))


def stream_reply(ctx: Context, generation: Generation, write: MessageChunks, guard: NativeGuard = NONE) -> Reply:
    """A stream of Anthropic's events; an error in its middle is sent as one, and ends it.

    Args:
        ctx: The request's.
        generation: One that has begun; ended with the stream, or when the client leaves.
        write: Makes the events.
        guard: What is asked of guardrails; the last event says what they did.
    """
    headers = {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "request-id": ctx.request_id,
    }
    pieces = _guarded(ctx, _pieces(generation, write, guard))
    return Reply(200, headers, Stream(pieces, generation.close))


async def _pieces(generation: Generation, write: MessageChunks, guard: NativeGuard) -> AsyncGenerator[bytes, None]:
    encode = msgspec.json.encode
    event: Event | None = generation.first
    assert event is not None
    begin, *more = write(_counted(generation, event))
    yield sse(begin) + _PING
    if type(event) is Finish and more:
        more[-1] = {**more[-1], **guard.outcome(generation)}
    for each in more:
        yield sse(each)
    async for event in generation.rest:
        if type(event) is TextDelta and (place := write.open_text) is not None:
            # All but a few events of a stream end here.
            yield _DELTA % (place, encode(event.text))
        else:
            events = write(_counted(generation, event))
            if type(event) is Finish:
                events[-1] = {**events[-1], **guard.outcome(generation)}
            for each in events:
                yield sse(each)
    if type(event) is not Finish:
        raise ModelFailure("the model's answer broke off")


def _counted(generation: Generation, event: Event) -> Event:
    if not isinstance(event, Finish):
        return event
    generation.finish(event.usage)
    return whole_input(event, generation.request)


async def _guarded(ctx: Context, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    timeout_s = ctx.platform.settings.server.stream_timeout_s
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in pieces:
                yield piece
    except RocamadreError as error:
        yield _failed(ctx, error)
    except TimeoutError:
        yield _failed(ctx, ModelTimeout(f"the answer took longer than {timeout_s:g} s"))
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except Exception:
        # An edge: the status is sent already, so nobody further up can answer.
        logger.exception("stream.crashed", extra={"request_id": ctx.request_id})
        yield _failed(ctx, RocamadreError("The server failed at this request."))
    finally:
        await pieces.aclose()


def _failed(ctx: Context, error: RocamadreError) -> bytes:
    return sse(error_object(error, ctx.request_id)[1])
