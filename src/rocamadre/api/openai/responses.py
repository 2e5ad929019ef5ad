"""/v1/responses: create, read, list what was read, cancel, delete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from rocamadre.api.bedrock_runtime.native_guards import read_headers
from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import begin, count_input, resolve_model
from rocamadre.api.inference.tiers import settle_service
from rocamadre.api.openai import background
from rocamadre.api.openai.errors import BadParameter, NotHere, error_object
from rocamadre.api.openai.fields import Fields, read_fields
from rocamadre.api.openai.parts import read_aside
from rocamadre.api.openai.requests import model_of
from rocamadre.api.openai.response_events import Json, Writer, encode_event
from rocamadre.api.openai.response_items import kept_items, new_id
from rocamadre.api.openai.response_request import Wish, read_wish, request_of
from rocamadre.api.openai.streams import Events, open_events, sse_reply
from rocamadre.api.openai.truncation import truncated
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, NotFound, QuotaExceeded, RocamadreError
from rocamadre.core.messages import Finish, GenerationRequest
from rocamadre.responses import operations
from rocamadre.responses.types import RUNNING, Response, Status

T = TypeVar("T")

_ORDERS = ("asc", "desc")
_MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that may begin."""

    wish: Wish
    resolved: Resolved
    request: GenerationRequest
    body: Json


@route("POST", "/v1/responses", "/openai/v1/responses", dialect="openai")
async def create_response(ctx: Context, request: HttpRequest) -> Reply:
    """Answer, now or in the background."""
    fields = read_fields(request, guarded=True)
    wish = await read_aside(request, partial(read_wish, fields))
    _, guard = read_headers(request.headers, {}, stream=wish.stream)
    if wish.background and guard.wish.identifier:
        raise BadParameter(
            "A guardrail named in a header ends with its request; what runs in the background goes through those that "
            "the account enforces. Leave the header or 'background' out.",
            param="background",
        )
    asked = await _prepare(ctx, wish, new_id("resp"), int(ctx.platform.clock.now().timestamp()))
    if asked.wish.background:
        return await _create_in_background(ctx, asked, request.json())
    events = await open_events([partial(begin, ctx, asked.resolved, asked.request, guard.wish)])
    asked.body["model"] = model_of(ctx, asked.resolved)
    writer = _writer(ctx, asked)
    if asked.wish.stream:
        pieces = _pieces(ctx, asked, writer, events)
        return sse_reply(ctx, pieces, events.close, fail=partial(_fail, ctx, asked, writer), done=b"")
    try:
        async for _, event in events:
            writer.feed(event)
    finally:
        await events.close()
    await _keep(ctx, asked, writer)
    return json_reply(writer.body)


@route("POST", "/v1/responses/input_tokens", "/openai/v1/responses/input_tokens", dialect="openai")
async def count_input_tokens(ctx: Context, request: HttpRequest) -> Reply:
    """How many tokens a model would read."""
    wish = await read_aside(request, partial(read_wish, read_fields(request)))
    asked = await _prepare(ctx, wish, new_id("resp"), 0)
    count = await count_input(ctx, asked.resolved, asked.request)
    return json_reply({"object": "response.input_tokens", "input_tokens": count})


@route("GET", "/v1/responses/{}", "/openai/v1/responses/{}", dialect="openai")
async def get_response(ctx: Context, request: HttpRequest) -> Reply:
    """A response as it stands; with `stream=true`, the events of one that was streamed from the background."""
    query = request.parameters()
    response = await _known(operations.find, ctx, request.path_values[0])
    if response.status == "queued" and response.id not in background.runs_of(ctx).running:
        response = await _adopt(ctx, response)
    if _flag(query, "stream"):
        return await _replay(ctx, response, query)
    return json_reply(_written(response))


@route("DELETE", "/v1/responses/{}", "/openai/v1/responses/{}", dialect="openai")
async def delete_response(ctx: Context, request: HttpRequest) -> Reply:
    """Forget a response; one that runs is stopped."""
    response_id = request.path_values[0]
    await _known(operations.forget, ctx, response_id)
    await background.stop(ctx, response_id)
    return json_reply({"id": response_id, "object": "response", "deleted": True})


@route("POST", "/v1/responses/{}/cancel", "/openai/v1/responses/{}/cancel", dialect="openai")
async def cancel_response(ctx: Context, request: HttpRequest) -> Reply:
    """Stop a response that runs in the background."""
    try:
        response = await _known(operations.cancel, ctx, request.path_values[0])
    except Conflict as error:
        raise BadParameter(error.message, param="response_id") from error
    await background.stop(ctx, response.id)
    return json_reply(_written(response))


@route("GET", "/v1/responses/{}/input_items", "/openai/v1/responses/{}/input_items", dialect="openai")
async def list_input_items(ctx: Context, request: HttpRequest) -> Reply:
    """What a response read, earlier responses of its conversation included."""
    query = request.parameters()
    order = query.get("order", "desc")
    if order not in _ORDERS:
        raise BadParameter(
            f"Invalid value for 'order': {order[:80]!r}. Supported values are: 'asc', 'desc'.", param="order"
        )
    limit = _number(query, "limit", 20, 1, _MOST_LISTED)
    *before, last = await _chain(ctx, request.path_values[0], known=True)
    items = [item for response in before for item in (*response.input, *response.output)] + list(last.input)
    if order == "desc":
        items.reverse()
    ids = [item["id"] for item in items]
    start = 0
    if "after" in query:
        if query["after"] not in ids:
            raise BadParameter(f"Invalid value for 'after': no item has the id {query['after'][:80]!r}.", param="after")
        start = ids.index(query["after"]) + 1
    page = items[start : start + limit]
    return json_reply(
        {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": start + limit < len(items),
        }
    )


async def _prepare(ctx: Context, wish: Wish, response_id: str, created_at: int) -> _Asked:
    """Everything that can be refused before a model is asked."""
    settle_service(ctx, tier=wish.tier, latency=None)
    resolved = resolve_model(ctx, wish.model)
    if wish.previous_id:
        asked = await asyncio.to_thread(request_of, wish, await _history(ctx, wish.previous_id))
    else:
        asked = request_of(wish, [])
    if wish.truncate:
        asked = await truncated(ctx, resolved, asked)
    body: Json = {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "queued" if wish.background else "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": resolved.model.id,
        "output": [],
        "usage": None,
        **wish.facts,
    }
    return _Asked(wish, resolved, asked, body)


async def _history(ctx: Context, previous_id: str) -> Sequence[Response]:
    history = await _chain(ctx, previous_id)
    if history[-1].status in RUNNING:
        raise BadParameter(
            f"Previous response '{previous_id[:80]}' is still {history[-1].status}; wait until it has ended.",
            param="previous_response_id",
        )
    return history


async def _chain(ctx: Context, response_id: str, *, known: bool = False) -> list[Response]:
    if known:
        await _known(operations.find, ctx, response_id)
    try:
        return await asyncio.to_thread(operations.chain, ctx, response_id)
    except NotFound as error:
        raise BadParameter(error.message, param="previous_response_id", code="previous_response_not_found") from error
    except QuotaExceeded as error:
        raise BadParameter(error.message, param="previous_response_id") from error


async def _known(operation: Any, ctx: Context, response_id: str) -> Any:
    try:
        return await asyncio.to_thread(operation, ctx, response_id)
    except NotFound as error:
        raise NotHere(error.message, param="response_id") from error


def _writer(ctx: Context, asked: _Asked) -> Writer:
    logprobs = asked.wish.logprobs is not None
    return Writer(asked.body, logprobs=logprobs, now=lambda: int(ctx.platform.clock.now().timestamp()))


async def _pieces(ctx: Context, asked: _Asked, writer: Writer, events: Events) -> AsyncGenerator[bytes, None]:
    yield encode_event(writer.created())
    yield encode_event(writer.started())
    async for _, event in events:
        told = writer.feed(event)
        if isinstance(event, Finish):
            # Kept before the client hears of the end, so that its next request can go on from here.
            await _keep(ctx, asked, writer)
        for each in told:
            yield encode_event(each)


async def _fail(ctx: Context, asked: _Asked, writer: Writer, error: RocamadreError) -> bytes:
    told = writer.fail(error)
    await _keep(ctx, asked, writer)
    return b"".join(map(encode_event, told))


async def _keep(ctx: Context, asked: _Asked, writer: Writer) -> None:
    if asked.wish.store:
        await asyncio.to_thread(operations.keep, ctx, _response(asked, writer.body["status"]))


def _response(asked: _Asked, status: Status, request: Mapping[str, Any] | None = None) -> Response:
    return Response(
        id=asked.body["id"],
        status=status,
        created_at=asked.body["created_at"],
        previous_id=asked.wish.previous_id,
        input=kept_items(asked.wish.items),
        body=background.body_of(asked.body),
        request=request,
        background=asked.wish.background,
    )


def _written(response: Response) -> Json:
    return {**response.body, "status": response.status}


async def _create_in_background(ctx: Context, asked: _Asked, request: Mapping[str, Any]) -> Reply:
    background.check_room(ctx)
    response = _response(asked, "queued", request)
    await asyncio.to_thread(operations.keep, ctx, response)
    run = background.start(ctx, _work(asked, response))
    if not asked.wish.stream:
        return json_reply(_written(response))
    return _follow(ctx, run, 0)


def _work(asked: _Asked, response: Response) -> background.Work:
    wish = asked.wish
    return background.Work(response, asked.resolved, asked.request, wish.logprobs is not None, wish.stream)


async def _adopt(ctx: Context, response: Response) -> Response:
    """Begin what another process left queued when it ended. Its request was checked then, and is read again."""
    if response.request is None or not await asyncio.to_thread(operations.adopt, ctx, response):
        current: Response = await _known(operations.find, ctx, response.id)
        return current
    try:
        wish = await asyncio.to_thread(read_wish, Fields(response.request))
        asked = await _prepare(ctx, wish, response.id, response.created_at)
    except RocamadreError as error:
        # What it needs is gone: its model, or the response that it goes on from.
        failed = {**response.body, "error": {"code": "server_error", "message": error.message}}
        ended = replace(response, status="failed", body=failed, request=None)
        await asyncio.to_thread(operations.finish, ctx, ended)
        return ended
    background.start(ctx, _work(asked, response))
    return response


async def _replay(ctx: Context, response: Response, query: Mapping[str, str]) -> Reply:
    place = _number(query, "starting_after", -1, 0, 2**31) + 1
    if response.background:
        run = background.runs_of(ctx).running.get(response.id)
        if run is not None:
            return _follow(ctx, run, place)
        kept = await asyncio.to_thread(operations.kept_events, ctx, response.id)
        if kept is not None:
            run = background.Run([piece + b"\n\n" for piece in kept.split(b"\n\n")[:-1]], ended=True)
            return _follow(ctx, run, place)
    raise BadParameter(
        "Only the events of responses that were created with 'background' and 'stream' set to true can be read again.",
        param="stream",
    )


def _follow(ctx: Context, run: background.Run, place: int) -> Reply:
    pieces = run.follow(place)

    async def fail(error: RocamadreError) -> bytes:
        # The response goes on; only this reader has read for too long.
        said = error_object(error)[1]["error"]
        told = {name: said[name] for name in ("code", "message", "param")}
        return encode_event({"type": "error", "sequence_number": len(run.log), **told})

    return sse_reply(ctx, pieces, pieces.aclose, fail=fail, done=b"")


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false")
    if value not in ("true", "false"):
        raise BadParameter(f"Invalid value for '{name}': {value[:80]!r}. Give true or false.", param=name)
    return value == "true"


def _number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not value.isascii() or not value.isdecimal() or len(value) > 12 or not least <= int(value) <= most:
        raise BadParameter(f"Invalid value for '{name}': {value[:80]!r}. Give {least} to {most}.", param=name)
    return int(value)
