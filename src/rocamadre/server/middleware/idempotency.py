"""Client tokens: the same token and body get the same answer for 24 hours, across restarts."""

from __future__ import annotations

import asyncio
import hashlib

import msgspec

from rocamadre.api.http import Reply
from rocamadre.api.wire.operations import Operation
from rocamadre.core.errors import Conflict
from rocamadre.server.exchange import Exchange, Middleware, Next
from rocamadre.store.idempotency import AnswerKey, KeptAnswer, find_answer, keep_answer

_LONGEST_TOKEN = 256


def answer_once() -> Middleware:
    """The middleware that keeps answers by client token; only for operations that declare one."""
    working: dict[AnswerKey, asyncio.Lock] = {}

    async def step(exchange: Exchange, after: Next) -> Reply:
        operation = exchange.match.operation if exchange.match else None
        if operation is None or exchange.handler is None or operation.token_member is None or operation.stream_member:
            return await after(exchange)
        token, digest = _token_and_digest(exchange, operation, operation.token_member)
        if token is None:
            return await after(exchange)
        context = exchange.context
        assert context is not None
        key = AnswerKey(context.account, context.region, f"{operation.service.name}:{operation.name}", token)
        lock = working.setdefault(key, asyncio.Lock())
        try:
            async with lock:  # A repeat that arrives while the first still runs waits for its answer.
                return await _once(exchange, after, key, digest)
        finally:
            if not lock.locked():
                working.pop(key, None)

    return step


async def _once(exchange: Exchange, after: Next, key: AnswerKey, digest: str) -> Reply:
    sql, clock = exchange.platform.sql, exchange.platform.clock
    kept = await asyncio.to_thread(find_answer, sql, key, clock.now())
    if kept is not None:
        if kept.request_hash != digest:
            raise Conflict(
                f"the client token {key.token!r} was used for another {key.operation} request in the last 24 hours; "
                "choose a new token"
            )
        return Reply(kept.status, {"content-type": kept.content_type}, kept.body)
    reply = await after(exchange)
    if reply.status < 300 and isinstance(reply.body, bytes):
        answer = KeptAnswer(digest, reply.status, reply.headers.get("content-type", ""), reply.body)
        await asyncio.to_thread(keep_answer, sql, key, answer, clock.now())
    return reply


def _token_and_digest(exchange: Exchange, operation: Operation, member: str) -> tuple[str | None, str]:
    """The client token, if one came, and a hash of everything else; a request that cannot be read has no token."""
    try:
        body = msgspec.json.decode(exchange.body) if exchange.body else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, ""
    if not isinstance(body, dict):
        return None, ""
    wire_name, in_header = operation.token_place
    token = exchange.headers.get(wire_name.lower()) if in_header else body.pop(wire_name, None)
    if not isinstance(token, str) or not 0 < len(token) <= _LONGEST_TOKEN:
        return None, ""
    assert exchange.match is not None
    whole = [member, sorted(exchange.match.labels.items()), exchange.query.decode("latin-1"), body]
    return token, hashlib.sha256(msgspec.json.encode(whole, order="sorted")).hexdigest()
