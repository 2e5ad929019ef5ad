"""CloudWatch Logs: events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.logs.groups import group_in
from rocamadre.core.context import Context
from rocamadre.neighbours.logs.errors import LogsInvalid
from rocamadre.neighbours.logs.operations import put_batch
from rocamadre.neighbours.logs.reading import MAX_EVENTS, filter_events, get_events

_MASKED = "unmask: there are no data protection policies, so that nothing is masked."


@answers(
    "logs",
    "PutLogEvents",
    missing=("sequenceToken: not needed and not checked, as on AWS.", "entity: accepted and not kept."),
)
def put_log_events(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Write a batch."""
    events = [(event["timestamp"], event["message"]) for event in request["logEvents"]]
    rejected = put_batch(ctx, request["logGroupName"], request["logStreamName"], events)
    named = {
        "tooOldLogEventEndIndex": rejected.too_old_end,
        "expiredLogEventEndIndex": rejected.expired_end,
        "tooNewLogEventStartIndex": rejected.too_new_start,
    }
    told = {name: index for name, index in named.items() if index is not None}
    # Clients of long ago hand this token to the next call; nobody reads it.
    return {"nextSequenceToken": ctx.request_id} | ({"rejectedLogEventsInfo": told} if told else {})


@answers("logs", "GetLogEvents", missing=(_MASKED,))
def get_log_events(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Read a stream from either end."""
    page = get_events(
        ctx,
        group_in(ctx, request),
        request["logStreamName"],
        start_ms=request.get("startTime"),
        end_ms=request.get("endTime"),
        limit=request.get("limit", MAX_EVENTS),
        from_head=request.get("startFromHead", False),
        token=request.get("nextToken"),
    )
    events = [
        {"timestamp": event.timestamp_ms, "message": event.message, "ingestionTime": event.ingested_ms}
        for event in page.events
    ]
    return {"events": events, "nextForwardToken": page.forward, "nextBackwardToken": page.backward}


@answers(
    "logs",
    "FilterLogEvents",
    missing=(
        "filterPattern: words and simple JSON comparisons; regular expressions, columns and parentheses are refused.",
        "interleaved: always so, as on AWS.",
        _MASKED,
    ),
)
def filter_log_events(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Search a group."""
    streams, prefix = request.get("logStreamNames", []), request.get("logStreamNamePrefix", "")
    if streams and prefix:
        raise LogsInvalid("give logStreamNames or logStreamNamePrefix, not both")
    page = filter_events(
        ctx,
        group_in(ctx, request),
        pattern=request.get("filterPattern", ""),
        streams=streams,
        stream_prefix=prefix,
        start_ms=request.get("startTime"),
        end_ms=request.get("endTime"),
        limit=request.get("limit", MAX_EVENTS),
        token=request.get("nextToken"),
    )
    events = [
        {
            "logStreamName": event.stream,
            "timestamp": event.timestamp_ms,
            "message": event.message,
            "ingestionTime": event.ingested_ms,
            "eventId": f"{event.timestamp_ms:036d}{event.id:020d}",
        }
        for event in page.events
    ]
    return {"events": events, "searchedLogStreams": []} | ({"nextToken": page.token} if page.token else {})
