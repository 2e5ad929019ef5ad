"""Ratings and data set rows, kept as JSON lines in a bucket of the visitor's account."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rocamadre.console.api import Api, failure_of
from rocamadre.console.failures import ApiFailure
from rocamadre.console.playground.conversation import Exchange, Frame, Json, messages_of

BUCKET = "rocamadre-feedback"
ROWS_KEY = "datasets/playground.jsonl"
"""Rows are added to its end."""

_ATTEMPTS = 5
_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
_THERE = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


def conversation_row(frame: Frame, exchanges: Sequence[Exchange]) -> Json:
    """A conversation, its last answer included, in the form in which Amazon Bedrock takes data to tune models on.

    Documents are named, not kept. A raw prompt makes a row of `prompt` and `completion`.
    """
    if exchanges[-1].prompt:
        return {"prompt": exchanges[-1].prompt, "completion": exchanges[-1].answer.text}
    messages = messages_of([*exchanges, Exchange("")])
    for message in messages:
        for block in message["content"]:
            if "document" in block:
                del block["document"]["source"]
    row: Json = {"schemaVersion": "bedrock-conversation-2024"}
    if frame.system:
        row["system"] = [{"text": frame.system}]
    if frame.tools:
        row["toolConfig"] = {"tools": list(frame.tools)}
    return {**row, "messages": messages}


def rating_row(frame: Frame, exchanges: Sequence[Exchange], *, model: str, reason: str, at: datetime) -> Json:
    """The same with what the visitor thought of the last answer."""
    answer = exchanges[-1].answer
    return {
        **conversation_row(frame, exchanges),
        "rating": answer.rating,
        "reason": reason,
        "model": model,
        "edited": answer.edited,
        "settings": frame.parameters.openai(),
        "schema": frame.schema,
        "at": at.isoformat(timespec="seconds"),
    }


def rating_key(name: str, at: datetime) -> str:
    """Where a rating is kept: an object of its own, so that changing one's mind replaces it.

    >>> rating_key("a1", datetime(2026, 3, 1))
    'ratings/2026/03/01/a1.jsonl'
    """
    return f"ratings/{at:%Y/%m/%d}/{name}.jsonl"


def put_row(api: Api, key: str, row: Json) -> str:
    """Keep one row as an object; blocks.

    Returns:
        Its `s3://` address.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    client = api.client("s3")
    try:
        _make_bucket(client)
        client.put_object(Bucket=BUCKET, Key=key, Body=_line(row), ContentType="application/jsonl")
    except (ClientError, BotoCoreError) as error:
        raise failure_of(error) from error
    return f"s3://{BUCKET}/{key}"


def drop_row(api: Api, key: str) -> None:
    """Delete such an object; blocks.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    api.call_now("s3", "delete_object", Bucket=BUCKET, Key=key)


def append_row(api: Api, key: str, row: Json) -> tuple[str, int]:
    """Add one row to the end of an object, also while others do; blocks.

    Returns:
        The object's `s3://` address, and how many rows it has now.

    Raises:
        ApiFailure: it was refused, nothing answers, or others were quicker each time.
    """
    client = api.client("s3")
    for _ in range(_ATTEMPTS):
        try:
            _make_bucket(client)
            data, condition = _read(client, key)
            data += _line(row)
            client.put_object(Bucket=BUCKET, Key=key, Body=data, ContentType="application/jsonl", **condition)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _CHANGED:
                raise failure_of(error) from error
        except BotoCoreError as error:
            raise failure_of(error) from error
        else:
            return f"s3://{BUCKET}/{key}", data.count(b"\n")
    raise ApiFailure(f"s3://{BUCKET}/{key} was changed by others each time; try again", code="PreconditionFailed")


def _read(client: Any, key: str) -> tuple[bytes, dict[str, str]]:
    """An object's bytes, and the condition that it is still so when it is written."""
    try:
        found = client.get_object(Bucket=BUCKET, Key=key)
    except client.exceptions.NoSuchKey:
        return b"", {"IfNoneMatch": "*"}
    data: bytes = found["Body"].read()
    return data if not data or data.endswith(b"\n") else data + b"\n", {"IfMatch": found["ETag"]}


def _make_bucket(client: Any) -> None:
    region = client.meta.region_name
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        client.head_bucket(Bucket=BUCKET)
    except ClientError:
        try:
            client.create_bucket(Bucket=BUCKET, **place)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _THERE:
                raise


def _line(row: Json) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"
