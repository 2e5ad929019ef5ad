"""TagResource, UntagResource, ListTagsForResource of bedrock-agent: tags as a mapping, the resource in the path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.core.arn import Arn
from rocamadre.core.context import Context
from rocamadre.core.errors import NotFound
from rocamadre.store.sql.tags import add_tags, read_tags, remove_tags

TAGGABLE: dict[str, Callable[[Context, str], object]] = {}
"""Kind of resource in an ARN to a function that raises `NotFound` unless the resource is the caller's."""


@handles("bedrock-agent", "TagResource")
async def tag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags; a key that is there gets the new value."""
    await asyncio.to_thread(_tag, ctx, request["resourceArn"], request["tags"])
    return {}


@handles("bedrock-agent", "UntagResource")
async def untag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags away; keys that are not there are passed over."""
    await asyncio.to_thread(_untag, ctx, request["resourceArn"], request["tagKeys"])
    return {}


@handles("bedrock-agent", "ListTagsForResource")
async def list_tags_for_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """All tags, by key."""
    return {"tags": await asyncio.to_thread(_tags, ctx, request["resourceArn"])}


def _check_mine(ctx: Context, arn: str) -> None:
    check = TAGGABLE.get(Arn.parse(arn).kind)
    if check is None:
        raise NotFound(f"no resource {arn!r} that can carry tags; these kinds can: {', '.join(sorted(TAGGABLE))}")
    check(ctx, arn)


def _tag(ctx: Context, arn: str, tags: Mapping[str, str]) -> None:
    _check_mine(ctx, arn)
    with ctx.platform.sql.begin() as tx:
        add_tags(tx, arn, tags)


def _untag(ctx: Context, arn: str, keys: Sequence[str]) -> None:
    _check_mine(ctx, arn)
    with ctx.platform.sql.begin() as tx:
        remove_tags(tx, arn, keys)


def _tags(ctx: Context, arn: str) -> dict[str, str]:
    _check_mine(ctx, arn)
    with ctx.platform.sql.connect() as connection:
        return read_tags(connection, arn)
