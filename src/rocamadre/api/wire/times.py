"""Timestamps in the formats that the service models declare."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any


def parse_timestamp(value: Any, form: str) -> datetime:
    """Read a timestamp.

    Args:
        value: As it stood in the request.
        form: `iso8601`, `rfc822` or `unixTimestamp`.

    Raises:
        ValueError: it does not have that form, or lies outside the years 1 to 9999.
    """
    if form == "unixTimestamp":
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError("seconds since 1970 expected")
        try:
            return datetime.fromtimestamp(float(value), UTC)
        except (OverflowError, OSError) as error:
            raise ValueError("out of range") from error
    if not isinstance(value, str):
        raise ValueError(f"a string in {form} form expected")
    if form == "rfc822":
        moment = parsedate_to_datetime(value)
    else:
        moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_timestamp(moment: datetime, form: str) -> str | float:
    """Write a timestamp; the reverse of `parse_timestamp`, to the millisecond (`rfc822`: to the second)."""
    moment = moment.astimezone(UTC)
    if form == "unixTimestamp":
        return round(moment.timestamp(), 3)
    if form == "rfc822":
        return format_datetime(moment, usegmt=True)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
