"""Several generations at once, and server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from rocamadre.api.http import Reply
from rocamadre.api.inference.generation import Generation, Stream
from rocamadre.api.openai.errors import error_object
from rocamadre.core.context import Context
from rocamadre.core.errors import ModelFailure, ModelTimeout, RocamadreError
from rocamadre.core.messages import Event, Finish
from rocamadre.engines.collect import Answer

logger = logging.getLogger(__name__)

_DONE = b"data: [DONE]\n\n"
_WAITING = 64
"""Events that may wait for a slow reader, in all choices together, before their generations pause."""
_AT_ONCE = 16
"""Generations of one request that run at a time."""


def sse(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


Start: TypeAlias = Callable[[], Awaitable[Generation]]
"""Begins one generation."""


async def collect_all(starts: Sequence[Start]) -> list[Answer]:
    """Whole answers, in order; some at a time, so that one request cannot fill an engine's queue.

    Raises:
        RocamadreError: the first error of any; the others are cancelled.
    """
    if len(starts) == 1:
        return [(await (await starts[0]()).collect())[0]]
    turnstile = asyncio.Semaphore(_AT_ONCE)

    async def one(start: Start) -> Answer:
        async with turnstile:
            return (await (await start()).collect())[0]

    tasks = [asyncio.create_task(one(start)) for start in starts]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await _cancel(tasks)


class Events:
    """Events of one or several generations as they come, each with its generation's place.

    Attributes:
        close: Ends all generations that still run.
    """

    def __init__(self, events: AsyncGenerator[tuple[int, Event], None], close: Callable[[], Awaitable[None]]) -> None:
        self._events = events
        self.close = close

    def __aiter__(self) -> AsyncGenerator[tuple[int, Event], None]:
        return self._events


async def open_events(starts: Sequence[Start]) -> Events:
    """Begin, and wait for the first event of any.

    Raises:
        RocamadreError: it is an error.
    """
    if len(starts) == 1:
        generation = await starts[0]()
        return Events(_only(generation), generation.close)
    queue: asyncio.Queue[tuple[int, Event | Exception]] = asyncio.Queue(_WAITING)
    turnstile = asyncio.Semaphore(_AT_ONCE)
    tasks = [asyncio.create_task(_feed(queue, turnstile, place, start)) for place, start in enumerate(starts)]
    try:
        first = await queue.get()
        if isinstance(first[1], Exception):
            raise first[1]
    except BaseException:
        await _cancel(tasks)
        raise
    return Events(_merged(queue, first, len(tasks)), lambda: _cancel(tasks))


async def _only(generation: Generation) -> AsyncGenerator[tuple[int, Event], None]:
    assert generation.first is not None
    event: Event = generation.first
    if type(event) is Finish:
        generation.finish(event.usage)
    yield 0, event
    async for event in generation.rest:
        if type(event) is Finish:
            generation.finish(event.usage)
        yield 0, event
    if type(event) is not Finish:
        raise ModelFailure("the model's answer broke off")


async def _merged(
    queue: asyncio.Queue[tuple[int, Event | Exception]], first: tuple[int, Event | Exception], running: int
) -> AsyncGenerator[tuple[int, Event], None]:
    place, item = first
    while True:
        if isinstance(item, Exception):
            raise item
        yield place, item
        running -= type(item) is Finish
        if not running:
            return
        place, item = await queue.get()


async def _feed(
    queue: asyncio.Queue[tuple[int, Event | Exception]], turnstile: asyncio.Semaphore, place: int, start: Start
) -> None:
    try:
        async with turnstile:
            generation = await start()
            try:
                async for _, event in _only(generation):
                    await queue.put((place, event))
            finally:
                await generation.close()
    except Exception as error:
        await queue.put((place, error))


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


Fail: TypeAlias = Callable[[RocamadreError], Awaitable[bytes]]
"""Makes of an error the last events of a stream."""


async def _fail(error: RocamadreError) -> bytes:
    return sse(error_object(error)[1])


def sse_reply(
    ctx: Context,
    pieces: AsyncGenerator[bytes, None],
    end: Callable[[], Awaitable[None]],
    *,
    fail: Fail = _fail,
    done: bytes = _DONE,
) -> Reply:
    """A stream of server-sent events; an error in its middle is sent as one, and ends it.

    Args:
        ctx: The request's.
        pieces: The events, each whole, without the last.
        end: Called when the stream ends or the client leaves.
        fail: What is sent of an error.
        done: Sent last where there was none.
    """
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    return Reply(200, headers, Stream(_guarded(ctx, pieces, fail, done), end))


async def _guarded(
    ctx: Context, pieces: AsyncGenerator[bytes, None], fail: Fail, done: bytes
) -> AsyncGenerator[bytes, None]:
    timeout_s = ctx.platform.settings.server.stream_timeout_s
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in pieces:
                yield piece
            if done:
                yield done
    except RocamadreError as error:
        yield await fail(error)
    except TimeoutError:
        yield await fail(ModelTimeout(f"the answer took longer than {timeout_s:g} s"))
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except Exception:
        # An edge: the status is sent already, so nobody further up can answer.
        logger.exception("stream.crashed", extra={"request_id": ctx.request_id})
        yield await fail(RocamadreError("The server failed at this request."))
    finally:
        await pieces.aclose()
