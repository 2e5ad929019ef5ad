"""/v1/files: upload, list, look up, download, delete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.openai.errors import BadParameter, NotHere
from rocamadre.api.openai.listing import list_reply
from rocamadre.api.openai.multipart import Form, read_form
from rocamadre.core.context import Context
from rocamadre.core.errors import NotFound
from rocamadre.files.operations import Upload, delete_file, get_file, list_files, read_file
from rocamadre.files.types import PURPOSES, StoredFile

T = TypeVar("T")

_MOST_LISTED = 10_000
_SHORTEST_S, _LONGEST_S = 3600, 2_592_000
_KNOWN = frozenset({"purpose", "expires_after[anchor]", "expires_after[seconds]"})


@route("POST", "/v1/files", "/openai/v1/files", dialect="openai", streams=True)
async def create_file(ctx: Context, request: HttpRequest) -> Reply:
    """Keep a file; it may be larger than other requests' bodies."""
    assert request.stream is not None
    upload = await asyncio.to_thread(Upload, ctx.platform)
    try:
        content_type = request.headers.get("content-type", "")
        form = await read_form(content_type, request.stream, file_field="file", add=upload.add)
        purpose, expires_at = _wish(form, ctx.platform.clock.now())
        file = await asyncio.to_thread(
            lambda: upload.keep(
                account=ctx.account,
                region=ctx.region,
                name=form.file_name or "",
                purpose=purpose,
                expires_at=expires_at,
            )
        )
    finally:
        await asyncio.to_thread(upload.drop)
    return json_reply(write_file_object(file))


@route("GET", "/v1/files", "/openai/v1/files", dialect="openai")
async def files(ctx: Context, request: HttpRequest) -> Reply:
    """The account's files, newest first unless asked otherwise."""
    query = request.parameters()
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadParameter(
            f"Invalid value for 'order': {order[:80]!r}. Supported values are: 'asc', 'desc'.", param="order"
        )
    found = await asyncio.to_thread(
        lambda: list_files(ctx.platform, ctx.account, ctx.region, purpose=query.get("purpose"))
    )
    if order == "desc":
        found.reverse()
    return list_reply(found, query, write=write_file_object, default=_MOST_LISTED, most=_MOST_LISTED)


@route("GET", "/v1/files/{}", "/openai/v1/files/{}", dialect="openai")
async def file(ctx: Context, request: HttpRequest) -> Reply:
    """One file."""
    return json_reply(write_file_object(await _known(get_file, ctx, request)))


@route("GET", "/v1/files/{}/content", "/openai/v1/files/{}/content", dialect="openai")
async def file_content(ctx: Context, request: HttpRequest) -> Reply:
    """A file's content."""
    found = await _known(get_file, ctx, request)
    headers = {"content-type": "application/octet-stream", "content-length": str(found.size_bytes)}
    return Reply(200, headers, _pieces(read_file(ctx.platform, found)))


@route("DELETE", "/v1/files/{}", "/openai/v1/files/{}", dialect="openai")
async def delete(ctx: Context, request: HttpRequest) -> Reply:
    """Delete a file."""
    await _known(delete_file, ctx, request)
    return json_reply({"id": request.path_values[0], "object": "file", "deleted": True})


def write_file_object(file: StoredFile) -> dict[str, Any]:
    """A file as clients read it."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size_bytes,
        "created_at": int(file.created_at.timestamp()),
        "expires_at": int(file.expires_at.timestamp()) if file.expires_at else None,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def _wish(form: Form, now: datetime) -> tuple[str, datetime | None]:
    for name in form.fields:
        if name not in _KNOWN:
            raise BadParameter(f"Unknown parameter: '{name[:80]}'.", param=name[:80], code="unknown_parameter")
    if form.file_name is None:
        raise BadParameter("Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
    purpose = form.fields.get("purpose")
    if purpose is None:
        raise BadParameter("Missing required parameter: 'purpose'.", param="purpose", code="missing_required_parameter")
    if purpose not in PURPOSES:
        allowed = ", ".join(map(repr, PURPOSES))
        raise BadParameter(
            f"Invalid value for 'purpose': {purpose[:80]!r}. Supported values are: {allowed}.", param="purpose"
        )
    return purpose, _expiry(form, now)


def _expiry(form: Form, now: datetime) -> datetime | None:
    anchor, seconds = (form.fields.get(f"expires_after[{name}]") for name in ("anchor", "seconds"))
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise BadParameter("'expires_after.anchor' must be 'created_at'.", param="expires_after.anchor")
    if not (seconds or "").isdecimal() or not _SHORTEST_S <= int((seconds or "")[:9]) <= _LONGEST_S:
        raise BadParameter(
            f"'expires_after.seconds' must be a number from {_SHORTEST_S} to {_LONGEST_S}.",
            param="expires_after.seconds",
        )
    return now + timedelta(seconds=int(seconds or 0))


async def _known(find: Callable[..., T], ctx: Context, request: HttpRequest) -> T:
    try:
        return await asyncio.to_thread(find, ctx.platform, ctx.account, ctx.region, request.path_values[0])
    except NotFound as error:
        raise NotHere(error.message, param="id") from error


async def _pieces(content: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    while piece := await asyncio.to_thread(next, content, b""):
        yield piece
