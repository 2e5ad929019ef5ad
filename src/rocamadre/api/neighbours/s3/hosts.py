"""Buckets named by the Host header: `bucket.localhost:4599`."""

from __future__ import annotations

import re

_LOCAL = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.(?:s3\.(?:[a-z0-9-]+\.)?)?localhost")
_AMAZON = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com")


def bucket_of_host(host: str) -> str:
    """The bucket that a Host header names; empty where the path does.

    >>> bucket_of_host("data.localhost:4599"), bucket_of_host("data.s3.localhost"), bucket_of_host("127.0.0.1:4599")
    ('data', 'data', '')
    >>> bucket_of_host("s3.us-east-1.localhost"), bucket_of_host("data.s3.eu-west-1.amazonaws.com")
    ('', 'data')
    """
    name = host.strip().lower().partition(":")[0]
    if name == "s3.localhost" or (name.startswith("s3.") and name.endswith(".localhost")):
        return ""
    match = _LOCAL.fullmatch(name) or _AMAZON.fullmatch(name)
    return _trimmed(match["bucket"]) if match else ""


def _trimmed(bucket: str) -> str:
    """Without `.s3` or `.s3.region`, which the pattern may have taken for the bucket's own."""
    return re.sub(r"\.s3(\.[a-z]{2}(?:-[a-z]+)+-[0-9])?$", "", bucket)
