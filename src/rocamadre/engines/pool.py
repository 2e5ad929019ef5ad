"""All engines of a server: loaded on demand, bounded in memory, unloaded when idle."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

from rocamadre.core.registry import Registry
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.memory import available_bytes, figure
from rocamadre.engines.pooled import PooledEngine
from rocamadre.engines.protocol import Engine, EngineStatus, LoadSpec
from rocamadre.engines.registry import ENGINES
from rocamadre.engines.runner import RunnerFactory
from rocamadre.engines.shared import NoRoom, SharedBase, group_key, is_adapter

logger = logging.getLogger(__name__)

FREE_SHARE = 0.9
_DRAIN_POLL_S = 0.05
_JANITOR_S = 5.0


class EnginePool:
    """See `Engines`.

    Args:
        settings: Limits of the engines.
        home: The platform's folder; sockets and engine logs go below it.
        engines: Where the kinds of engine are looked up.
        wanted: Whether an engine that is kept while it idles is still meant to be there, by its model's id; reads SQL.
    """

    def __init__(
        self,
        settings: EngineSettings,
        home: Path,
        *,
        engines: Registry[RunnerFactory] = ENGINES,
        wanted: Callable[[str], bool] | None = None,
    ) -> None:
        self._settings = settings
        self._home = home
        self._kinds = engines
        self._wanted = wanted
        self._entries: dict[str, PooledEngine] = {}
        self._shared: dict[Hashable, SharedBase] = {}
        self._room = asyncio.Lock()
        self._promised = 0
        self._janitor: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._ending = False
        self._numbers = itertools.count(1)

    async def engine(self, spec: LoadSpec) -> Engine:
        """See `Engines.engine`.

        Raises:
            InvalidRequest: the file is missing or cannot be loaded, or would not fit in memory (with the figures).
            ModelNotReady: it keeps dying and is held back for a while.
            Unknown: there is no engine of this kind.
            MissingDependency: the engine needs a package that is not installed.
        """
        if is_adapter(spec):
            shared = self._shared.setdefault(group_key(spec), SharedBase(self._add_unnamed, self._forget))
            return await shared.ready(spec)
        entry = self._entries.get(spec.model_id)
        if entry is None or entry.spec != spec:
            if entry is not None:
                self._close_later(entry)
            entry = self._add(spec.model_id, spec)
        entry.last_used = monotonic()
        if not entry.running:
            await entry.ready()
        return entry

    def status(self) -> list[EngineStatus]:
        """One line per copy of every model that is, or should be, running."""
        return [line for entry in self._entries.values() for line in entry.status() if line.state != "stopped"]

    async def unload(self, model_id: str) -> None:
        """Stop a model's engine, if it runs."""
        entry = self._entries.get(model_id)
        if entry is not None:
            await entry.unload()
        for shared in self._shared.values():
            if model_id in shared.adapters and shared.drop(model_id) and shared.current is not None:
                await shared.current.unload()

    async def close(self) -> None:
        """Stop everything."""
        self._ending = True
        if self._janitor is not None:
            self._janitor.cancel()
            with suppress(asyncio.CancelledError):
                await self._janitor
            self._janitor = None
        await asyncio.gather(*(shared.close() for shared in self._shared.values()))
        entries, self._entries, self._shared = list(self._entries.values()), {}, {}
        await asyncio.gather(*(entry.close() for entry in entries), *self._closing)

    def _add(self, name: str, spec: LoadSpec) -> PooledEngine:
        factory = self._kinds.load(spec.engine)
        settings = self._settings.model_copy(update={"replicas": 1}) if spec.dedicated else self._settings
        entry = self._entries[name] = PooledEngine(spec, settings, factory, self._home, self._room_for)
        self._start_janitor()
        return entry

    def _add_unnamed(self, spec: LoadSpec) -> PooledEngine:
        """An engine that no model's id names; it counts as any other."""
        return self._add(f"{spec.model_id} #{next(self._numbers)}", spec)

    def _forget(self, entry: PooledEngine) -> None:
        self._entries = {name: other for name, other in self._entries.items() if other is not entry}

    def _close_later(self, entry: PooledEngine) -> None:
        task = asyncio.create_task(self._drain(entry))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _drain(self, entry: PooledEngine) -> None:
        """Close what another has taken the place of, once the requests that it works on are answered."""
        until = monotonic() + self._settings.reply_timeout_s
        while entry.active and not self._ending and monotonic() < until:
            await asyncio.sleep(_DRAIN_POLL_S)
        await entry.close()

    @asynccontextmanager
    async def _room_for(self, entry: PooledEngine) -> AsyncGenerator[None, None]:
        """Hold the memory that one more copy needs while it is loaded.

        Idle models are unloaded, least recently used first, until it fits.

        Raises:
            NoRoom: it does not fit, with the figures.
        """
        needed = await asyncio.to_thread(entry.factory.memory_bytes, entry.spec, self._settings)
        async with self._room:
            await self._make_room(entry, needed)
            self._promised += needed
        try:
            yield
        finally:
            self._promised -= needed

    async def _make_room(self, entry: PooledEngine, needed: int) -> None:
        limit = self._settings.memory_limit_bytes
        while needed:
            used = self._promised + sum(other.memory_bytes() for other in self._entries.values())
            room = limit - used if limit else int(available_bytes() * FREE_SHARE) - self._promised
            if needed <= room:
                return
            idle = [
                other
                for other in self._entries.values()
                if other is not entry
                and not other.spec.dedicated
                and other.running
                and not other.active
                and other.pids()
            ]
            if not idle:
                share = (
                    f"{figure(limit)} by engines.memory_limit_bytes" if limit else f"{FREE_SHARE:.0%} of what is free"
                )
                raise NoRoom(
                    f"{entry.spec.model_id} needs about {figure(needed)} of memory; {figure(max(0, room))} are left "
                    f"({share}, {figure(used)} in use by engines); unload another model, lower engines.slots, or "
                    "choose a smaller model"
                )
            oldest = min(idle, key=lambda other: other.last_used)
            logger.info("engine.evicted", extra={"model": oldest.spec.model_id, "for_model": entry.spec.model_id})
            await oldest.unload()

    def _start_janitor(self) -> None:
        if (self._settings.keep_alive_s or self._wanted) and self._janitor is None:
            self._janitor = asyncio.create_task(self._unload_idle())

    async def _unload_idle(self) -> None:
        keep_s = self._settings.keep_alive_s or math.inf
        while True:
            await asyncio.sleep(min(_JANITOR_S, max(0.05, keep_s / 4)))
            now = monotonic()
            for model_id, entry in list(self._entries.items()):
                if not entry.running or entry.active:
                    continue
                if entry.spec.dedicated:
                    over = self._wanted is not None and not await asyncio.to_thread(self._wanted, model_id)
                else:
                    over = now - entry.last_used > keep_s
                if over and not entry.active:
                    logger.info("engine.idle", extra={"model": model_id})
                    await entry.unload()
