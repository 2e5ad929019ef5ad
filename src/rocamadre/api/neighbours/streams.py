"""A request's body, handed on as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

from rocamadre.api.http import ClientGone
from rocamadre.core.errors import CommonError

Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]


class BodyStream:
    """Pieces of a body; to be iterated once. Who does not read slows the sender: nothing piles up.

    Args:
        receive: The server's.
        idle_s: Seconds that the client may stay silent.
        ended: Called when all is read, and `receive` is free again.
    """

    def __init__(self, receive: Receive, *, idle_s: float, ended: Callable[[], None]) -> None:
        self._receive = receive
        self._idle_s = idle_s
        self._ended = ended
        self.is_read = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces.

        Raises:
            ClientGone: the client hung up.
            CommonError: nothing came for too long (408).
        """
        async for batch in self.batches(1):
            yield batch[0]

    async def batches(self, size_bytes: int) -> AsyncIterator[list[bytes]]:
        """The pieces, in lists of at least this size together; the last may be smaller. Raises as `__aiter__` does."""
        while not self.is_read:
            if batch := await self._batch(size_bytes):
                yield batch

    async def _batch(self, size_bytes: int) -> list[bytes]:
        batch: list[bytes] = []
        time = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(self._idle_s) as limit:
                set_at = time()
                while size_bytes > 0 and not self.is_read:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    if not message.get("more_body", False):
                        self.is_read = True
                        self._ended()
                    if piece := message.get("body", b""):
                        batch.append(piece)
                        size_bytes -= len(piece)
                    if (
                        now := time()
                    ) - set_at > self._idle_s / 60:  # Setting it for each piece costs as much as reading.
                        limit.reschedule(now + self._idle_s)
                        set_at = now
        except TimeoutError:
            raise CommonError("RequestTimeout", 408, f"nothing of the body came for {self._idle_s:g} s") from None
        return batch


class WholeBody:
    """A body that was read already, handed on as if it arrived now.

    Args:
        body: What came.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.is_read = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body, in one piece."""
        yield self._body

    async def batches(self, _size_bytes: int) -> AsyncIterator[list[bytes]]:
        """The body, in one list."""
        yield [self._body]
