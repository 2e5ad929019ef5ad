"""A model's events on their way through guardrails: held to the end, in step with the model, or after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Literal, TypeAlias

from rocamadre.core.messages import Event, Finish, TextDelta, Usage
from rocamadre.engines.collect import close
from rocamadre.guardrails.streaming import Watch

Mode: TypeAlias = Literal["whole", "sync", "async"]
Spent: TypeAlias = Callable[[str], Awaitable[Usage]]
"""What a generation cost that was stopped after it had written some text."""


class GuardedAnswer:
    """One answer.

    Attributes:
        watch: Examines it.
        said: What the model wrote, piece by piece, before anything was done about it.
    """

    def __init__(self, watch: Watch, spent: Spent) -> None:
        self.watch = watch
        self.said: list[str] = []
        self._spent = spent

    async def events(self, events: AsyncIterator[Event], mode: Mode) -> AsyncGenerator[Event, None]:
        """The events as the client may see them; those of the model are closed with them."""
        ways = {"whole": self._whole, "sync": self._in_step, "async": self._behind}
        try:
            async for event in ways[mode](events):
                yield event
        finally:
            await close(events)

    async def _whole(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        kept: list[Event] = []
        finish: Finish | None = None
        async for event in events:
            if type(event) is TextDelta:
                self._add(event)
                continue
            if text := await self._text_end():
                kept.append(TextDelta(text))
            if type(event) is Finish:
                finish = event
            else:
                kept.append(event)
        if self.watch.blocked is not None:
            async for event in self._stopped(events, finish):
                yield event
            return
        for event in kept:
            yield event
        if finish is not None:
            yield finish

    async def _in_step(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        watch = self.watch
        async for event in events:
            if type(event) is TextDelta:
                self._add(event)
                if not watch.due:
                    continue
                text = await asyncio.to_thread(watch.look)
            else:
                text = await self._text_end()
            if watch.blocked is not None:
                async for each in self._stopped(events, event if type(event) is Finish else None):
                    yield each
                return
            if text:
                yield TextDelta(text)
            if type(event) is not TextDelta:
                yield event

    async def _behind(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        watch = self.watch
        looking: asyncio.Task[str] | None = None
        finish: Finish | None = None
        try:
            async for event in events:
                if type(event) is Finish:
                    finish = event
                    break
                if type(event) is TextDelta:
                    self._add(event)
                yield event
                looking = self._glance(looking)
                if watch.blocked is not None:
                    break
            if looking is not None:
                await looking
            await self._text_end()
        finally:
            if looking is not None:
                looking.cancel()
        if watch.blocked is not None:
            async for event in self._stopped(events, finish):
                yield event
        elif finish is not None:
            yield finish

    def _glance(self, looking: asyncio.Task[str] | None) -> asyncio.Task[str] | None:
        """The look that goes on beside the stream: begun when one is due, gone when it is done."""
        if looking is None:
            return asyncio.create_task(asyncio.to_thread(self.watch.look)) if self.watch.due else None
        if not looking.done():
            return looking
        looking.result()
        return None

    def _add(self, event: TextDelta) -> None:
        self.said.append(event.text)
        self.watch.add(event.text)

    async def _text_end(self) -> str:
        """What is still to be sent of a text that has ended."""
        if not self.watch.pending:
            return ""
        return await asyncio.to_thread(self.watch.look, final=True)

    async def _stopped(self, events: AsyncIterator[Event], finish: Finish | None) -> AsyncGenerator[Event, None]:
        """The guardrail's message in place of what was not sent, and what the model cost until then."""
        assert self.watch.blocked is not None
        await close(events)
        yield TextDelta(self.watch.blocked.blocked_output)
        if finish is None:
            finish = Finish("guardrail_intervened", await self._spent("".join(self.said)))
        yield replace(finish, reason="guardrail_intervened", stop_sequence=None)
