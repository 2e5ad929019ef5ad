"""Requests per minute and principal, and requests in flight."""

from __future__ import annotations

from collections import OrderedDict

from rocamadre.api.http import Reply
from rocamadre.core.errors import Throttled
from rocamadre.server.exchange import Exchange, Middleware, Next

_MOST_PRINCIPALS = 10_000


class TokenBucket:
    """Allows `rate` events a minute on average and as many at once; one bucket per name.

    Args:
        rate: Events per minute.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Take one; returns 0, or the seconds after which one is there again.

        Args:
            name: Whose bucket.
            now: Seconds on any monotonic clock.
        """
        level, then = self._levels.pop(name, (float(self._rate), now))
        level = min(float(self._rate), level + (now - then) * self._rate / 60)
        wait = 0.0 if level >= 1 else (1 - level) * 60 / self._rate
        self._levels[name] = (level - 1 if wait == 0 else level, now)
        if len(self._levels) > _MOST_PRINCIPALS:
            self._levels.popitem(last=False)
        return wait


def throttle(requests_per_minute: int, concurrent_requests: int) -> Middleware:
    """The middleware that refuses what is too much.

    Args:
        requests_per_minute: Per principal; 0 for no limit.
        concurrent_requests: In flight in the whole server, streams until their answer begins.
    """
    bucket = TokenBucket(requests_per_minute) if requests_per_minute else None
    in_flight = 0

    async def step(exchange: Exchange, after: Next) -> Reply:
        nonlocal in_flight
        if exchange.route is not None and exchange.route.public:
            return await after(exchange)
        if bucket is not None and exchange.principal is not None:
            wait = bucket.take(exchange.principal.name, exchange.platform.clock.monotonic())
            if wait:
                raise Throttled(
                    f"more than {requests_per_minute} requests per minute; try again in {wait:.1f} s",
                    retry_after_s=wait,
                )
        if in_flight >= concurrent_requests:
            raise Throttled(f"{concurrent_requests} requests are already in flight; try again in a moment")
        in_flight += 1
        try:
            return await after(exchange)
        finally:
            in_flight -= 1

    return step
