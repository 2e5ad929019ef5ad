"""/v1/batches: create, retrieve, list, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.openai.errors import BadParameter, NotHere
from rocamadre.api.openai.fields import Fields, read_fields
from rocamadre.api.openai.listing import list_reply
from rocamadre.batch.openai.operations import cancel_batch, create_batch, get_batch, list_batches
from rocamadre.batch.openai.types import ENDPOINTS, OVER, WINDOW, Batch, NewBatch
from rocamadre.core.context import Context
from rocamadre.core.errors import NotFound

T = TypeVar("T")

_KNOWN = ("completion_window", "endpoint", "input_file_id", "metadata", "output_expires_after")
_MOST_METADATA, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512


@route("POST", "/v1/batches", "/openai/v1/batches", dialect="openai")
async def create(ctx: Context, request: HttpRequest) -> Reply:
    """Begin a batch."""
    fields = read_fields(request)
    fields.only(_KNOWN)
    for name in ("input_file_id", "endpoint", "completion_window"):
        fields.required(name)
    endpoint = fields.choice("endpoint", ENDPOINTS) or ""
    fields.choice("completion_window", (WINDOW,))
    wish = NewBatch(endpoint, fields.text("input_file_id") or "", _metadata(fields), _output_lifetime(fields))
    try:
        batch = await asyncio.to_thread(create_batch, ctx, wish)
    except NotFound as error:
        raise BadParameter(error.message, param="input_file_id", code="invalid_value") from error
    return json_reply(write_batch(batch))


@route("GET", "/v1/batches", "/openai/v1/batches", dialect="openai")
async def batches(ctx: Context, request: HttpRequest) -> Reply:
    """The account's batches, newest first."""
    found = await asyncio.to_thread(list_batches, ctx)
    return list_reply(found, request.parameters(), write=write_batch, default=20, most=100)


@route("GET", "/v1/batches/{}", "/openai/v1/batches/{}", dialect="openai")
async def batch(ctx: Context, request: HttpRequest) -> Reply:
    """One batch, with how far it is."""
    return json_reply(write_batch(await _known(get_batch, ctx, request)))


@route("POST", "/v1/batches/{}/cancel", "/openai/v1/batches/{}/cancel", dialect="openai")
async def cancel(ctx: Context, request: HttpRequest) -> Reply:
    """Stop a batch; what was answered so far is kept in its files."""
    return json_reply(write_batch(await _known(cancel_batch, ctx, request)))


def write_batch(batch: Batch) -> dict[str, Any]:
    """A batch as clients read it."""
    body: dict[str, Any] = {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "input_file_id": batch.input_file_id,
        "completion_window": WINDOW,
        "status": batch.status,
        "output_file_id": batch.output_file_id or None,
        "error_file_id": batch.error_file_id or None,
        "created_at": int(batch.created_at.timestamp()),
        "expires_at": int(batch.expires_at.timestamp()),
        "request_counts": {"total": batch.total, "completed": batch.good, "failed": batch.bad},
        "metadata": dict(batch.metadata) or None,
    }
    for status in ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"):
        body[f"{status}_at"] = batch.times.get(status)
    if batch.status in OVER:
        body["usage"] = {
            "input_tokens": batch.read,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": batch.written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": batch.read + batch.written,
        }
    return body


def _metadata(fields: Fields) -> dict[str, str]:
    found = fields.raw("metadata") or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise fields.wrong_type("metadata", "an object of strings")
    if len(found) > _MOST_METADATA:
        raise fields.wrong("metadata", f"It has at most {_MOST_METADATA} keys")
    if any(len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE for key, value in found.items()):
        raise fields.wrong("metadata", f"Keys have at most {_LONGEST_KEY} characters, values at most {_LONGEST_VALUE}")
    return found


def _output_lifetime(fields: Fields) -> int:
    wish = fields.record("output_expires_after")
    wish.only(("anchor", "seconds"))
    if "output_expires_after" not in fields:
        return 0
    wish.required("anchor")
    wish.required("seconds")
    wish.choice("anchor", ("created_at",))
    return wish.integer("seconds", 3600, 2_592_000) or 0


async def _known(find: Callable[[Context, str], T], ctx: Context, request: HttpRequest) -> T:
    try:
        return await asyncio.to_thread(find, ctx, request.path_values[0])
    except NotFound as error:
        raise NotHere(error.message, param="batch_id") from error
