"""/v1/messages/batches of Anthropic's wire: create, list, retrieve, results, cancel, delete."""

from __future__ import annotations

import asyncio
import mmap
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from datetime import datetime
from typing import IO, Any, TypeVar

from rocamadre.api.anthropic.batch_requests import read_requests
from rocamadre.api.anthropic.listing import one_page
from rocamadre.api.anthropic.requests import check_headers
from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.batch.anthropic.folders import batches_dir
from rocamadre.batch.anthropic.operations import (
    batch_results,
    cancel_batch,
    create_batch,
    delete_batch,
    get_batch,
    list_batches,
)
from rocamadre.batch.anthropic.types import MOST_REQUESTS, MessageBatch
from rocamadre.batch.lines import in_pieces
from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError, InvalidRequest

T = TypeVar("T")

_PREFIX = "/anthropic"
_BATCHES = "/v1/messages/batches"
_BATCH = f"{_BATCHES}/{{}}"


@route("POST", f"{_PREFIX}{_BATCHES}", _BATCHES, dialect="anthropic", streams=True)
async def create(ctx: Context, request: HttpRequest) -> Reply:
    """Begin a batch. Its body may be larger than others, and waits on disk."""
    check_headers(request)
    assert request.stream is not None
    with tempfile.TemporaryFile(dir=batches_dir(ctx.platform.settings)) as file:
        await _receive(ctx, request.stream, file)
        batch = await asyncio.to_thread(_create, ctx, file)
    return _reply(ctx, request, batch)


@route("GET", f"{_PREFIX}{_BATCHES}", _BATCHES, dialect="anthropic")
async def batches(ctx: Context, request: HttpRequest) -> Reply:
    """The account's batches, newest first, a page at a time."""
    check_headers(request)
    found = await asyncio.to_thread(list_batches, ctx)
    page = one_page(found, request.parameters(), write=lambda batch: write_batch(ctx, request, batch))
    return json_reply(page, headers={"request-id": ctx.request_id})


@route("GET", f"{_PREFIX}{_BATCH}", _BATCH, dialect="anthropic")
async def batch(ctx: Context, request: HttpRequest) -> Reply:
    """One batch."""
    return _reply(ctx, request, await _asked(get_batch, ctx, request))


@route("GET", f"{_PREFIX}{_BATCH}/results", f"{_BATCH}/results", dialect="anthropic")
async def results(ctx: Context, request: HttpRequest) -> Reply:
    """The results of a batch that has ended, as JSON lines."""
    lines = in_pieces(await _asked(batch_results, ctx, request))
    headers = {"content-type": "application/x-jsonl", "request-id": ctx.request_id}
    return Reply(200, headers, _pieces(lines))


@route("POST", f"{_PREFIX}{_BATCH}/cancel", f"{_BATCH}/cancel", dialect="anthropic")
async def cancel(ctx: Context, request: HttpRequest) -> Reply:
    """Stop a batch; what was answered so far is in its results."""
    return _reply(ctx, request, await _asked(cancel_batch, ctx, request))


@route("DELETE", f"{_PREFIX}{_BATCH}", _BATCH, dialect="anthropic")
async def delete(ctx: Context, request: HttpRequest) -> Reply:
    """Delete a batch that has ended, and its results."""
    await _asked(delete_batch, ctx, request)
    body = {"id": request.path_values[0], "type": "message_batch_deleted"}
    return json_reply(body, headers={"request-id": ctx.request_id})


def write_batch(ctx: Context, request: HttpRequest, batch: MessageBatch) -> dict[str, Any]:
    """A batch as clients read it; its results are where the client has found the batch."""
    archived = batch.archived_at <= ctx.platform.clock.now()
    there = batch.status == "ended" and not archived
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": batch.status,
        "request_counts": {
            "processing": batch.processing,
            "succeeded": batch.succeeded,
            "errored": batch.errored,
            "canceled": batch.canceled,
            "expired": batch.expired,
        },
        "created_at": _time(batch.created_at),
        "expires_at": _time(batch.expires_at),
        "ended_at": _time(batch.ended_at),
        "cancel_initiated_at": _time(batch.cancel_initiated_at),
        "archived_at": _time(batch.archived_at) if archived else None,
        "results_url": f"{_base(ctx, request)}{_BATCHES}/{batch.id}/results" if there else None,
    }


async def _receive(ctx: Context, stream: AsyncIterable[bytes], file: IO[bytes]) -> None:
    most, size = ctx.platform.settings.batch.max_message_batch_bytes, 0
    async for piece in stream:
        size += len(piece)
        if size > most:
            raise CommonError(
                "RequestEntityTooLargeException",
                413,
                f"a message batch has at most {most} bytes (setting batch.max_message_batch_bytes); send several",
            )
        file.write(piece)
    file.flush()


def _create(ctx: Context, file: IO[bytes]) -> MessageBatch:
    most = min(MOST_REQUESTS, ctx.platform.settings.batch.max_records)
    if not file.tell():
        raise InvalidRequest("the body is empty; it is a JSON object with requests")
    body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # Let go with the last of its views.
    return create_batch(ctx, read_requests(body, most=most))


def _reply(ctx: Context, request: HttpRequest, batch: MessageBatch) -> Reply:
    return json_reply(write_batch(ctx, request, batch), headers={"request-id": ctx.request_id})


async def _asked(do: Callable[[Context, str], T], ctx: Context, request: HttpRequest) -> T:
    check_headers(request)
    return await asyncio.to_thread(do, ctx, request.path_values[0])


def _base(ctx: Context, request: HttpRequest) -> str:
    server = ctx.platform.server
    assert server is not None
    scheme, _, address = server.address.partition("://")
    prefix = _PREFIX if request.raw_path.startswith(_PREFIX.encode()) else ""
    return f"{scheme}://{request.headers.get('host') or address}{prefix}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


async def _pieces(content: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    while piece := await asyncio.to_thread(next, content, b""):
        yield piece
