"""Requests that hold only on a condition: `If-Match` and its kin."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from rocamadre.api.neighbours.s3.calls import bad_argument, http_date
from rocamadre.api.neighbours.s3.errors import NotModified
from rocamadre.core.errors import CommonError
from rocamadre.store.objects.errors import NoSuchKey, PreconditionFailed
from rocamadre.store.objects.files import Condition
from rocamadre.store.objects.protocol import ObjectInfo

_FAILED = "At least one of the pre-conditions you specified did not hold: {}"


def has_etag(info: ObjectInfo, wanted: str) -> bool:
    """Whether an object has one of the ETags in a header; `*` is any."""
    listed = [tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")]
    return "*" in listed or info.etag in listed


def check_read(info: ObjectInfo, headers: Mapping[str, str], prefix: str = "") -> None:
    """The conditions of a GET, HEAD or, prefixed by `x-amz-copy-source-`, of a copy's source.

    Raises:
        NotModified: the client has this version; a copy's source raises PreconditionFailed instead.
        PreconditionFailed: it is another version.
    """
    modified = info.modified_at.replace(microsecond=0)
    match, unmatch = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    since = _date(headers.get(f"{prefix}if-modified-since"))
    unsince = _date(headers.get(f"{prefix}if-unmodified-since"))
    if match is not None and not has_etag(info, match):
        raise PreconditionFailed(_FAILED.format("If-Match"))
    if match is None and unsince is not None and modified > unsince:
        raise PreconditionFailed(_FAILED.format("If-Unmodified-Since"))
    if unmatch is not None:
        is_known = has_etag(info, unmatch)
    else:
        is_known = since is not None and modified <= since
    if is_known:
        if prefix:
            raise PreconditionFailed(_FAILED.format("If-None-Match or If-Modified-Since"))
        raise NotModified({"etag": f'"{info.etag}"', "last-modified": http_date(info.modified_at)})


def write_condition(headers: Mapping[str, str]) -> Condition | None:
    """The condition of a write on what is there: `If-None-Match: *`, or `If-Match` with an ETag.

    Raises:
        CommonError: NotImplemented: S3 knows no other.
    """
    match, unmatch = headers.get("if-match"), headers.get("if-none-match")
    if unmatch is not None and unmatch.strip() != "*":
        raise CommonError(
            "NotImplemented", 501, "A header you provided implies functionality that is not implemented: If-None-Match"
        )
    if match is not None and unmatch is not None:
        raise bad_argument("If-Match and If-None-Match exclude each other")
    if match is None and unmatch is None:
        return None

    def check(info: ObjectInfo | None) -> None:
        if unmatch is not None and info is not None:
            raise PreconditionFailed(_FAILED.format("If-None-Match"))
        if match is not None:
            if info is None:
                raise NoSuchKey("The specified key does not exist.")
            if not has_etag(info, match):
                raise PreconditionFailed(_FAILED.format("If-Match"))

    return check


def _date(text: str | None) -> datetime | None:
    """A header's date; None for one that is none, which HTTP says to pass over."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
