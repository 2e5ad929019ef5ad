"""Records of model invocations, read back from where the platform delivers them: an S3 bucket or a log group.

Reads with the visitor's key and nothing else. Records are JSON of strangers: what is missing or of another form is
shown as nothing.
"""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rocamadre.console.api import Api

STREAM = "aws/bedrock/modelinvocations"

_LONGEST_OBJECT = 64_000_000
_MOST_OBJECTS = 300
_PATIENCE_S = 4.0
_PLACE = re.compile(r"(?P<key>.{1,900})\|(?P<line>\d{1,9})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where records go.

    Attributes:
        kind: `s3` or `logs`.
        name: Of the bucket or the group.
        prefix: Before the keys of objects.
    """

    kind: str
    name: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call.

    Attributes:
        at: What names it in an address.
        record: As it was delivered.
    """

    at: str
    record: Mapping[str, Any] = field(default_factory=dict)

    def text(self, *path: str) -> str:
        """A text or number of the record; empty when it is not there."""
        value: Any = self.record
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return str(value) if isinstance(value, str | int | float) else ""


@dataclass(frozen=True, slots=True)
class Calls:
    """Some calls, newest first.

    Attributes:
        more: Where to go on; empty at the end.
        searched: How many records were looked at.
    """

    found: list[Call]
    more: str
    searched: int


def place_of(config: Mapping[str, Any]) -> Place | None:
    """Where a `loggingConfig` sends records, S3 before logs; None for nowhere."""
    s3, logs = config.get("s3Config"), config.get("cloudWatchConfig")
    if s3:
        return Place("s3", s3["bucketName"], s3.get("keyPrefix", ""))
    return Place("logs", logs["logGroupName"]) if logs else None


def read_calls(api: Api, place: Place, *, find: str, after: str, count: int) -> Calls:
    """Look for calls, newest first; blocks, so use a thread.

    Args:
        api: The visitor's.
        place: Where the records are.
        find: Words that a record must all have, in any case; empty for every record.
        after: `Calls.more` of the part before, or empty.
        count: How many at most.

    Raises:
        ApiFailure: the bucket or group cannot be read.
    """
    words = [json.dumps(word, ensure_ascii=False)[1:-1] for word in find.casefold().split()]
    found: list[Call] = []
    searched = 0
    began = time.monotonic()
    walk = _walk_objects(api, place, after) if place.kind == "s3" else _walk_events(api, place, after)
    for at, line in walk:
        searched += 1
        if all(word in line.casefold() for word in words):
            record = _parsed(line)
            if record:
                found.append(Call(at, record))
        if len(found) >= count or time.monotonic() - began > _PATIENCE_S:
            return Calls(found, at, searched)
    return Calls(found, "", searched)


def read_call(api: Api, place: Place, at: str) -> Call | None:
    """One call by what names it; None when it is not there. Blocks.

    Raises:
        ApiFailure: the bucket or group cannot be read.
    """
    if place.kind == "logs":
        request = re.sub(r"[^A-Za-z0-9-]", "", at.partition("|")[2])
        events = api.call_now(
            "logs", "filter_log_events", logGroupName=place.name, filterPattern=f'"{request}"', limit=1
        )["events"]
        return Call(at, _parsed(events[0]["message"])) if events and request else None
    parts = _PLACE.fullmatch(at)
    if parts is None or not parts["key"].startswith(_folder(place)):
        return None
    lines = _read_object(api, place, parts["key"])
    number = int(parts["line"])
    return Call(at, _parsed(lines[number])) if number < len(lines) else None


def _parsed(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _folder(place: Place) -> str:
    return f"{place.prefix.strip('/')}/AWSLogs/".lstrip("/")


def _walk_objects(api: Api, place: Place, after: str) -> Iterator[tuple[str, str]]:
    parts = _PLACE.fullmatch(after)
    last_key, last_line = (parts["key"], int(parts["line"])) if parts else ("", 0)
    read = 0
    for key in _keys(api, place, _folder(place), last_key):
        if not key.endswith(".json.gz") or "/data/" in key:
            continue
        if read == _MOST_OBJECTS:
            return
        read += 1
        lines = _read_object(api, place, key)
        for number in range((last_line if key == last_key else len(lines)) - 1, -1, -1):
            if number < len(lines):
                yield f"{key}|{number}", lines[number]


def _keys(api: Api, place: Place, folder: str, last: str) -> Iterator[str]:
    """Keys below a folder, newest first: folders are dates, so the last in the alphabet are the newest."""
    keys: list[str] = []
    folders: list[str] = []
    more: dict[str, str] = {}
    while True:
        answer = api.call_now("s3", "list_objects_v2", Bucket=place.name, Prefix=folder, Delimiter="/", **more)
        keys += [item["Key"] for item in answer.get("Contents", ())]
        folders += [item["Prefix"] for item in answer.get("CommonPrefixes", ())]
        if not answer.get("IsTruncated"):
            break
        more = {"ContinuationToken": answer["NextContinuationToken"]}
    for inner in sorted(folders, reverse=True):
        if not last or inner <= last or last.startswith(inner):
            yield from _keys(api, place, inner, last)
    for key in sorted(keys, reverse=True):
        if not last or key <= last:
            yield key


def _read_object(api: Api, place: Place, key: str) -> list[str]:
    body = api.call_now("s3", "get_object", Bucket=place.name, Key=key)["Body"].read(_LONGEST_OBJECT)
    try:
        # At most so much comes out, whatever a small object claims to hold.
        text = zlib.decompressobj(wbits=31).decompress(body, _LONGEST_OBJECT)
    except zlib.error:
        return []
    return text.decode("utf-8", errors="replace").splitlines()


def _walk_events(api: Api, place: Place, after: str) -> Iterator[tuple[str, str]]:
    """Events of the log's stream, newest first; `after` is a time in milliseconds and a request."""
    until = after.partition("|")[0]
    wanted: dict[str, Any] = {"endTime": int(until) + 1} if until.isdecimal() else {}
    passed = not after
    token: dict[str, str] = {}
    for _ in range(_MOST_OBJECTS):
        answer = api.call_now(
            "logs", "get_log_events", logGroupName=place.name, logStreamName=STREAM, startFromHead=False, limit=500,
            **wanted, **token,
        )  # fmt: skip
        for event in reversed(answer["events"]):
            at = f"{event['timestamp']}|{_parsed(event['message']).get('requestId', '')}"
            if passed:
                yield at, event["message"]
            passed = passed or at == after
        following = answer.get("nextBackwardToken", "")
        if not answer["events"] or following == token.get("nextToken"):
            return
        token = {"nextToken": following}
