"""Service tiers and latency: what a request may ask for, and what it is served as."""

from __future__ import annotations

from typing import Final

from rocamadre.core.context import Context
from rocamadre.engines.waiting import TIER, Tier

SERVED_AS: Final[dict[str, Tier]] = {
    "priority": "priority",
    "default": "default",
    "flex": "flex",
    "reserved": "default",
}
"""What a tier is served as. Nothing is reserved on this machine; as on AWS, a request beyond its reserve is default."""

LATENCY: Final = "standard"
"""What any latency is served as: each model has one speed here. AWS, too, says `standard` when it falls back."""


def settle_service(ctx: Context, *, tier: str | None, latency: str | None) -> None:
    """Take the place in the engine's line that a request asks for, and note it for the logs.

    Call it in the request's own task, before the engine is asked.

    Args:
        ctx: Of the request.
        tier: `priority`, `default`, `flex` or `reserved`; None for default.
        latency: `standard` or `optimized`; None when the request does not say.
    """
    if tier is not None:
        served = SERVED_AS[tier]
        TIER.set(served)
        ctx.notes["service_tier"] = served
        ctx.platform.metrics.count("tier_requests", tier=served)
    if latency is not None:
        ctx.notes["latency"] = LATENCY
