"""Log groups, streams and events. Times are milliseconds since 1970, as CloudWatch Logs counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A group.

    Attributes:
        arn: Without the `:*` that some answers append.
        retention_days: None for ever; older events are removed.
        stored_bytes: Of its events' messages.
    """

    id: int
    name: str
    arn: str
    created_ms: int
    retention_days: int | None = None
    kind: str = "STANDARD"
    kms_key: str = ""
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class LogStream:
    """A stream of one group.

    Attributes:
        first_ms: The earliest event's time; None while it is empty.
        ingested_ms: When the last event came.
    """

    id: int
    name: str
    arn: str
    created_ms: int
    first_ms: int | None
    last_ms: int | None
    ingested_ms: int | None


class LogEvent(NamedTuple):
    """One event. `(timestamp_ms, id)` is its place in its stream."""

    id: int
    stream: str
    timestamp_ms: int
    ingested_ms: int
    message: str


class Rejected(NamedTuple):
    """Which events of a batch were not taken, by position.

    Attributes:
        too_old_end: Events before it are over 14 days old.
        expired_end: Events before it are older than the group keeps them.
        too_new_start: Events from it on are over two hours in the future.
    """

    too_old_end: int | None
    expired_end: int | None
    too_new_start: int | None


class EventPage(NamedTuple):
    """Events of one stream in order of time, and the tokens that lead on."""

    events: list[LogEvent]
    forward: str
    backward: str
