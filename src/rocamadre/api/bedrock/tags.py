"""TagResource, UntagResource, ListTagsForResource: on every taggable resource that there is so far."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.api.tagging import Taggable, tag, tags_of, untag
from rocamadre.catalog.profiles import get_profile
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest

TAGGABLE: Taggable = {"application-inference-profile": get_profile}


@handles("bedrock", "TagResource")
async def tag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags; a key that is there gets the new value."""
    tags = tags_by_key(request["tags"])
    await asyncio.to_thread(tag, ctx, TAGGABLE, request["resourceARN"], tags)
    return {}


@handles("bedrock", "UntagResource")
async def untag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags away; keys that are not there are passed over."""
    await asyncio.to_thread(untag, ctx, TAGGABLE, request["resourceARN"], request["tagKeys"])
    return {}


@handles("bedrock", "ListTagsForResource")
async def list_tags_for_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """All tags, by key."""
    tags = await asyncio.to_thread(tags_of, ctx, TAGGABLE, request["resourceARN"])
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}


def tags_by_key(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Bedrock's list of tags as a mapping.

    Raises:
        InvalidRequest: a key is given twice.
    """
    found = {tag["key"]: tag["value"] for tag in tags}
    if len(found) != len(tags):
        raise InvalidRequest("a tag key is given twice")
    return found
