"""Documents that requests name by their place in S3 instead of sending them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.core.context import Context
from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound
from rocamadre.engines.profiles.documents import MOST_BYTES, read_document
from rocamadre.store.objects.protocol import parse_uri


def read_s3_document(ctx: Context, location: Mapping[str, Any], format_: str | None, *, at: str) -> str:
    """The text of a document in the caller's buckets. Blocks: call it in a thread.

    Args:
        ctx: Whose buckets.
        location: An `S3Location`: `uri`, and `bucketOwner`, which must then be the owner.
        format_: See `documents.reading.read_document`.
        at: Where the location stands in the request, for errors.

    Raises:
        AccessDenied: the bucket is another account's.
        InvalidRequest: no such object, too large, or not read; see `documents.reading.read_document`.
        Throttled: too many documents are being read at this moment.
    """
    return read_document(fetch(ctx, location, at=at), format_, at=at)


def fetch(ctx: Context, location: Mapping[str, Any], *, at: str, most_bytes: int = MOST_BYTES) -> bytes:
    """An object's bytes, its size looked at before it is read. Blocks.

    Args:
        ctx: Whose buckets.
        location: See `read_s3_document`.
        at: Where it stands in the request, for errors.
        most_bytes: Larger objects are refused.

    Raises:
        AccessDenied: the bucket is another account's.
        InvalidRequest: no such object, no object's URI, or too large.
    """
    uri, owner = location["uri"], location.get("bucketOwner")
    bucket, key = parse_uri(uri)
    if not key:
        raise InvalidRequest(f"{at}.uri: {uri[:200]!r} names a bucket; name an object: s3://bucket/key")
    if owner is not None and owner != ctx.account:
        raise AccessDenied(
            f"{at}.bucketOwner: {owner} is another account than {ctx.account}, whose buckets this request may read"
        )
    store = ctx.platform.objects.of(ctx.account)
    try:
        size = store.head(bucket, key).size_bytes
        if size > most_bytes:
            raise InvalidRequest(f"{at}.uri: {uri[:200]!r} has {size} bytes; at most {most_bytes} are taken")
        data = bytearray()
        for piece in store.stream(bucket, key):
            data += piece
            if len(data) > most_bytes:  # It was replaced by a larger one in between.
                raise InvalidRequest(f"{at}.uri: {uri[:200]!r} has over {most_bytes} bytes, the most that are taken")
    except NotFound as error:
        raise InvalidRequest(f"{at}.uri: {uri[:200]!r} cannot be read: {error.message}") from error
    return bytes(data)
