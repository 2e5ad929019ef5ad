"""Lists of the OpenAI wire: a page begins after an id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rocamadre.api.http import Reply, json_reply
from rocamadre.api.openai.errors import BadParameter

T = TypeVar("T")


def list_reply(
    items: Sequence[T],
    query: Mapping[str, str],
    *,
    write: Callable[[T], dict[str, Any]],
    default: int,
    most: int,
) -> Reply:
    """One page of a list.

    Args:
        items: All of them, in order.
        query: `limit` and `after` are read here.
        write: Makes an object with an `id` of an item.
        default: Items on a page when the query does not say.
        most: Items that a page may have.

    Raises:
        BadParameter: the limit is none, or nothing has the id `after`.
    """
    limit = _limit(query.get("limit", str(default)), most)
    objects = [write(item) for item in items]
    start = 0
    if "after" in query:
        ids = [each["id"] for each in objects]
        if query["after"] not in ids:
            raise BadParameter(f"Invalid value for 'after': nothing has the id {query['after'][:80]!r}.", param="after")
        start = ids.index(query["after"]) + 1
    shown = objects[start : start + limit]
    return json_reply(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": start + limit < len(objects),
        }
    )


def _limit(text: str, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= most:
        raise BadParameter(f"Invalid value for 'limit': {text[:80]!r}. It is a number from 1 to {most}.", param="limit")
    return int(text)
