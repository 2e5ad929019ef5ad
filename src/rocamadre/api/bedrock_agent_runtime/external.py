"""The documents of EXTERNAL_SOURCES: taken from S3 or from the request."""

from __future__ import annotations

import asyncio
from typing import Any

from rocamadre.api.bedrock_agent_runtime.wishes import Wish
from rocamadre.api.bedrock_runtime.sources import fetch
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.answers.external import ExternalDocument
from rocamadre.knowledge.answers.types import Embed

MOST_BYTES = 10 * 1024 * 1024
"""Of one document, as the wire's own limit for bytes in a request."""


async def read_external(ctx: Context, wish: Wish, embed: Embed | None) -> ExternalDocument:
    """The one document that a request may bring (the wire allows no more), parsed.

    Raises:
        InvalidRequest: it is not there, too large, or cannot be read.
        AccessDenied: its bucket is another account's.
    """
    at = f"{wish.at}.sources.0"
    source = wish.inner["sources"][0]
    member, other = ("s3Location", "byteContent") if source["sourceType"] == "S3" else ("byteContent", "s3Location")
    if member not in source or other in source:
        raise InvalidRequest(f"{at}: a source of type {source['sourceType']} holds {member} and no {other}")
    location: dict[str, Any]
    if member == "s3Location":
        name, media_type = source[member]["uri"], ""
        data = await asyncio.to_thread(fetch, ctx, source[member], at=f"{at}.s3Location", most_bytes=MOST_BYTES)
        location = {"type": "S3", "s3Location": {"uri": name}}
    else:
        given = source[member]
        name, media_type, data = given["identifier"], given["contentType"], given["data"]
        location = {"type": "CUSTOM", "customDocumentLocation": {"id": name}}
    return await asyncio.to_thread(
        ExternalDocument,
        data,
        name,
        media_type,
        location=location,
        metadata={"x-amz-bedrock-kb-source-uri": name},
        embed=embed,
    )
