"""Spooled records brought to where they belong: gzipped JSON lines in S3, events in CloudWatch Logs."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec

from rocamadre.core.context import Context
from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound
from rocamadre.invocations.spool import Spooled
from rocamadre.invocations.types import LogsDestination, S3Destination
from rocamadre.neighbours.logs.operations import put_events

LARGE_BYTES = 100 * 1024
"""A body over this is an object of its own, as on AWS."""

STREAM = "aws/bedrock/modelinvocations"
"""The log stream that AWS writes to."""

_EVENTS_AT_ONCE = 500
_SIDES = (("input", "inputBody"), ("output", "outputBody"))


def layout(destination: S3Destination, account: str) -> str:
    """Where an account's records begin, as AWS lays them out.

    >>> layout(S3Destination("logs", "bedrock/"), "123456789012")
    'bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/'
    """
    prefix = destination.prefix.rstrip("/")
    return f"{prefix}{'/' if prefix else ''}AWSLogs/{account}/BedrockModelInvocationLogs/"


def check_bucket(ctx: Context, destination: S3Destination) -> None:
    """Write the object that AWS, too, writes to see whether it may.

    Raises:
        InvalidRequest: the bucket is not there, or another account's.
    """
    key = f"{layout(destination, ctx.account)}amazon-bedrock-logs-permission-check"
    try:
        ctx.platform.objects.of(ctx.account).put(destination.bucket, key, b"")
    except (NotFound, AccessDenied, InvalidRequest) as error:
        raise InvalidRequest(
            f"Failed to validate permissions for bucket: {destination.bucket}, with prefix: {destination.prefix!r}. "
            f"Verify that the bucket exists in this account: {error.message}"
        ) from error


def check_group(ctx: Context, destination: LogsDestination) -> None:
    """See whether the log group takes events; its stream is made if it is missing.

    Raises:
        InvalidRequest: the group is not there.
    """
    try:
        put_events(ctx, destination.group, STREAM, ())
    except NotFound as error:
        raise InvalidRequest(
            f"Failed to validate permissions for log group: {destination.group}, with role: {destination.role_arn}. "
            f"Verify the IAM role permissions are correct, and that the group exists: {error.message}"
        ) from error


def deliver_objects(ctx: Context, destination: S3Destination, spooled: Spooled) -> None:
    """Put the records into one object, and each large body into one of its own. A repeat writes the same again.

    Raises:
        NotFound: the bucket is not there.
        AccessDenied: it is another account's.
        OSError: the disk is full, or the like.
    """
    folder = _folder(ctx, destination, spooled)
    _deliver_large(ctx, destination, folder, spooled)
    slim = _gzipped(_slim(line, destination, folder) for line in spooled.lines())
    name = f"{folder}{spooled.name}.json.gz"
    ctx.platform.objects.of(ctx.account).put(destination.bucket, name, slim, content_type="application/json")


def deliver_events(ctx: Context, destination: LogsDestination, spooled: Spooled) -> None:
    """Write each record as a log event, its large bodies to S3 where a bucket is given for them.

    Raises:
        NotFound: the group, or the bucket for large bodies, is not there.
        AccessDenied: the bucket is another account's.
        OSError: the disk is full, or the like.
    """
    folder = ""
    if destination.large is not None:
        folder = _folder(ctx, destination.large, spooled)
        _deliver_large(ctx, destination.large, folder, spooled)
    every = spooled.lines()
    while lines := list(islice(every, _EVENTS_AT_ONCE)):
        events = [
            (msgspec.json.decode(line, type=_Stamped).milliseconds, _slim(line, destination.large, folder).decode())
            for line in lines
        ]
        put_events(ctx, destination.group, STREAM, [(moment, text.rstrip("\n")) for moment, text in events])


class _Stamped(msgspec.Struct):
    timestamp: datetime

    @property
    def milliseconds(self) -> int:
        return int(self.timestamp.astimezone(UTC).timestamp() * 1000)


def _folder(ctx: Context, destination: S3Destination, spooled: Spooled) -> str:
    return f"{layout(destination, ctx.account)}{spooled.head.region}/{spooled.head.hour}/"


def _deliver_large(ctx: Context, destination: S3Destination, folder: str, spooled: Spooled) -> None:
    store = ctx.platform.objects.of(ctx.account)
    for line in spooled.lines():
        if len(line) > LARGE_BYTES:
            for key, body in _large(folder, msgspec.json.decode(line)):
                store.put(destination.bucket, key, gzip.compress(body, 6), content_type="application/json")


def _large(folder: str, record: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Key and JSON of each body that is too large for its record."""
    for side, name in _SIDES:
        body = msgspec.json.encode(record[side].get(f"{name}Json"))
        if len(body) > LARGE_BYTES:
            yield _data_key(folder, record, side), body


def _data_key(folder: str, record: dict[str, Any], side: str) -> str:
    return f"{folder}data/{record['requestId']}_{side}.json.gz"


def _slim(line: bytes, destination: S3Destination | None, folder: str) -> bytes:
    """A record's line, its large bodies replaced by where they are; left out when they are nowhere."""
    if len(line) <= LARGE_BYTES:
        return line
    record = msgspec.json.decode(line)
    for side, name in _SIDES:
        if len(msgspec.json.encode(record[side].get(f"{name}Json"))) > LARGE_BYTES:
            del record[side][f"{name}Json"]
            if destination is not None:
                key = _data_key(folder, record, side)
                record[side][f"{name}S3Path"] = f"s3://{destination.bucket}/{key}"
    return msgspec.json.encode(record) + b"\n"


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
