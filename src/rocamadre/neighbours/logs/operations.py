"""Log groups and streams: make, list, remove; and writing events into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from rocamadre.core.arn import make_arn
from rocamadre.core.context import Context
from rocamadre.neighbours.logs.errors import LogsExists, LogsInvalid, LogsNotFound
from rocamadre.neighbours.logs.tables import EVENTS, GROUPS, STREAMS
from rocamadre.neighbours.logs.types import LogGroup, LogStream, Rejected
from rocamadre.store.sql.tags import add_tags, forget_tags

DAY_MS = 86_400_000
MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
"""What each event counts beside its message, in UTF-8."""
MAX_MESSAGE_BYTES = MAX_BATCH_BYTES - EVENT_OVERHEAD_BYTES
MAX_AGE_MS = 14 * DAY_MS
MAX_AHEAD_MS = 2 * 3_600_000
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


def create_group(
    ctx: Context, name: str, *, tags: Mapping[str, str] | None = None, kind: str = "STANDARD", kms_key: str = ""
) -> LogGroup:
    """Make a log group.

    Raises:
        LogsExists: there is one of this name.
        TooManyTags: over 50.
    """
    now = now_ms(ctx)
    row = {"account": ctx.account, "region": ctx.region, "name": name, "created_ms": now, "retention_days": None}
    try:
        with ctx.platform.sql.begin() as tx:
            made = tx.execute(insert(GROUPS).values(**row, kind=kind, kms_key=kms_key))
            assert made.inserted_primary_key is not None
            group = LogGroup(made.inserted_primary_key[0], name, group_arn(ctx, name), now, None, kind, kms_key)
            add_tags(tx, group.arn, tags or {})
    except IntegrityError as error:
        raise LogsExists(f"The specified log group already exists: {name}") from error
    return group


def delete_group(ctx: Context, name: str) -> None:
    """Remove a group with its streams, events and tags.

    Raises:
        LogsNotFound: there is none of this name.
    """
    with ctx.platform.sql.begin() as tx:
        group = find_group(tx, ctx, name)
        streams = select(STREAMS.c.id).where(STREAMS.c.group_id == group.id)
        tx.execute(delete(EVENTS).where(EVENTS.c.stream_id.in_(streams)))
        tx.execute(delete(STREAMS).where(STREAMS.c.group_id == group.id))
        tx.execute(delete(GROUPS).where(GROUPS.c.id == group.id))
        forget_tags(tx, group.arn)


def list_groups(ctx: Context, *, prefix: str = "", pattern: str = "") -> list[LogGroup]:
    """Groups by name, with their sizes.

    Args:
        ctx: Whose.
        prefix: How the name begins.
        pattern: What the name holds anywhere, whatever the case.
    """
    size = func.coalesce(func.sum(STREAMS.c.stored_bytes), 0).label("stored_bytes")
    query = (
        select(GROUPS, size)
        .select_from(GROUPS.outerjoin(STREAMS, STREAMS.c.group_id == GROUPS.c.id))
        .where(GROUPS.c.account == ctx.account, GROUPS.c.region == ctx.region)
        .where(GROUPS.c.name.startswith(prefix, autoescape=True))
        .where(GROUPS.c.name.icontains(pattern, autoescape=True))
        .group_by(GROUPS.c.id)
        .order_by(GROUPS.c.name)
    )
    with ctx.platform.sql.connect() as connection:
        return [_group(ctx, row, row.stored_bytes) for row in connection.execute(query)]


def set_retention(ctx: Context, name: str, days: int | None) -> None:
    """Say how long a group keeps its events; those that are older go at once.

    Args:
        ctx: Whose.
        name: The group's.
        days: One of `RETENTION_DAYS`; None for ever.

    Raises:
        LogsNotFound: there is no such group.
        LogsInvalid: the number is none that CloudWatch Logs knows.
    """
    if days is not None and days not in RETENTION_DAYS:
        allowed = ", ".join(map(str, RETENTION_DAYS))
        raise LogsInvalid(f"retentionInDays is {days}; it must be one of {allowed}")
    with ctx.platform.sql.begin() as tx:
        group = find_group(tx, ctx, name)
        tx.execute(update(GROUPS).where(GROUPS.c.id == group.id).values(retention_days=days))
        _remove_expired(tx, group.id, days, now_ms(ctx))


def create_stream(ctx: Context, group_name: str, name: str) -> None:
    """Make a stream.

    Raises:
        LogsNotFound: there is no such group.
        LogsExists: the group has a stream of this name.
    """
    try:
        with ctx.platform.sql.begin() as tx:
            _insert_stream(tx, find_group(tx, ctx, group_name).id, name, now_ms(ctx))
    except IntegrityError as error:
        raise LogsExists(f"The specified log stream already exists: {name}") from error


def delete_stream(ctx: Context, group_name: str, name: str) -> None:
    """Remove a stream with its events.

    Raises:
        LogsNotFound: there is no such group or stream.
    """
    with ctx.platform.sql.begin() as tx:
        stream = find_stream(tx, ctx, find_group(tx, ctx, group_name), name)
        tx.execute(delete(EVENTS).where(EVENTS.c.stream_id == stream.id))
        tx.execute(delete(STREAMS).where(STREAMS.c.id == stream.id))


def list_streams(
    ctx: Context,
    group_name: str,
    *,
    prefix: str = "",
    order: Literal["LogStreamName", "LastEventTime"] = "LogStreamName",
    descending: bool = False,
) -> list[LogStream]:
    """Streams of a group by name or by their last event's time (empty ones count as oldest).

    Raises:
        LogsNotFound: there is no such group.
    """
    key: Any = STREAMS.c.name if order == "LogStreamName" else func.coalesce(STREAMS.c.last_ms, 0)
    with ctx.platform.sql.connect() as connection:
        group = find_group(connection, ctx, group_name)
        query = (
            select(STREAMS)
            .where(STREAMS.c.group_id == group.id, STREAMS.c.name.startswith(prefix, autoescape=True))
            .order_by(key.desc() if descending else key, STREAMS.c.name)
        )
        return [_stream(ctx, group_name, row) for row in connection.execute(query)]


def put_events(ctx: Context, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
    """Write events of the platform's own (invocation logs, the output of functions), all or none.

    Args:
        ctx: Whose log it is.
        group: An existing group's name.
        stream: Made if it is missing.
        events: `(milliseconds since 1970, message)`, in any order, however many; a message of at most
            `MAX_MESSAGE_BYTES` bytes of UTF-8.

    Raises:
        LogsNotFound: there is no such group.
        LogsInvalid: a message is empty or too long.
    """
    _check_messages(events)
    now = now_ms(ctx)
    # Two writers may both find the stream missing; the second then finds it made.
    for last_try in (False, True):
        try:
            with ctx.platform.sql.begin() as tx:
                found = find_group(tx, ctx, group)
                query = select(STREAMS.c.id).where(STREAMS.c.group_id == found.id, STREAMS.c.name == stream)
                stream_id = tx.execute(query).scalar()
                if stream_id is None:
                    stream_id = _insert_stream(tx, found.id, stream, now)
                _insert_events(tx, stream_id, events, now)
            return
        except IntegrityError:
            if last_try:
                raise


def put_batch(ctx: Context, group_name: str, stream_name: str, events: Sequence[tuple[int, str]]) -> Rejected:
    """Write a client's batch under the rules of PutLogEvents: all of it that is neither too old nor too new, or none.

    Raises:
        LogsNotFound: there is no such group or stream.
        LogsInvalid: the batch is too big, out of order, or spans more than a day.
    """
    _check_messages(events)
    _check_batch(events)
    now = now_ms(ctx)
    with ctx.platform.sql.begin() as tx:
        group = find_group(tx, ctx, group_name)
        stream = find_stream(tx, ctx, group, stream_name)
        rejected = _rejected(events, now, group.retention_days)
        start = max(rejected.too_old_end or 0, rejected.expired_end or 0)
        stop = len(events) if rejected.too_new_start is None else rejected.too_new_start
        _insert_events(tx, stream.id, events[start:stop], now)
        _remove_expired(tx, group.id, group.retention_days, now)
    return rejected


def find_group(tx: Connection, ctx: Context, name: str) -> LogGroup:
    """A group by name.

    Raises:
        LogsNotFound: there is none in this account and region.
    """
    query = select(GROUPS).where(GROUPS.c.account == ctx.account, GROUPS.c.region == ctx.region, GROUPS.c.name == name)
    row = tx.execute(query).one_or_none()
    if row is None:
        raise LogsNotFound(
            f"The specified log group does not exist: {name[:512]} (account {ctx.account}, region {ctx.region})"
        )
    return _group(ctx, row)


def find_stream(tx: Connection, ctx: Context, group: LogGroup, name: str) -> LogStream:
    """A stream by name.

    Raises:
        LogsNotFound: the group has none of this name.
    """
    row = tx.execute(select(STREAMS).where(STREAMS.c.group_id == group.id, STREAMS.c.name == name)).one_or_none()
    if row is None:
        raise LogsNotFound(f"The specified log stream does not exist: {name[:512]} in {group.name}")
    return _stream(ctx, group.name, row)


def group_arn(ctx: Context, name: str) -> str:
    """A group's ARN, without `:*`."""
    return make_arn("logs", ctx.region, ctx.account, f"log-group:{name}")


def now_ms(ctx: Context) -> int:
    """The platform's time in milliseconds since 1970."""
    return int(ctx.platform.clock.now().timestamp() * 1000)


def _insert_stream(tx: Connection, group_id: int, name: str, now: int) -> int:
    made = tx.execute(insert(STREAMS).values(group_id=group_id, name=name, created_ms=now))
    assert made.inserted_primary_key is not None
    stream_id: int = made.inserted_primary_key[0]
    return stream_id


def _insert_events(tx: Connection, stream_id: int, events: Sequence[tuple[int, str]], now: int) -> None:
    if not events:
        return
    rows = [
        {"stream_id": stream_id, "timestamp_ms": moment, "ingested_ms": now, "message": text} for moment, text in events
    ]
    tx.execute(insert(EVENTS), rows)
    first, last = min(moment for moment, _ in events), max(moment for moment, _ in events)
    known = tx.execute(select(STREAMS.c.first_ms, STREAMS.c.last_ms).where(STREAMS.c.id == stream_id)).one()
    tx.execute(
        update(STREAMS)
        .where(STREAMS.c.id == stream_id)
        .values(
            first_ms=first if known.first_ms is None else min(first, known.first_ms),
            last_ms=last if known.last_ms is None else max(last, known.last_ms),
            ingested_ms=now,
            stored_bytes=STREAMS.c.stored_bytes + sum(len(text.encode()) for _, text in events),
        )
    )


def _remove_expired(tx: Connection, group_id: int, days: int | None, now: int) -> None:
    if days is None:
        return
    streams = select(STREAMS.c.id).where(STREAMS.c.group_id == group_id)
    expired = EVENTS.c.stream_id.in_(streams) & (EVENTS.c.timestamp_ms < now - days * DAY_MS)
    sizes: dict[int, int] = {}
    for row in tx.execute(select(EVENTS.c.stream_id, EVENTS.c.message).where(expired)):
        sizes[row.stream_id] = sizes.get(row.stream_id, 0) + len(row.message.encode())
    for stream_id, size in sizes.items():
        fewer = STREAMS.c.stored_bytes - size
        tx.execute(update(STREAMS).where(STREAMS.c.id == stream_id).values(stored_bytes=fewer))
    if sizes:
        tx.execute(delete(EVENTS).where(expired))


def _check_messages(events: Sequence[tuple[int, str]]) -> None:
    for index, (moment, text) in enumerate(events, 1):
        if moment < 0:
            raise LogsInvalid(f"event {index} has the timestamp {moment}; it must not be negative")
        if not text:
            raise LogsInvalid(f"event {index} has an empty message; log event messages have at least one character")
        if len(text) > MAX_MESSAGE_BYTES // 4 and len(text.encode()) > MAX_MESSAGE_BYTES:
            raise LogsInvalid(f"Log event too large: event {index} exceeds the limit of {MAX_MESSAGE_BYTES} bytes")


def _check_batch(events: Sequence[tuple[int, str]]) -> None:
    if len(events) > MAX_BATCH_EVENTS:
        raise LogsInvalid(f"the batch has {len(events)} events; at most {MAX_BATCH_EVENTS} are taken")
    size = sum(len(text.encode()) + EVENT_OVERHEAD_BYTES for _, text in events)
    if size > MAX_BATCH_BYTES:
        raise LogsInvalid(f"Upload too large: {size} bytes exceeds limit of {MAX_BATCH_BYTES}")
    if any(later < earlier for (earlier, _), (later, _) in pairwise(events)):
        raise LogsInvalid("Log events in a single PutLogEvents request must be in chronological order.")
    if events and events[-1][0] - events[0][0] > DAY_MS:
        raise LogsInvalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")


def _rejected(events: Sequence[tuple[int, str]], now: int, retention_days: int | None) -> Rejected:
    too_old = sum(moment < now - MAX_AGE_MS for moment, _ in events)
    expired = 0 if retention_days is None else sum(moment < now - retention_days * DAY_MS for moment, _ in events)
    too_new = sum(moment > now + MAX_AHEAD_MS for moment, _ in events)
    return Rejected(too_old or None, expired or None, len(events) - too_new if too_new else None)


def _group(ctx: Context, row: Any, stored_bytes: int = 0) -> LogGroup:
    arn = group_arn(ctx, row.name)
    return LogGroup(row.id, row.name, arn, row.created_ms, row.retention_days, row.kind, row.kms_key, stored_bytes)


def _stream(ctx: Context, group_name: str, row: Any) -> LogStream:
    arn = make_arn("logs", ctx.region, ctx.account, f"log-group:{group_name}:log-stream:{row.name}")
    return LogStream(row.id, row.name, arn, row.created_ms, row.first_ms, row.last_ms, row.ingested_ms)
