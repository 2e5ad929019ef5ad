"""TagResource, UntagResource, ListTagsForResource of bedrock-agent: tags as a mapping, the resource in the path."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.api.tagging import Taggable, tag, tags_of, untag
from rocamadre.core.context import Context

TAGGABLE: Taggable = {}


@handles("bedrock-agent", "TagResource")
async def tag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags; a key that is there gets the new value."""
    await asyncio.to_thread(tag, ctx, TAGGABLE, request["resourceArn"], request["tags"])
    return {}


@handles("bedrock-agent", "UntagResource")
async def untag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags away; keys that are not there are passed over."""
    await asyncio.to_thread(untag, ctx, TAGGABLE, request["resourceArn"], request["tagKeys"])
    return {}


@handles("bedrock-agent", "ListTagsForResource")
async def list_tags_for_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """All tags, by key."""
    return {"tags": await asyncio.to_thread(tags_of, ctx, TAGGABLE, request["resourceArn"])}
