"""CloudWatch Logs: groups, streams and tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.pages import page_of
from rocamadre.core.arn import Arn
from rocamadre.core.context import Context
from rocamadre.neighbours.logs import operations as logs
from rocamadre.neighbours.logs.errors import LogsInvalid, LogsNotFound
from rocamadre.neighbours.logs.types import LogGroup, LogStream
from rocamadre.store.sql.tags import add_tags, read_tags, remove_tags

T = TypeVar("T")

_MOST = 50


def group_in(ctx: Context, request: Mapping[str, Any]) -> str:
    """The name of the group that a request means by name, or by name or ARN.

    Raises:
        LogsInvalid: it gives both, or neither.
        LogsNotFound: the ARN is another account's or region's.
    """
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise LogsInvalid("give either logGroupName or logGroupIdentifier, not both")
    return str(name) if name is not None else group_of(ctx, str(identifier))


def group_of(ctx: Context, identifier: str) -> str:
    """The name in a group's ARN; what is no ARN is a name already."""
    if not identifier.startswith("arn:"):
        return identifier
    arn = Arn.parse(identifier)
    kind, _, name = arn.resource.partition(":")
    if kind != "log-group" or arn.service != "logs":
        raise LogsInvalid(f"{identifier[:200]} is no ARN of a log group")
    if (arn.account, arn.region) != (ctx.account, ctx.region):
        raise LogsNotFound(f"The specified log group does not exist: {identifier[:200]}")
    return name.removesuffix(":*")


def _page(
    ctx: Context, items: Sequence[T], request: Mapping[str, Any], operation: str, key: Callable[[T], str]
) -> tuple[list[T], dict[str, Any]]:
    found, token = page_of(
        ctx,
        items,
        request,
        operation=f"logs:{operation}",
        key=key,
        limit_member="limit",
        token_member="nextToken",
        default=_MOST,
    )
    return found, {"nextToken": token} if token else {}


def _group_members(group: LogGroup) -> dict[str, Any]:
    members: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": f"{group.arn}:*",
        "logGroupArn": group.arn,
        "storedBytes": group.stored_bytes,
        "logGroupClass": group.kind,
    }
    if group.retention_days is not None:
        members["retentionInDays"] = group.retention_days
    if group.kms_key:
        members["kmsKeyId"] = group.kms_key
    return members


def _stream_members(stream: LogStream) -> dict[str, Any]:
    members: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": stream.arn,
        "storedBytes": 0,  # AWS has answered zero for single streams since 2019.
    }
    if stream.first_ms is not None:
        members["firstEventTimestamp"] = stream.first_ms
        members["lastEventTimestamp"] = stream.last_ms
        members["lastIngestionTime"] = stream.ingested_ms
    return members


@answers(
    "logs",
    "CreateLogGroup",
    missing=(
        "kmsKeyId: remembered; nothing is encrypted with it.",
        "logGroupClass: remembered; every class is kept and searched alike.",
    ),
)
def create_log_group(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make a group."""
    logs.create_group(
        ctx,
        request["logGroupName"],
        tags=request.get("tags"),
        kind=request.get("logGroupClass", "STANDARD"),
        kms_key=request.get("kmsKeyId", ""),
    )
    return {}


@answers("logs", "DeleteLogGroup")
def delete_log_group(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove a group and all in it."""
    logs.delete_group(ctx, request["logGroupName"])
    return {}


@answers(
    "logs",
    "DescribeLogGroups",
    missing=("accountIdentifiers, includeLinkedAccounts: one account sees its own groups only.",),
)
def describe_log_groups(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List groups by name."""
    prefix, pattern = request.get("logGroupNamePrefix", ""), request.get("logGroupNamePattern", "")
    if prefix and pattern:
        raise LogsInvalid("give logGroupNamePrefix or logGroupNamePattern, not both")
    wanted = {group_of(ctx, identifier) for identifier in request.get("logGroupIdentifiers", ())}
    kind = request.get("logGroupClass")
    listed = [
        group
        for group in logs.list_groups(ctx, prefix=prefix, pattern=pattern)
        if (not wanted or group.name in wanted) and kind in (None, group.kind)
    ]
    found, more = _page(ctx, listed, request, "DescribeLogGroups", lambda group: group.name)
    return {"logGroups": [_group_members(group) for group in found], **more}


@answers("logs", "PutRetentionPolicy")
def put_retention_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Say how long events are kept."""
    logs.set_retention(ctx, request["logGroupName"], request["retentionInDays"])
    return {}


@answers("logs", "DeleteRetentionPolicy")
def delete_retention_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Keep events for ever."""
    logs.set_retention(ctx, request["logGroupName"], None)
    return {}


@answers("logs", "CreateLogStream")
def create_log_stream(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make a stream."""
    logs.create_stream(ctx, request["logGroupName"], request["logStreamName"])
    return {}


@answers("logs", "DeleteLogStream")
def delete_log_stream(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove a stream and its events."""
    logs.delete_stream(ctx, request["logGroupName"], request["logStreamName"])
    return {}


@answers("logs", "DescribeLogStreams")
def describe_log_streams(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List streams of a group."""
    order, prefix = request.get("orderBy", "LogStreamName"), request.get("logStreamNamePrefix", "")
    if order == "LastEventTime" and prefix:
        raise LogsInvalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    listed = logs.list_streams(
        ctx, group_in(ctx, request), prefix=prefix, order=order, descending=request.get("descending", False)
    )
    found, more = _page(ctx, listed, request, "DescribeLogStreams", lambda stream: stream.name)
    return {"logStreams": [_stream_members(stream) for stream in found], **more}


def _arn_of(ctx: Context, identifier: str) -> str:
    """The ARN of an existing group, given by its own ARN or its name."""
    with ctx.platform.sql.connect() as connection:
        return logs.find_group(connection, ctx, group_of(ctx, identifier)).arn


def _tag(ctx: Context, arn: str, tags: Mapping[str, str]) -> Mapping[str, Any]:
    with ctx.platform.sql.begin() as tx:
        add_tags(tx, arn, tags)
    return {}


def _untag(ctx: Context, arn: str, keys: Sequence[str]) -> Mapping[str, Any]:
    with ctx.platform.sql.begin() as tx:
        remove_tags(tx, arn, keys)
    return {}


def _tags(ctx: Context, arn: str) -> Mapping[str, Any]:
    with ctx.platform.sql.connect() as connection:
        return {"tags": read_tags(connection, arn)}


@answers("logs", "TagResource", missing=("resourceArn: log groups only.",))
def tag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags to a group."""
    return _tag(ctx, _arn_of(ctx, request["resourceArn"]), request["tags"])


@answers("logs", "UntagResource", missing=("resourceArn: log groups only.",))
def untag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags off a group."""
    return _untag(ctx, _arn_of(ctx, request["resourceArn"]), request["tagKeys"])


@answers("logs", "ListTagsForResource", missing=("resourceArn: log groups only.",))
def list_tags_for_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List a group's tags."""
    return _tags(ctx, _arn_of(ctx, request["resourceArn"]))


@answers("logs", "TagLogGroup")
def tag_log_group(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags to a group, by its name."""
    return _tag(ctx, _arn_of(ctx, request["logGroupName"]), request["tags"])


@answers("logs", "UntagLogGroup")
def untag_log_group(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags off a group, by its name."""
    return _untag(ctx, _arn_of(ctx, request["logGroupName"]), request["tags"])


@answers("logs", "ListTagsLogGroup")
def list_tags_log_group(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List a group's tags, by its name."""
    return _tags(ctx, _arn_of(ctx, request["logGroupName"]))
