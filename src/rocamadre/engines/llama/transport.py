"""HTTP to llama.cpp's server over its unix socket: short questions, and token streams read as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from rocamadre.core.errors import InvalidRequest, ModelFailure, ModelNotReady, ModelTimeout, RocamadreError
from rocamadre.engines.runner import NotDelivered

QUESTION_TIMEOUT_S = 10.0
_EVENT = b"data: "
_LONGEST_LINE = 64 << 20
_GATHER_S = 0.02
_PARTING_S = 1.0


class Candidate(msgspec.Struct):
    """A token that could have come."""

    id: int
    token: str
    bytes: list[int]
    logprob: float


class Picked(Candidate):
    """The token that came."""

    top_logprobs: list[Candidate] = []


class Timings(msgspec.Struct):
    """Of a finished generation: tokens taken from the cache, and tokens read."""

    cache_n: int = 0
    prompt_n: int = 0


class Problem(msgspec.Struct):
    """An error as llama.cpp reports it."""

    message: str = ""
    code: int = 500


class Chunk(msgspec.Struct):
    """One event of a generation; the last has `stop`, and what follows it here."""

    content: str = ""
    stop: bool = False
    tokens: list[int] = []
    completion_probabilities: list[Picked] = []
    tokens_predicted: int = 0
    tokens_evaluated: int = 0
    stop_type: str = ""
    stopping_word: str = ""
    timings: Timings | None = None
    error: Problem | None = None


class _Refusal(msgspec.Struct):
    error: Problem


_chunks = msgspec.json.Decoder(Chunk)


class Transport:
    """The way to one child.

    Args:
        name: Of the model, for messages.
        socket: The child's.
        reply_timeout_s: Longest silence within a generation.
    """

    def __init__(self, name: str, socket: Path, *, reply_timeout_s: float) -> None:
        self._name = name
        self.reply_timeout_s = reply_timeout_s
        connector = aiohttp.UnixConnector(str(socket), limit=0, force_close=True)
        self._session = aiohttp.ClientSession(
            "http://engine", connector=connector, timeout=aiohttp.ClientTimeout(total=None)
        )
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def close(self) -> None:
        """Drop all connections, once the child has ended."""
        # Whoever reads when aiohttp closes a connection waits forever. The child's end wakes them, so that comes first.
        with suppress(TimeoutError):
            async with asyncio.timeout(_PARTING_S):
                await self._idle.wait()
        await self._session.close()

    async def ask(self, path: str, body: Any, *, timeout_s: float = QUESTION_TIMEOUT_S) -> Any:
        """One question, its whole answer.

        Raises:
            InvalidRequest: llama.cpp refused it (status 4xx).
            ModelFailure, ModelTimeout: it died, failed, or took too long.
        """
        async with self._reply(path, body, aiohttp.ClientTimeout(total=timeout_s)) as reply:
            return msgspec.json.decode(await reply.read())

    async def chunks(self, body: dict[str, Any]) -> AsyncGenerator[list[Chunk], None]:
        """The events of a generation, those that came together in one list. Closing ends the generation.

        Raises:
            InvalidRequest, ModelFailure, ModelTimeout: as for `ask`.
        """
        patience = aiohttp.ClientTimeout(total=None, sock_read=self.reply_timeout_s)
        async with self._reply("/completion", {**body, "stream": True}, patience) as reply:
            try:
                async for lines in _gathered(reply.content):
                    yield [self._chunk(line) for line in lines]
            finally:
                reply.close()

    def _chunk(self, line: bytes) -> Chunk:
        if not line.startswith(_EVENT):
            if line.startswith(b"error: "):
                raise _problem(self._name, msgspec.json.decode(line[7:], type=Problem))
            return Chunk()
        chunk = _chunks.decode(memoryview(line)[len(_EVENT) :])
        if chunk.error is not None:
            raise _problem(self._name, chunk.error)
        return chunk

    @asynccontextmanager
    async def _reply(
        self, path: str, body: Any, patience: aiohttp.ClientTimeout
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        if self._session.closed:
            raise NotDelivered(f"{self._name}: its process is gone")
        self._open += 1
        self._idle.clear()
        try:
            async with self._session.post(
                path, data=msgspec.json.encode(body), headers={"Content-Type": "application/json"}, timeout=patience
            ) as reply:
                if reply.status != 200:
                    raise await self._refusal(reply)
                yield reply
        except aiohttp.ClientConnectorError as error:
            raise NotDelivered(f"{self._name}: its process is gone ({error.os_error})") from error
        except (aiohttp.ServerTimeoutError, TimeoutError) as error:
            raise ModelTimeout(f"{self._name}: no answer in time") from error
        except (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError) as error:
            raise ModelFailure(f"{self._name}: its process died while it worked on this") from error
        finally:
            self._open -= 1
            if not self._open:
                self._idle.set()

    async def _refusal(self, reply: aiohttp.ClientResponse) -> RocamadreError:
        data = await reply.read()
        try:
            problem = msgspec.json.decode(data, type=_Refusal).error
        except msgspec.MsgspecError:
            problem = Problem(data[:200].decode(errors="replace"), reply.status)
        problem.code = reply.status
        return _problem(self._name, problem)


async def _gathered(content: aiohttp.StreamReader) -> AsyncGenerator[list[bytes], None]:
    """Events as lines: the first and the last at once, between them those of `_GATHER_S` together.

    A small model makes a thousand tokens a second. Sending each by itself would cost the machine a tenth of them, and
    nobody reads fifty pieces a second.
    """
    ended = asyncio.Event()
    content.on_eof(ended.set)
    rest = b""
    while True:
        # What comes meanwhile waits in the reader's buffer without waking this task.
        data = content.read_nowait() or await content.readany()
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n\n")
        if len(rest) > _LONGEST_LINE:
            raise ModelFailure(f"an event of over {_LONGEST_LINE} bytes")
        if lines:
            yield lines
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_S):
                await ended.wait()


def _problem(name: str, problem: Problem) -> RocamadreError:
    if 400 <= problem.code < 500:
        return InvalidRequest(f"{name}: {problem.message}")
    if problem.code == 503:
        return ModelNotReady(f"{name}: {problem.message}")
    return ModelFailure(f"{name}: {problem.message}")
