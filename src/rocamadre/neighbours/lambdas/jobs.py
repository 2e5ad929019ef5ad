"""Asynchronous invocations: a job of one step. It may run twice where the machine dies, as Lambda's own may."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Connection, delete, select

from rocamadre.core.context import Context, Platform, Principal
from rocamadre.jobs.runner import JobKind, Outcome, Step, Work
from rocamadre.neighbours.lambdas.invoking import EVENT_KIND, invoke
from rocamadre.neighbours.lambdas.tables import EVENTS


def call(work: Work) -> dict[str, Any]:
    """Call the function.

    Raises:
        RocamadreError: it is gone, or cannot be called.
    """
    platform, event_id = work.platform, work.arguments["id"]
    with platform.sql.connect() as connection:
        row = connection.execute(select(EVENTS).where(EVENTS.c.id == event_id)).one_or_none()
    if row is None:
        return {}  # Called and settled before, but for the last word of it.
    # Functions need settings, database, objects and clock, which both kinds of platform have.
    ctx = Context(
        platform=cast(Platform, _Narrow(platform)),
        principal=Principal("lambda", row.account),
        account=row.account,
        region=row.region,
        request_id=event_id,
        deadline=platform.clock.monotonic() + 900,
    )
    done = invoke(ctx, row.name, row.payload, qualifier=row.qualifier, request_id=event_id, wait=True)
    return {"failed": done.failed}


class _Narrow:
    """A job's platform where a request's is expected."""

    def __init__(self, platform: Any) -> None:
        self.settings = platform.settings
        self.sql = platform.sql
        self.objects = platform.objects
        self.clock = platform.clock
        self.server = None


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Forget the event."""
    tx.execute(delete(EVENTS).where(EVENTS.c.id == work.arguments["id"]))


KIND = JobKind(EVENT_KIND, (Step("call", call),), settle)
