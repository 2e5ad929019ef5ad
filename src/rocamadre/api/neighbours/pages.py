"""Pages in the words of the neighbours: markers, limits and flags differ by service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rocamadre.api.wire.paging import page
from rocamadre.core.context import Context

T = TypeVar("T")


def page_of(
    ctx: Context,
    items: Sequence[T],
    request: Mapping[str, Any],
    *,
    operation: str,
    key: Callable[[T], str],
    limit_member: str,
    token_member: str,
    default: int,
) -> tuple[list[T], str | None]:
    """One page of a listing, as `api.wire.paging.page`, with the service's own names of limit and token."""
    renamed = {name: value for name, value in request.items() if name not in (limit_member, token_member)}
    if request.get(limit_member) is not None:
        renamed["maxResults"] = request[limit_member]
    if request.get(token_member) is not None:
        renamed["nextToken"] = request[token_member]
    return page(ctx, items, request=renamed, operation=operation, key=key, default=default)
