"""What every list of this area filters and orders by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar


class _Listed(Protocol):
    @property
    def created_at(self) -> datetime: ...


T = TypeVar("T", bound=_Listed)


def in_time(
    found: Sequence[T], *, after: datetime | None = None, before: datetime | None = None, newest_first: bool = True
) -> list[T]:
    """Those made between two moments.

    Args:
        found: Oldest first.
        after: Only those made later.
        before: Only those made earlier.
        newest_first: Order by time.
    """
    kept = [
        each
        for each in found
        if (after is None or each.created_at > after) and (before is None or each.created_at < before)
    ]
    return kept[::-1] if newest_first else kept
