"""Where reports are kept in the object store, so that the console and other machines find them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BUCKET = "rocamadre-redteam"
"""Of reports, in the account that made them."""

_PLAIN = frozenset(".-")


def report_key(report: Mapping[str, Any]) -> str:
    """The key of a report: its moment and its target, so that the newest is the last.

    >>> report_key({"made_at": "2026-11-21T10:00:00+00:00", "target": "a.b-v1:0"})
    '2026-11-21T10-00-00-a.b-v1-0.json'
    """
    written = f"{str(report['made_at'])[:19]}-{str(report['target']).rpartition('/')[2][:80]}"
    plain = "".join(each if each.isascii() and (each.isalnum() or each in _PLAIN) else "-" for each in written)
    return f"{plain}.json"


def keep_report(client: Any, region: str, report: Mapping[str, Any], body: bytes) -> str:
    """Put a report into the bucket, which is made where there is none.

    Args:
        client: A boto3 client of S3.
        region: Of a bucket that is made.
        report: What `make_report` made.
        body: The same as JSON.

    Returns:
        Its key.

    Raises:
        ClientError: it was refused.
    """
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        client.create_bucket(Bucket=BUCKET, **place)
    except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
        pass
    key = report_key(report)
    client.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="application/json")
    return key
