"""Who waits for a model, and who is next: Bedrock's service tiers, and our own jobs behind them.

Priority requests go before the others, flex requests after them; within a tier, first come, first served. Nobody
starves: a tier that was passed over often enough (`MOST_PASSES`) gets the next free slot.
"""

from __future__ import annotations

from asyncio import Future
from collections import deque
from contextvars import ContextVar
from typing import Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")

Tier: TypeAlias = Literal["priority", "default", "flex", "background"]
TIERS: tuple[Tier, ...] = ("priority", "default", "flex", "background")
"""Best first; `background` is what jobs ask."""

MOST_PASSES: dict[Tier, int] = {"priority": 0, "default": 8, "flex": 32, "background": 64}
"""Slots that better tiers may take while somebody of this one waits."""

TIER: ContextVar[Tier] = ContextVar("tier", default="default")
"""Of the request at work in this task; set before its engine is asked."""


class WaitingLine(Generic[T]):
    """Futures that wait for a slot. One that is done (its request was given up) is passed over.

    >>> line = WaitingLine()
    >>> len(line), line.order()
    (0, [])
    """

    def __init__(self) -> None:
        self._queues: dict[Tier, deque[Future[T]]] = {tier: deque() for tier in TIERS}
        self._passed: dict[Tier, int] = dict.fromkeys(TIERS, 0)

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def add(self, future: Future[T], tier: Tier) -> None:
        """Stand at the end of a tier's queue."""
        self._queues[tier].append(future)

    def remove(self, future: Future[T]) -> None:
        """Leave, wherever it stands; nothing happens if it has left."""
        for queue in self._queues.values():
            if future in queue:
                queue.remove(future)

    def count_before(self, tier: Tier) -> int:
        """How many wait in better tiers."""
        return sum(len(self._queues[better]) for better in TIERS[: TIERS.index(tier)])

    def waits(self, tier: Tier) -> bool:
        """Whether somebody waits who goes before a newcomer of this tier."""
        return any(self._queues[better] for better in TIERS[: TIERS.index(tier) + 1])

    def order(self) -> list[Tier]:
        """The tiers in which somebody waits, who is next first."""
        for queue in self._queues.values():
            while queue and queue[0].done():
                queue.popleft()
        waiting = [tier for tier in TIERS if self._queues[tier]]
        starved = [tier for tier in waiting[1:] if self._passed[tier] >= MOST_PASSES[tier]]
        return starved + [tier for tier in waiting if tier not in starved]

    def admit(self, tier: Tier, slot: T) -> None:
        """Give a slot to the first of a tier that `order()` named a moment ago."""
        self._passed[tier] = 0
        for worse in TIERS[TIERS.index(tier) + 1 :]:
            if self._queues[worse]:
                self._passed[worse] += 1
        self._queues[tier].popleft().set_result(slot)

    def fail(self, error: Exception) -> None:
        """Send everybody away."""
        for queue in self._queues.values():
            while queue:
                future = queue.popleft()
                if not future.done():
                    future.set_exception(error)
