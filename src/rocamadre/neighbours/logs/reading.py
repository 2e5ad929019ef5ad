"""Reading events: a stream from either end, or a group through a filter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, or_, select

from rocamadre.core.context import Context
from rocamadre.neighbours.logs.errors import LogsInvalid
from rocamadre.neighbours.logs.operations import DAY_MS, find_group, find_stream, now_ms
from rocamadre.neighbours.logs.patterns import compile_pattern
from rocamadre.neighbours.logs.tables import EVENTS, STREAMS
from rocamadre.neighbours.logs.types import EventPage, LogEvent, LogGroup

MAX_EVENTS = 10_000
"""On a page."""
MAX_PAGE_BYTES = 1_048_576
"""Of messages on a page; one event always fits."""
MAX_SCANNED = 50_000
"""Events that one call of `filter_events` looks at, so that a call ends; the page's token leads on."""

_TOKEN = re.compile(r"([fb])/(\d{16})(\d{20})")
_FILTER_TOKEN = re.compile(r"n/(\d{16})(\d{20})")


class FilteredPage(NamedTuple):
    """Events of a group in order of time, and the next page's token; None on the last."""

    events: list[LogEvent]
    token: str | None


def get_events(
    ctx: Context,
    group_name: str,
    stream_name: str,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = MAX_EVENTS,
    from_head: bool = False,
    token: str | None = None,
) -> EventPage:
    """A page of one stream, in order of time.

    Args:
        ctx: Whose.
        group_name: An existing group.
        stream_name: An existing stream of it.
        start_ms: Events at or after it.
        end_ms: Events before it.
        limit: On a page, at most.
        from_head: Where the first page is: at the beginning, or at the end.
        token: A page's `forward` (what came after it) or `backward` (what came before it). Where nothing is left, a
            page is empty and gives back the token it was asked with.

    Raises:
        LogsNotFound: there is no such group or stream.
        LogsInvalid: the token is none of ours.
    """
    direction, place = ("f" if from_head else "b"), None
    if token is not None:
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise LogsInvalid("The specified nextToken is invalid.")
        direction, place = match[1], (int(match[2]), int(match[3]))
    with ctx.platform.sql.connect() as connection:
        group = find_group(connection, ctx, group_name)
        stream = find_stream(connection, ctx, group, stream_name)
        query = _within(select(EVENTS).where(EVENTS.c.stream_id == stream.id), ctx, group, start_ms, end_ms)
        if direction == "f":
            query = _after(query, place).order_by(EVENTS.c.timestamp_ms, EVENTS.c.id)
        else:
            query = _before(query, place).order_by(EVENTS.c.timestamp_ms.desc(), EVENTS.c.id.desc())
        events: list[LogEvent] = []
        size = 0
        for row in connection.execute(query.limit(limit)):
            size += len(row.message.encode())
            if events and size > MAX_PAGE_BYTES:
                break
            events.append(LogEvent(row.id, stream_name, row.timestamp_ms, row.ingested_ms, row.message))
    if direction == "b":
        events.reverse()
    return EventPage(events, *_tokens(events, direction, place))


def _tokens(events: list[LogEvent], direction: str, place: tuple[int, int] | None) -> tuple[str, str]:
    if events:
        first, last = events[0], events[-1]
        return _token("f", last.timestamp_ms, last.id), _token("b", first.timestamp_ms, first.id)
    if place is None:
        return _token("f", 0, 0), _token("b", 0, 0)
    moment, number = place
    # Turning round at an end must meet the event at that end again.
    if direction == "f":
        return _token("f", moment, number), _token("b", moment, number + 1)
    return _token("f", moment, max(0, number - 1)), _token("b", moment, number)


def _token(direction: str, moment: int, number: int) -> str:
    return f"{direction}/{moment:016d}{number:020d}"


def filter_events(
    ctx: Context,
    group_name: str,
    *,
    pattern: str = "",
    streams: Sequence[str] = (),
    stream_prefix: str = "",
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = MAX_EVENTS,
    token: str | None = None,
) -> FilteredPage:
    """A page of a group's events that fit a pattern (`patterns.py`), in order of time over all its streams.

    A page may be empty and have a next one: one call looks at `MAX_SCANNED` events at most.

    Raises:
        LogsNotFound: there is no such group, or no stream of a name that is given.
        LogsInvalid: the pattern has a form that is not taken, or the token is none of ours.
    """
    matches = compile_pattern(pattern)
    place = None
    if token is not None:
        match = _FILTER_TOKEN.fullmatch(token)
        if match is None:
            raise LogsInvalid("The specified nextToken is invalid.")
        place = (int(match[1]), int(match[2]))
    events: list[LogEvent] = []
    size = scanned = 0
    with ctx.platform.sql.connect() as connection:
        group = find_group(connection, ctx, group_name)
        query = select(EVENTS, STREAMS.c.name).join(STREAMS).where(STREAMS.c.group_id == group.id)
        if streams:
            ids = [find_stream(connection, ctx, group, name).id for name in streams]
            query = query.where(STREAMS.c.id.in_(ids))
        if stream_prefix:
            query = query.where(STREAMS.c.name.startswith(stream_prefix, autoescape=True))
        query = _after(_within(query, ctx, group, start_ms, end_ms), place)
        query = query.order_by(EVENTS.c.timestamp_ms, EVENTS.c.id).limit(MAX_SCANNED + 1)
        for row in connection.execute(query.execution_options(yield_per=500)):
            if scanned == MAX_SCANNED or len(events) == limit or (events and size > MAX_PAGE_BYTES):
                assert place is not None
                return FilteredPage(events, f"n/{place[0]:016d}{place[1]:020d}")
            scanned += 1
            place = (row.timestamp_ms, row.id)
            if matches(row.message):
                size += len(row.message.encode())
                events.append(LogEvent(row.id, row.name, row.timestamp_ms, row.ingested_ms, row.message))
    return FilteredPage(events, None)


def _within(query: Select[Any], ctx: Context, group: LogGroup, start_ms: int | None, end_ms: int | None) -> Select[Any]:
    """The part of a time window that the group still keeps."""
    least = start_ms or 0
    if group.retention_days is not None:
        least = max(least, now_ms(ctx) - group.retention_days * DAY_MS)
    query = query.where(EVENTS.c.timestamp_ms >= least)
    return query if end_ms is None else query.where(EVENTS.c.timestamp_ms < end_ms)


def _after(query: Select[Any], place: tuple[int, int] | None) -> Select[Any]:
    if place is None:
        return query
    moment, number = place
    time = EVENTS.c.timestamp_ms
    return query.where(or_(time > moment, and_(time == moment, EVENTS.c.id > number)))


def _before(query: Select[Any], place: tuple[int, int] | None) -> Select[Any]:
    if place is None:
        return query
    moment, number = place
    time = EVENTS.c.timestamp_ms
    return query.where(or_(time < moment, and_(time == moment, EVENTS.c.id < number)))
