"""The server's end of the line to one of our own children: many requests at a time over one socket pair."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from rocamadre.core.errors import InvalidRequest, ModelFailure, ModelTimeout
from rocamadre.engines.frames import LARGEST_BYTES, Frame, decoder, pack
from rocamadre.engines.runner import NotDelivered

_LAST = frozenset({"done", "invalid", "failure"})


class Channel:
    """Frames to and from a child.

    Args:
        name: Of the model, for messages.
        reply_timeout_s: Longest silence within a request.
    """

    def __init__(self, name: str, *, reply_timeout_s: float) -> None:
        self._name = name
        self._timeout_s = reply_timeout_s
        self._ids = itertools.count(1)
        self._open: dict[int, asyncio.Queue[Frame]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def connect(self, ours: socket.socket) -> None:
        """Begin reading from our end of the socket pair."""
        ours.setblocking(False)
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._reading = asyncio.create_task(self._read(reader))

    async def ask(self, kind: str, body: Any, *, timeout_s: float | None = None) -> Any:
        """One request, one answer.

        Raises:
            InvalidRequest: the child refused it.
            ModelFailure: the child failed or died; `NotDelivered` when it was gone already.
            ModelTimeout: no answer in time.
        """
        stream = self.stream(kind, body, timeout_s=timeout_s)
        try:
            async for _, answer in stream:
                return answer
        finally:
            await stream.aclose()
        raise ModelFailure(f"{self._name}: no answer")

    async def stream(
        self, kind: str, body: Any, *, timeout_s: float | None = None
    ) -> AsyncGenerator[tuple[bool, Any], None]:
        """One request, several answers, as (is the last, body). Closing early cancels the work in the child.

        Raises:
            InvalidRequest, ModelFailure, ModelTimeout: as for `ask`.
        """
        if self._writer is None or self._reading is None or self._reading.done() or self._writer.is_closing():
            raise NotDelivered(f"{self._name}: its process is gone")
        request = next(self._ids)
        answers = self._open[request] = asyncio.Queue()
        last = False
        try:
            self._writer.write(pack((request, kind, body)))
            with suppress(ConnectionError):
                await self._writer.drain()
            while not last:
                try:
                    async with asyncio.timeout(timeout_s or self._timeout_s):
                        _, answer, content = await answers.get()
                except TimeoutError:
                    raise ModelTimeout(f"{self._name}: silent for {timeout_s or self._timeout_s:g} s") from None
                last = answer in _LAST
                if answer == "invalid":
                    raise InvalidRequest(content)
                if answer == "failure":
                    raise ModelFailure(content)
                yield last, content
        finally:
            del self._open[request]
            if not last and not self._reading.done() and not self._writer.is_closing():
                self._writer.write(pack((request, "cancel", None)))

    async def close(self) -> None:
        """Stop reading and close the socket."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                frame = await _receive(reader)
                answers = self._open.get(frame[0])
                if answers is not None:
                    answers.put_nowait(frame)
        except (EOFError, ConnectionError):
            pass
        finally:
            for request, answers in self._open.items():
                answers.put_nowait((request, "failure", f"{self._name}: its process died while it worked on this"))


async def _receive(reader: asyncio.StreamReader) -> Frame:
    """The next frame.

    Raises:
        EOFError: the other side is gone (`asyncio.IncompleteReadError`), or what it sent is no frame.
    """
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > LARGEST_BYTES:
        raise EOFError(f"a frame of {size} bytes")
    return decoder.decode(await reader.readexactly(size))
