"""Tokens per minute: what one principal may still ask of the models."""

from __future__ import annotations

from collections import OrderedDict

from rocamadre.core.errors import Throttled

_MOST_NAMES = 10_000


class TokenBudget:
    """One level per name, refilled evenly, never above one minute's worth.

    A generation reserves what it may write when it begins, so that many at once cannot all slip in under the limit,
    and pays what it really read and wrote when it ends. The level may fall below zero: then everybody of that name
    waits until it is made up for.

    >>> budget = TokenBudget()
    >>> reserved = budget.reserve("ana", 40, per_minute=60, now=0.0)
    >>> budget.settle("ana", reserved=reserved, spent=75, per_minute=60, now=0.0)
    >>> budget.reserve("ana", 40, per_minute=60, now=10.0)
    Traceback (most recent call last):
    rocamadre.core.errors.Throttled: more than 60 tokens per minute; try again in 6 s
    """

    def __init__(self) -> None:
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def reserve(self, name: str, most: int, *, per_minute: int, now: float) -> int:
        """Begin: set tokens aside.

        Args:
            name: Who pays.
            most: Tokens that it may cost.
            per_minute: The limit.
            now: Seconds on any monotonic clock.

        Returns:
            How many were set aside, for `settle`; at most what was left.

        Raises:
            Throttled: nothing is left.
        """
        level = self._level(name, per_minute, now)
        if level < 1:
            wait = (1 - level) * 60 / per_minute
            raise Throttled(f"more than {per_minute} tokens per minute; try again in {wait:.0f} s", retry_after_s=wait)
        reserved = min(most, int(level))
        self._set(name, level - reserved, now)
        return reserved

    def settle(self, name: str, *, reserved: int, spent: int, per_minute: int, now: float) -> None:
        """End: give back what was reserved, take what was spent."""
        self._set(name, min(float(per_minute), self._level(name, per_minute, now) + reserved - spent), now)

    def _level(self, name: str, per_minute: int, now: float) -> float:
        level, then = self._levels.get(name, (float(per_minute), now))
        return min(float(per_minute), level + (now - then) * per_minute / 60)

    def _set(self, name: str, level: float, now: float) -> None:
        self._levels[name] = (level, now)
        self._levels.move_to_end(name)
        if len(self._levels) > _MOST_NAMES:
            self._levels.popitem(last=False)
