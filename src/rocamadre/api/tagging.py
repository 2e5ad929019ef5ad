"""Tags of resources: what the services that name them by ARN share. Each keeps a table of the kinds that it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from rocamadre.core.arn import Arn
from rocamadre.core.context import Context
from rocamadre.core.errors import NotFound
from rocamadre.store.sql.tags import add_tags, read_tags, remove_tags

Taggable: TypeAlias = dict[str, Callable[[Context, str], object]]
"""Kind of resource in an ARN to a function that raises `NotFound` unless the resource is the caller's."""


def tag(ctx: Context, kinds: Taggable, arn: str, tags: Mapping[str, str]) -> None:
    """Add tags; a key that is there gets the new value.

    Raises:
        NotFound: no such resource, or none that can carry tags.
    """
    _check_mine(ctx, kinds, arn)
    with ctx.platform.sql.begin() as tx:
        add_tags(tx, arn, tags)


def untag(ctx: Context, kinds: Taggable, arn: str, keys: Sequence[str]) -> None:
    """Take tags away; keys that are not there are passed over.

    Raises:
        NotFound: as for `tag`.
    """
    _check_mine(ctx, kinds, arn)
    with ctx.platform.sql.begin() as tx:
        remove_tags(tx, arn, keys)


def tags_of(ctx: Context, kinds: Taggable, arn: str) -> dict[str, str]:
    """All tags, by key.

    Raises:
        NotFound: as for `tag`.
    """
    _check_mine(ctx, kinds, arn)
    with ctx.platform.sql.connect() as connection:
        return read_tags(connection, arn)


def _check_mine(ctx: Context, kinds: Taggable, arn: str) -> None:
    check = kinds.get(Arn.parse(arn).kind if arn.startswith("arn:") else "")
    if check is None:
        raise NotFound(f"no resource {arn!r} that can carry tags; these kinds can: {', '.join(sorted(kinds))}")
    check(ctx, arn)
