"""Keep, find, continue and forget responses. Each belongs to an account and a region, and is invisible to others.

A response that runs in the background has an owner, the process that runs it, which renews its lease. When the owner is
gone, whoever looks next finds it out: one that was queued is begun again, one that was in progress is failed, so that
none stays unfinished for ever.
"""

from __future__ import annotations

import os
import socket
import zlib
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
import psutil
from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, insert, select, update

from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, NotFound, QuotaExceeded
from rocamadre.responses.tables import RESPONSES
from rocamadre.responses.types import RUNNING, Response, Status

KEPT_FOR = timedelta(days=30)
LEASE_S = 30
"""Seconds that an owner may stay silent."""
MOST_TURNS = 1000
"""Responses in one chain of `previous_response_id`."""
MOST_EVENTS_BYTES = 64 << 20
"""Of one stream that is kept, before compression."""
LOST = "The server stopped while it worked on this response. Nothing was kept of the answer; send the request again."

_t = RESPONSES.c
_COLUMNS = (_t.id, _t.status, _t.created_at, _t.previous_id, _t.input, _t.body, _t.request, _t.background)
_SWEEP = delete(RESPONSES).where(_t.created_at < bindparam("oldest"))
_INSERT = insert(RESPONSES)
# Made once: putting a statement together costs more than running it.


@cache
def this_process() -> str:
    """This process, unlike any other on this machine that was or will be."""
    return f"{socket.gethostname()[:64]}/{os.getpid()}/{psutil.Process().create_time():.2f}"


def keep(ctx: Context, response: Response) -> None:
    """Keep a response, and forget those that are too old."""
    running = response.status in RUNNING
    now = _now(ctx)
    row = {
        "id": response.id,
        "account": ctx.account,
        "region": ctx.region,
        "status": response.status,
        "created_at": response.created_at,
        "previous_id": response.previous_id,
        "background": response.background,
        "input": _json(response.input),
        "body": _json(response.body),
        "request": None if response.request is None else _json(response.request),
        "owner": this_process() if running else "",
        "lease_until": now + LEASE_S if running else 0,
    }
    with ctx.platform.sql.begin() as tx:
        tx.execute(_SWEEP, {"oldest": now - int(KEPT_FOR.total_seconds())})
        tx.execute(_INSERT, row)


def find(ctx: Context, response_id: str) -> Response:
    """A response, as it stands; one whose owner is gone is settled first.

    Raises:
        NotFound: no response of this account and region has the id.
    """
    with ctx.platform.sql.begin() as tx:
        row = tx.execute(select(*_COLUMNS, _t.owner, _t.lease_until).where(*_is(ctx, response_id))).one_or_none()
        if row is None:
            raise NotFound(f"Response with id '{response_id[:80]}' not found.")
        response = _read(row)
        if response.status != "in_progress" or _alive(row.owner, row.lease_until, _now(ctx)):
            return response
        body = {**response.body, "error": {"code": "server_error", "message": LOST}}
        lost = replace(response, status="failed", body=body)
        _settle(tx, _t.owner == row.owner, lost)
        return lost


def adopt(ctx: Context, response: Response) -> bool:
    """Take over a response that was queued in a process that is gone.

    Returns:
        Whether it is ours now.
    """
    with ctx.platform.sql.begin() as tx:
        where = (*_is(ctx, response.id), _t.status == "queued")
        row = tx.execute(select(_t.owner, _t.lease_until).where(*where)).one_or_none()
        if row is None or _alive(row.owner, row.lease_until, _now(ctx)):
            return False
        mine = {"owner": this_process(), "lease_until": _now(ctx) + LEASE_S}
        return tx.execute(update(RESPONSES).where(*where, _t.owner == row.owner).values(mine)).rowcount == 1


def begin(ctx: Context, response_id: str) -> bool:
    """Note that work has begun on a queued response of this process.

    Returns:
        False if it was cancelled or deleted.
    """
    values = {"status": "in_progress", "request": None, "lease_until": _now(ctx) + LEASE_S}
    return _change(ctx, response_id, ("queued",), values)


def renew(ctx: Context, response_id: str) -> bool:
    """Stay its owner for another `LEASE_S`.

    Returns:
        False if it was cancelled or deleted.
    """
    return _change(ctx, response_id, RUNNING, {"lease_until": _now(ctx) + LEASE_S})


def finish(ctx: Context, response: Response, *, events: bytes | None = None) -> bool:
    """Write down how a response of this process ended.

    Args:
        ctx: Its request's.
        response: As it stands now.
        events: What its stream said, to be read again.

    Returns:
        False if it was cancelled or deleted meanwhile; nothing is changed then.
    """
    kept = zlib.compress(events) if events and len(events) <= MOST_EVENTS_BYTES else None
    with ctx.platform.sql.begin() as tx:
        return _settle(tx, _t.owner == this_process(), response, events=kept)


def cancel(ctx: Context, response_id: str) -> Response:
    """Cancel a response that runs in the background; one that has ended stays as it is.

    Raises:
        NotFound: no response of this account and region has the id.
        Conflict: it does not run in the background.
    """
    response = find(ctx, response_id)
    if not response.background:
        raise Conflict("Only responses that were created with 'background' set to true can be cancelled.")
    if response.status not in RUNNING:
        return response
    cancelled = replace(response, status="cancelled")
    with ctx.platform.sql.begin() as tx:
        changed = _settle(tx, _t.account == ctx.account, cancelled)
    return cancelled if changed else find(ctx, response_id)


def forget(ctx: Context, response_id: str) -> None:
    """Delete a response.

    Raises:
        NotFound: no response of this account and region has the id.
    """
    with ctx.platform.sql.begin() as tx:
        if not tx.execute(delete(RESPONSES).where(*_is(ctx, response_id))).rowcount:
            raise NotFound(f"Response with id '{response_id[:80]}' not found.")


def chain(ctx: Context, response_id: str) -> list[Response]:
    """A response and those that it goes on from, oldest first.

    Raises:
        NotFound: one of them is not here, or not any more; the message names it.
        QuotaExceeded: they are more than `MOST_TURNS`.
    """
    found: list[Response] = []
    next_id = response_id
    with ctx.platform.sql.connect() as connection:
        while next_id:
            row = connection.execute(select(*_COLUMNS).where(*_is(ctx, next_id))).one_or_none()
            if row is None:
                raise NotFound(f"Previous response with id '{next_id[:80]}' not found.")
            if len(found) == MOST_TURNS:
                raise QuotaExceeded(f"more than {MOST_TURNS} responses follow each other; begin a new conversation")
            found.append(_read(row))
            next_id = found[-1].previous_id
    return found[::-1]


def kept_events(ctx: Context, response_id: str) -> bytes | None:
    """What the stream of a background response said; None if it was not one, or has not ended."""
    with ctx.platform.sql.connect() as connection:
        kept = connection.execute(select(_t.events).where(*_is(ctx, response_id))).scalar()
    return None if kept is None else zlib.decompress(kept)


def _alive(owner: str, lease_until: int, now: int) -> bool:
    """Whether a process still works on its responses. On this machine we can look; elsewhere its lease must do."""
    host, pid, started = owner.rsplit("/", 2)
    if host == socket.gethostname()[:64]:
        try:
            process = psutil.Process(int(pid))
            return f"{process.create_time():.2f}" == started and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False
    return now < lease_until


def _settle(tx: Connection, owned: ColumnElement[bool], response: Response, *, events: bytes | None = None) -> bool:
    values = {
        "status": response.status,
        "body": _json(response.body),
        "request": None,
        "owner": "",
        "lease_until": 0,
        "events": events,
    }
    where = (_t.id == response.id, _t.status.in_(RUNNING), owned)
    return tx.execute(update(RESPONSES).where(*where).values(values)).rowcount == 1


def _change(ctx: Context, response_id: str, states: tuple[Status, ...], values: dict[str, Any]) -> bool:
    where = (*_is(ctx, response_id), _t.status.in_(states), _t.owner == this_process())
    with ctx.platform.sql.begin() as tx:
        return tx.execute(update(RESPONSES).where(*where).values(values)).rowcount == 1


def _is(ctx: Context, response_id: str) -> tuple[ColumnElement[bool], ...]:
    return _t.id == response_id, _t.account == ctx.account, _t.region == ctx.region


def _now(ctx: Context) -> int:
    return int(ctx.platform.clock.now().timestamp())


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _read(row: Row[*tuple[Any, ...]]) -> Response:
    return Response(
        id=row.id,
        status=row.status,
        created_at=row.created_at,
        previous_id=row.previous_id,
        input=tuple(msgspec.json.decode(row.input)),
        body=msgspec.json.decode(row.body),
        request=None if row.request is None else msgspec.json.decode(row.request),
        background=row.background,
    )
