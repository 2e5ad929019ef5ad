"""Models that are adapters over one base: one process for all of them, the adapter chosen per request.

llama.cpp loads adapters only when it starts. So for one that is new a second process is started beside the first, with
all of them; requests go to it as soon as it is ready, and the first ends with its last request. Where both do not fit
into memory, the first ends before the second starts and requests wait meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Event, GenerationRequest
from rocamadre.engines.pooled import PooledEngine
from rocamadre.engines.protocol import Embeddings, LoadSpec, Rendered

logger = logging.getLogger(__name__)

_LOOK_S = 0.02


class NoRoom(InvalidRequest):
    """The engine would not fit in memory."""


def is_adapter(spec: LoadSpec) -> bool:
    """Whether a model is an adapter that may share its base's process."""
    return spec.engine == "llama" and "adapter" in spec.options and not spec.dedicated


def over_base(spec: LoadSpec) -> LoadSpec:
    """The specification of the process that an adapter's model shares, with that adapter alone."""
    options = {name: value for name, value in spec.options.items() if name != "adapter"}
    base = spec.path.name if spec.path is not None else "no file"
    return replace(spec, model_id=f"adapters over {base}", options={**options, "adapters": [adapter_of(spec)]})


def adapter_of(spec: LoadSpec) -> str:
    """The adapter's file."""
    return str(spec.options["adapter"])


def group_key(spec: LoadSpec) -> tuple[Any, ...]:
    """Equal for models that may share a process: same base, context and options."""
    options = {name: value for name, value in spec.options.items() if name != "adapter"}
    return (spec.path, spec.context_length, repr(sorted(options.items())))


class SharedBase:
    """The process of one base and its adapters, over its lives.

    Args:
        make: Makes an engine that the pool counts; not started.
        forget: Takes an engine out of the pool's count.
    """

    def __init__(self, make: Callable[[LoadSpec], PooledEngine], forget: Callable[[PooledEngine], None]) -> None:
        self.current: PooledEngine | None = None
        self.adapters: dict[str, str] = {}
        self._make = make
        self._forget = forget
        self._using: dict[PooledEngine, int] = {}
        self._change = asyncio.Lock()
        self._pausing = False
        self._draining: set[asyncio.Task[None]] = set()

    async def ready(self, spec: LoadSpec) -> Adapted:
        """The engine for one adapter's model, running.

        Raises:
            InvalidRequest: as for `Engines.engine`.
        """
        adapter = adapter_of(spec)
        self.adapters[spec.model_id] = adapter
        if not self._has(adapter):
            async with self._change:
                if not self._has(adapter):
                    await self._grow(spec)
        async with self.held() as engine:
            if not engine.running:
                await engine.ready()
        return Adapted(self, adapter)

    def drop(self, model_id: str) -> bool:
        """Forget a model's adapter when the process starts next; whether none is left."""
        self.adapters.pop(model_id, None)
        return not self.adapters

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[PooledEngine, None]:
        """The engine of now, which stays until this is left."""
        while self._pausing:
            async with self._change:
                pass
        engine = self.current
        assert engine is not None
        self._using[engine] = self._using.get(engine, 0) + 1
        try:
            yield engine
        finally:
            self._using[engine] -= 1
            if not self._using[engine]:
                del self._using[engine]

    async def close(self) -> None:
        """Wait for engines that are being replaced; the pool closes the current one."""
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)

    def _has(self, adapter: str) -> bool:
        return self.current is not None and adapter in self.current.spec.options["adapters"]

    async def _grow(self, spec: LoadSpec) -> None:
        """Replace the process by one that has this adapter too."""
        old = self.current
        shared = over_base(spec)
        known = old.spec.options["adapters"] if old is not None else ()
        wanted = set(self.adapters.values())
        kept = [path for path in known if path in wanted and Path(path).is_file()]
        new = self._make(replace(shared, options={**shared.options, "adapters": [*kept, adapter_of(spec)]}))
        try:
            try:
                await new.ready()
            except NoRoom:
                if old is None or not old.present:
                    raise
                logger.info("engine.adapters.waiting", extra={"model": spec.model_id})
                self._pausing = True
                await self._unused(old)
                await old.unload()
                await new.ready()
        except BaseException:
            await new.close()
            self._forget(new)
            raise
        finally:
            self._pausing = False
        self.current = new
        if old is not None:
            task = asyncio.create_task(self._drain(old))
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)

    async def _drain(self, old: PooledEngine) -> None:
        try:
            await self._unused(old)
        finally:
            await old.close()
            self._forget(old)

    async def _unused(self, engine: PooledEngine) -> None:
        while self._using.get(engine) or engine.active:
            await asyncio.sleep(_LOOK_S)


class Adapted:
    """See `Engine`: one adapter of a `SharedBase`."""

    def __init__(self, shared: SharedBase, adapter: str) -> None:
        self._shared = shared
        self._adapter = adapter

    async def converse(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.converse`."""
        async with self._shared.held() as engine:
            stream = engine.converse(replace(request, adapter=self._adapter))
            try:
                async for event in stream:
                    yield event
            finally:
                await stream.aclose()

    async def render(self, request: GenerationRequest) -> Rendered:
        """See `Engine.render`."""
        async with self._shared.held() as engine:
            return await engine.render(request)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """See `Engine.embed`."""
        async with self._shared.held() as engine:
            return await engine.embed(texts)

    async def rerank(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """See `Engine.rerank`."""
        async with self._shared.held() as engine:
            return await engine.rerank(query, texts)
