"""Lists of Anthropic's wire: a page begins after an id, or ends before one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rocamadre.core.errors import InvalidRequest

T = TypeVar("T")

_DEFAULT, _MOST = "20", 1000


def one_page(
    items: Sequence[T], parameters: Mapping[str, str], *, write: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """One page of a list.

    Args:
        items: All of them, in order.
        parameters: `limit`, and `after_id` or `before_id`, are read here.
        write: Makes an object with an `id` of an item; called for those that are shown.

    Raises:
        InvalidRequest: the limit is none, or nothing has the id.
    """
    limit = _limit(parameters.get("limit", _DEFAULT))
    ids: list[str] = [each.id for each in items]  # type: ignore[attr-defined]  # all that is listed has one
    if (after := parameters.get("after_id")) is not None:
        first = _place(ids, after, "after_id") + 1
        page, more = items[first : first + limit], len(items) > first + limit
    elif (before := parameters.get("before_id")) is not None:
        end = _place(ids, before, "before_id")
        page, more = items[max(0, end - limit) : end], end > limit
    else:
        page, more = items[:limit], len(items) > limit
    data = [write(each) for each in page]
    return {
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:5]) <= _MOST):
        raise InvalidRequest(f"limit: Input should be a whole number from 1 to {_MOST}")
    return int(text[:5])


def _place(ids: list[str], wanted: str, name: str) -> int:
    if wanted not in ids:
        raise InvalidRequest(f"{name}: {wanted[:80]!r} has no place in this list")
    return ids.index(wanted)
