"""One model in the pool: its copies, who waits for them, and what happens when one dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import TypeVar

from rocamadre.core.errors import InvalidRequest, ModelFailure, ModelNotReady, ModelTimeout, RocamadreError, Throttled
from rocamadre.core.messages import Event, GenerationRequest
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.memory import resident_bytes
from rocamadre.engines.priority import BACKGROUND
from rocamadre.engines.protocol import Embeddings, EngineStatus, LoadSpec, Rendered
from rocamadre.engines.runner import NotDelivered, Runner, RunnerFactory
from rocamadre.engines.waiting import TIER, Tier, WaitingLine

logger = logging.getLogger(__name__)
T = TypeVar("T")

FREE_DEATHS = 2
LONGEST_BACKOFF_S = 60.0
_DELIVERIES = 3


class Copy:
    """One process (or the like) that runs the model, over its lives.

    Attributes:
        runner: While it is being loaded or runs.
        ready: It can take requests.
        active: Requests that it works on.
        loading: The task that loads it.
        deaths: In a row, without a request answered in between.
        held_until: Loop time before which it is not started again.
        reason: Why it died last.
    """

    __slots__ = ("active", "deaths", "held_until", "loading", "ready", "reason", "runner", "watch")

    def __init__(self) -> None:
        self.runner: Runner | None = None
        self.ready = False
        self.active = 0
        self.loading: asyncio.Task[None] | None = None
        self.watch: asyncio.Task[None] | None = None
        self.deaths = 0
        self.held_until = 0.0
        self.reason = ""


class PooledEngine:
    """An `Engine` that starts its copies when they are needed and spreads requests over them.

    Args:
        spec: The model.
        settings: Slots, queue, replicas and time limits.
        factory: Makes a copy.
        home: The platform's folder.
        make_room: Entered with this engine while a copy is loaded; raises `InvalidRequest` when it cannot fit.
    """

    def __init__(
        self,
        spec: LoadSpec,
        settings: EngineSettings,
        factory: RunnerFactory,
        home: Path,
        make_room: Callable[[PooledEngine], AbstractAsyncContextManager[None]],
    ) -> None:
        self.spec = spec
        self.factory = factory
        self.settings = settings
        self.last_used = monotonic()
        self._home = home
        self._make_room = make_room
        self._copies = [Copy() for _ in range(settings.replicas)]
        self._turn = 0
        self._waiting: WaitingLine[Copy] = WaitingLine()
        self._clearing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._last_error: RocamadreError | None = None

    # -- what the pool asks ---------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """A copy can take requests."""
        return any(copy.ready for copy in self._copies)

    @property
    def active(self) -> int:
        """Requests in flight or waiting."""
        return sum(copy.active for copy in self._copies) + len(self._waiting)

    @property
    def present(self) -> bool:
        """It runs or is being loaded."""
        return any(copy.runner is not None for copy in self._copies)

    def pids(self) -> list[int]:
        """Process ids of the copies."""
        return [copy.runner.pid for copy in self._copies if copy.runner is not None and copy.runner.pid is not None]

    def memory_bytes(self) -> int:
        """Resident memory of all copies."""
        return sum(resident_bytes(pid) for pid in self.pids())

    def status(self) -> list[EngineStatus]:
        """One line per copy."""
        now = monotonic()
        lines = []
        for index, copy in enumerate(self._copies):
            if copy.ready:
                state, detail = "ready", ""
            elif copy.loading is not None:
                state, detail = "loading", copy.reason
            elif copy.held_until > now:
                state = "backoff"
                detail = f"died {copy.deaths} times in a row, next try in {copy.held_until - now:.0f} s: {copy.reason}"
            else:
                state, detail = "stopped", copy.reason
            pid = copy.runner.pid if copy.runner is not None else None
            queued = len(self._waiting) if index == 0 else 0
            memory = resident_bytes(pid)
            lines.append(
                EngineStatus(self.spec.model_id, self.spec.engine, state, pid, memory, copy.active, queued, detail)
            )
        return lines

    async def ready(self) -> None:
        """Wait until a copy can take requests, starting one if need be."""
        while not self.running:
            self._start_copies()
            loading = [copy.loading for copy in self._copies if copy.loading is not None]
            if loading:
                await asyncio.wait(loading, return_when=asyncio.FIRST_COMPLETED)
            if not self.running and not any(copy.loading for copy in self._copies):
                # Without an error it did load, and died before this task was told.
                reasons = "; ".join(copy.reason for copy in self._copies if copy.reason)
                raise self._last_error or ModelFailure(f"{self.spec.model_id} stopped as it was loaded: {reasons}")

    async def unload(self) -> None:
        """Stop every copy; requests in flight get `ModelFailure`, the next one loads it again."""
        self._fail_waiting(ModelFailure(f"{self.spec.model_id} was unloaded"))
        copies, self._copies = self._copies, [Copy() for _ in self._copies]
        tasks = [task for copy in copies for task in (copy.loading, copy.watch) if task is not None]
        runners = [copy.runner for copy in copies if copy.runner is not None]
        for copy in copies:
            copy.ready, copy.runner = False, None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(runner.stop() for runner in runners), *self._clearing)

    async def close(self) -> None:
        """Unload for good: what still holds this engine gets `ModelFailure`."""
        self._closed = True
        await self.unload()

    # -- the Engine protocol --------------------------------------------------------------------------------------

    async def converse(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.converse`."""
        for attempt in range(_DELIVERIES):
            copy, runner = await self._acquire()
            stream = runner.converse(request)
            try:
                async for event in stream:
                    yield event
                copy.deaths = 0
                return
            except NotDelivered:
                self._mark_dead(copy, runner)
                if attempt == _DELIVERIES - 1:
                    raise
            except ModelTimeout:
                await self._end_if_hung(copy, runner)
                raise
            finally:
                await stream.aclose()
                self._release(copy)

    async def render(self, request: GenerationRequest) -> Rendered:
        """See `Engine.render`."""
        return await self._call(lambda runner: runner.render(request))

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """See `Engine.embed`."""
        return await self._call(lambda runner: runner.embed(texts))

    async def rerank(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """See `Engine.rerank`."""
        return await self._call(lambda runner: runner.rerank(query, texts))

    async def _call(self, ask: Callable[[Runner], Awaitable[T]]) -> T:
        for attempt in range(_DELIVERIES):
            async with self._slot() as (copy, runner):
                try:
                    answer = await ask(runner)
                    copy.deaths = 0
                    return answer
                except NotDelivered:
                    self._mark_dead(copy, runner)
                    if attempt == _DELIVERIES - 1:
                        raise
                except ModelTimeout:
                    await self._end_if_hung(copy, runner)
                    raise
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _slot(self) -> AsyncGenerator[tuple[Copy, Runner], None]:
        copy, runner = await self._acquire()
        try:
            yield copy, runner
        finally:
            self._release(copy)

    # -- slots ----------------------------------------------------------------------------------------------------

    async def _acquire(self) -> tuple[Copy, Runner]:
        """A slot, waited for if need be; `_release` it."""
        while True:
            copy = self._free_copy() or await self._wait_for_copy()
            if copy.runner is not None:
                return copy, copy.runner
            self._release(copy)  # it died between being handed over and now

    def _free_copy(self) -> Copy | None:
        """Take a slot if one is free and nobody waits for it who goes first."""
        tier = _tier()
        return None if self._waiting.waits(tier) else self._take(tier)

    def _take(self, tier: Tier) -> Copy | None:
        """A slot of the least busy copy, ties in turn."""
        best: Copy | None = None
        count = len(self._copies)
        for offset in range(count):
            copy = self._copies[(self._turn + offset) % count]
            if copy.ready and copy.runner is not None and copy.active < _usable(copy.runner.slots, tier):
                if best is None or copy.active < best.active:
                    best = copy
        if best is not None:
            best.active += 1
            self._turn += 1
        return best

    async def _wait_for_copy(self) -> Copy:
        if self._closed:
            raise ModelFailure(f"{self.spec.model_id} was unloaded")
        tier = _tier()
        room = self.settings.queue + (0 if self.running else self.settings.slots * len(self._copies))
        # Jobs bound by themselves what they ask at a time.
        if tier != "background" and self._waiting.count_before("background") >= room:
            raise Throttled(
                f"{self.spec.model_id} has {self.active} requests running or waiting, the most it takes; try again"
            )
        future: asyncio.Future[Copy] = asyncio.get_running_loop().create_future()
        self._waiting.add(future, tier)
        try:
            self._start_copies()
            self._serve_waiting()
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._release(future.result())
            raise
        finally:
            self._waiting.remove(future)

    def _release(self, copy: Copy) -> None:
        copy.active -= 1
        self.last_used = monotonic()
        if self._waiting:
            self._serve_waiting()

    def _serve_waiting(self) -> None:
        while any(self._admit(tier) for tier in self._waiting.order()):
            pass

    def _admit(self, tier: Tier) -> bool:
        """Give the first of a tier a slot, if there is one for it."""
        copy = self._take(tier)
        if copy is not None:
            self._waiting.admit(tier, copy)
        return copy is not None

    def _fail_waiting(self, error: RocamadreError) -> None:
        self._waiting.fail(error)

    # -- lives and deaths -----------------------------------------------------------------------------------------

    def _start_copies(self) -> None:
        """Begin loading every copy that is down and not held back.

        Raises:
            ModelNotReady: all of them are held back.
        """
        if self._closed:
            raise ModelFailure(f"{self.spec.model_id} was unloaded")
        now = monotonic()
        for copy in self._copies:
            if not copy.ready and copy.loading is None and copy.held_until <= now:
                copy.loading = asyncio.create_task(self._load(copy), name=f"load {self.spec.model_id}")
        if not any(copy.ready or copy.loading is not None for copy in self._copies):
            soonest = min(self._copies, key=lambda copy: copy.held_until)
            error = ModelNotReady(
                f"{self.spec.model_id} died {soonest.deaths} times in a row and is held back for another "
                f"{soonest.held_until - now:.1f} s: {soonest.reason}"
            )
            error.retry_after_s = max(0.1, soonest.held_until - now)
            raise error

    async def _load(self, copy: Copy) -> None:
        began = monotonic()
        error: RocamadreError | None = None
        try:
            async with self._make_room(self):
                runner = copy.runner = self.factory(self.spec, self.settings, self._home)
                try:
                    await asyncio.wait_for(runner.start(), self.settings.load_timeout_s)
                except BaseException:
                    copy.runner = None
                    await runner.stop()
                    raise
            copy.ready = True
            copy.watch = asyncio.create_task(self._watch(copy, runner))
            took_s = monotonic() - began
            logger.info("engine.ready", extra={"model": self.spec.model_id, "pid": runner.pid, "took_s": took_s})
        except (ModelFailure, OSError, TimeoutError) as caught:
            if isinstance(caught, TimeoutError) and not isinstance(caught, ModelFailure):
                caught = ModelTimeout(f"{self.spec.model_id} did not load in {self.settings.load_timeout_s:g} s")
            self._count_death(copy, str(caught))
            error = caught if isinstance(caught, RocamadreError) else ModelFailure(str(caught))
        except RocamadreError as caught:
            error = caught
        finally:
            copy.loading = None
            self.last_used = monotonic()
        self._last_error = error
        if error is not None:
            logger.warning("engine.load_failed", extra={"model": self.spec.model_id, "reason": str(error)})
            if not any(other.ready or other.loading is not None for other in self._copies):
                self._fail_waiting(error)
        self._serve_waiting()

    async def _watch(self, copy: Copy, runner: Runner) -> None:
        reason = await runner.exited()
        if copy.runner is runner:
            copy.reason = reason
            self._mark_dead(copy, runner)

    def _mark_dead(self, copy: Copy, runner: Runner) -> None:
        """A copy is gone; once per life. Waiting requests get a new one, unless it keeps dying."""
        if copy.runner is not runner:
            return
        copy.ready, copy.runner = False, None
        # A task of its own: what ends the caller must not leave half of a dead copy behind.
        clearing = asyncio.create_task(runner.stop())
        self._clearing.add(clearing)
        clearing.add_done_callback(self._clearing.discard)
        self._count_death(copy, copy.reason or "its process ended")
        logger.warning("engine.died", extra={"model": self.spec.model_id, "reason": copy.reason})
        if self._waiting or self.running:
            try:
                self._start_copies()
            except ModelNotReady as error:
                self._fail_waiting(error)

    def _count_death(self, copy: Copy, reason: str) -> None:
        copy.reason = reason
        copy.deaths += 1
        late = copy.deaths - FREE_DEATHS
        if late > 0:
            copy.held_until = monotonic() + min(LONGEST_BACKOFF_S, 2.0 ** (late - 1))

    async def _end_if_hung(self, copy: Copy, runner: Runner) -> None:
        """After a request that took too long: a process that does not answer at all is ended."""
        if copy.runner is runner and not await runner.responds():
            copy.reason = "it stopped answering"
            self._mark_dead(copy, runner)


def _tier() -> Tier:
    """Of the request at work in this task."""
    return "background" if BACKGROUND.get() else TIER.get()


def _usable(slots: int, tier: Tier) -> int:
    """Slots that a request may take: all, or for a job's all but one, so that a person's finds one free."""
    return max(1, slots - 1) if tier == "background" else slots


def missing_file(spec: LoadSpec) -> InvalidRequest:
    """The error for a model whose file is not there."""
    return InvalidRequest(
        f"{spec.model_id}: {spec.path or 'no file'} is missing; `roca models list` shows what is here"
    )
