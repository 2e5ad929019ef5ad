"""From documents that wait to documents that can be searched: prepared in threads, embedded together, written together.

The embedder is the slow part, and is never left without work: while it embeds, the next documents are read, parsed and
cut, and those before are written. It gets texts of many documents at a time, sorted by length, so that little padding
is computed. Each document is written whole; what is on the way is bounded in chunks, whatever the documents' sizes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, islice
from typing import NamedTuple, TypeAlias

import numpy as np
import psutil
from numpy.typing import NDArray

from rocamadre.knowledge.ingestion.items import Known
from rocamadre.knowledge.ingestion.preparing import Prepared

Vectors: TypeAlias = NDArray[np.float32]
EmbedTexts: TypeAlias = Callable[[list[str]], Awaitable[Vectors]]

_CHECK_S = 0.5
_TELL_EVERY = 4
_TOGETHER_S = 0.02
_BUSY = 0.6
"""Share of a core that this process takes where another that prepares documents would not help it."""
_IDLE = 0.5
"""Cores that nobody uses where another has something to work on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is under way at a time.

    Attributes:
        threads: Documents that are prepared at a time, at most: one is taken up after the other, and another beside it
            only where this process is left idle.
        chunks: Between being cut and being written; a single document may have more.
        window: Texts that are sorted by length together.
        request: Texts that the embedder gets at a time.
        requests: That it has at a time: the one it works on, and the next.
        written: Documents of one transaction, at most.
        together: Chunks of one transaction that are worth waiting for, as long as `wait_s`.
        wait_s: How long a document waits for others to be written with it.
    """

    threads: int = 2
    chunks: int = 4096
    window: int = 512
    request: int = 64
    requests: int = 3
    written: int = 256
    together: int = 1024
    wait_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Steps:
    """What is done with documents.

    Attributes:
        prepare: Some of the documents that wait to as many prepared ones; called once per thread, and read in threads.
        embed: Texts to rows.
        write: Documents that are whole, and those with nothing to write; called in one thread at a time.
        stop_requested: Asked every half second: what is under way is then finished, and nothing else begun.
        tell: Called every two seconds, for the progress.
    """

    prepare: Callable[[Iterator[Known]], Generator[Prepared, None, None]]
    embed: EmbedTexts
    write: Callable[[Sequence[Prepared]], None]
    stop_requested: Callable[[], bool] = lambda: False
    tell: Callable[[], None] = lambda: None


class _Text(NamedTuple):
    document: Prepared
    place: int
    text: str


async def load(waiting: Iterator[Known], steps: Steps, limits: Limits | None = None) -> bool:
    """Take all documents through.

    Returns:
        Whether it ended because somebody wanted it to.

    Raises:
        RocamadreError: the embedder or the store fails; documents that were written stay.
    """
    loading = _Loading(waiting, steps, limits or Limits())
    try:
        await loading.run()
    except BaseExceptionGroup as group:
        raise _first(group) from group
    return loading.stopped


@dataclass(slots=True)
class _Loading:
    waiting: Iterator[Known]
    steps: Steps
    limits: Limits
    stopped: bool = False
    chunks: int = 0
    heavy: int = 0
    feeding: int = 0
    embedding: int = 0
    ended: bool = False
    texts: list[_Text] = field(default_factory=list)
    ready: list[Prepared] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            async with asyncio.TaskGroup() as work:
                self._begin_feeding(work)
                work.create_task(self._embed())
                work.create_task(self._write())
                beside = [group.create_task(self._watch()), group.create_task(self._reinforce(work))]
            for each in beside:
                each.cancel()

    def _begin_feeding(self, work: asyncio.TaskGroup) -> None:
        self.feeding += 1
        work.create_task(self._feed())

    async def _reinforce(self, work: asyncio.TaskGroup) -> None:
        """Prepare more documents at a time where embedder and machine have nothing to do, and this process little."""
        await asyncio.sleep(_CHECK_S)  # So long the first may take to begin.
        for _ in range(1, self.limits.threads):
            while True:
                began, busy, idle = time.monotonic(), time.process_time(), _idle_s()
                await asyncio.sleep(_CHECK_S)
                if self.feeding == 0 or self.stopped:
                    return
                passed = time.monotonic() - began
                busy, idle = (time.process_time() - busy) / passed, (_idle_s() - idle) / passed
                if not self.texts and not self.embedding and busy < _BUSY and idle > _IDLE:
                    break
            self._begin_feeding(work)

    async def _watch(self) -> None:
        for look in count(1):
            await asyncio.sleep(_CHECK_S)
            if look % _TELL_EVERY == 0:
                await asyncio.to_thread(self.steps.tell)
            if not self.stopped and await asyncio.to_thread(self.steps.stop_requested):
                self.stopped = True
                await self._notify()

    async def _feed(self) -> None:
        """Prepare documents while there is room."""
        stream = self.steps.prepare(self._each())
        try:
            while True:
                async with self.changed:
                    await self.changed.wait_for(lambda: self.stopped or self.chunks < self.limits.chunks)
                some = await asyncio.to_thread(_next, stream)
                if not some:
                    break
                for prepared in some:
                    self._take(prepared)
                await self._notify()
        finally:
            await asyncio.to_thread(_close, stream)
        self.feeding -= 1
        await self._notify()

    def _each(self) -> Iterator[Known]:
        """What waits, one for whoever asks first; nothing more once it is to stop."""
        while not self.stopped:
            with self.lock:
                known = next(self.waiting, None)
            if known is None:
                return
            yield known

    def _take(self, prepared: Prepared) -> None:
        self.chunks += prepared.weight
        if not prepared.wanting:
            self._finish(prepared)
            return
        texts = prepared.texts()
        self.texts += [_Text(prepared, place, text) for place, text in zip(prepared.wanting, texts, strict=True)]

    def _finish(self, document: Prepared) -> None:
        self.ready.append(document)
        self.heavy += document.weight

    async def _embed(self) -> None:
        """Sort what there is by length, and hand it over in pieces; meanwhile more comes together."""
        places = asyncio.Semaphore(self.limits.requests)
        async with asyncio.TaskGroup() as group:
            while True:
                async with self.changed:
                    await self.changed.wait_for(self._may_embed)
                if not self.texts:
                    break
                window, self.texts = self.texts[: self.limits.window], self.texts[self.limits.window :]
                window.sort(key=lambda each: len(each.text), reverse=True)
                pieces = iter(window)
                while part := list(islice(pieces, self.limits.request)):
                    await places.acquire()
                    self.embedding += 1
                    group.create_task(self._ask(part, places))
        self.ended = True
        await self._notify()

    def _may_embed(self) -> bool:
        enough = len(self.texts) >= self.limits.window
        return enough or self.feeding == 0 or (bool(self.texts) and self.embedding < self.limits.requests)

    async def _ask(self, part: list[_Text], places: asyncio.Semaphore) -> None:
        try:
            vectors = await self.steps.embed([each.text for each in part])
        finally:
            self.embedding -= 1
            places.release()
        for row, (document, place, _) in enumerate(part):
            document.vectors[place] = vectors[row]
            if len(document.vectors) == len(document.wanting):
                self._finish(document)
        await self._notify()

    async def _write(self) -> None:
        """Write what is whole; while a transaction runs, the next comes together."""
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda: bool(self.ready) or self.ended)
            if not self.ready:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self.limits.wait_s), self.changed:
                    await self.changed.wait_for(self._worth_writing)
            part, self.ready = self.ready[: self.limits.written], self.ready[self.limits.written :]
            weight = sum(each.weight for each in part)
            self.heavy -= weight
            await asyncio.to_thread(self.steps.write, part)
            self.chunks -= weight
            await self._notify()

    def _worth_writing(self) -> bool:
        """A transaction costs as much as a good many chunks; but nobody waits for what is not coming."""
        enough = self.heavy >= min(self.limits.together, self.limits.chunks // 2)
        return self.ended or self.stopped or enough or len(self.ready) >= self.limits.written

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()


def _idle_s() -> float:
    """Seconds that this machine's cores have had nothing to do, all together."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def _next(stream: Iterator[Prepared]) -> list[Prepared]:
    """The next documents: several small ones, since each change of threads costs as much as one of those."""
    found: list[Prepared] = []
    until = time.monotonic() + _TOGETHER_S
    for prepared in stream:
        found.append(prepared)
        if time.monotonic() >= until:
            break
    return found


def _close(stream: Generator[Prepared, None, None]) -> None:
    """End a stream; where this was cancelled, a thread may still be waiting for its next document."""
    while True:
        try:
            return stream.close()
        except ValueError:
            time.sleep(_TOGETHER_S)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first of several errors, out of whatever groups it is in."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
