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
        while not self.is_read:
            try:
                async with asyncio.timeout(self._idle_s):
                    message = await self._receive()
            except TimeoutError:
                raise CommonError("RequestTimeout", 408, f"nothing of the body came for {self._idle_s:g} s") from None
            if message["type"] == "http.disconnect":
                raise ClientGone
            if not message.get("more_body", False):
                self.is_read = True
                self._ended()
            if piece := message.get("body", b""):
                yield piece


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
