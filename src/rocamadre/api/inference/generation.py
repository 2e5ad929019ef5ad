"""One generation, whichever wire asked for it: admitted, begun, counted, closed.

The first event is awaited before anything is sent, so that what goes wrong early is an ordinary HTTP error. Tokens and
times are counted here and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Generic, TypeVar

from rocamadre.api.inference.guarding import Guard, GuardWish, open_guard
from rocamadre.catalog.operations import resolve
from rocamadre.catalog.routers import route
from rocamadre.catalog.types import Model, Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, ModelFailure, RocamadreError, Throttled
from rocamadre.core.messages import CachePoint, Event, Finish, GenerationRequest, Media, ToolResult, Usage
from rocamadre.engines.collect import Answer, close, collect
from rocamadre.observability.tracing import Span, span

T = TypeVar("T")

MODEL_HEADER = "x-rocamadre-model"
_ONLY_ENFORCED = GuardWish()
_CHARACTERS_PER_TOKEN = 4


def resolve_model(ctx: Context, model_id: str) -> Resolved:
    """`resolve`, noted for the log, and said in the answer where another model than the one asked for will run."""
    resolved = resolve(ctx, model_id)
    _note_model(ctx, resolved)
    return resolved


def _note_model(ctx: Context, resolved: Resolved) -> None:
    ctx.notes["model"] = resolved.model.id
    if resolved.profile_arn:
        ctx.notes["inference_profile"] = resolved.profile_arn
    if resolved.aliased:
        ctx.reply_headers[MODEL_HEADER] = resolved.model.id
    else:
        ctx.reply_headers.pop(MODEL_HEADER, None)


def check_input(request: GenerationRequest, model: Model) -> None:
    """Refuse what the model cannot read.

    Raises:
        InvalidRequest: an image, a video or a sound for a model without that modality.
    """
    for message in request.messages:
        for block in message.content:
            shown = block.media if type(block) is ToolResult else (block,) if type(block) is Media else ()
            for media in shown:
                if media.kind.upper() not in model.input_modalities:
                    raise InvalidRequest(
                        f"This model doesn't support the {media.kind} content block that you provided: {model.id} "
                        f"reads {', '.join(model.input_modalities)}"
                    )


def whole_input(finish: Finish, request: GenerationRequest | None = None) -> Finish:
    """A generation's end with everything it read counted as input, unless the request placed a cache point.

    Engines take what they can from the prompts they still remember. A client of Bedrock that placed no cache point
    knows nothing of that, and is told what CountTokens tells.
    """
    usage = finish.usage
    if not usage.cache_read_tokens and not usage.cache_write_tokens:
        return finish
    if request is not None and has_cache_point(request):
        return finish
    read = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return replace(finish, usage=Usage(read, usage.output_tokens))


def has_cache_point(request: GenerationRequest) -> bool:
    """Whether the client placed a cache point."""
    return (
        request.cache_system
        or request.cache_tools
        or any(type(block) is CachePoint for message in request.messages for block in message.content)
    )


class Generation:
    """A generation that has begun.

    Attributes:
        request: What was asked.
        resolved: Which model runs.
        first: Its first event.
        rest: Those after it.
        started: When it was asked for, on the platform clock's `monotonic()`.
        first_after_s: Seconds from then to the first event.
        guard: Its guardrails; None where there are none.
    """

    __slots__ = (
        "_ctx",
        "_reserved",
        "_settled",
        "_span",
        "_timed",
        "first",
        "first_after_s",
        "guard",
        "request",
        "resolved",
        "rest",
        "started",
    )

    def __init__(
        self,
        ctx: Context,
        resolved: Resolved,
        request: GenerationRequest,
        rest: AsyncIterator[Event],
        *,
        started: float,
        timed: Span,
        guard: Guard | None = None,
    ) -> None:
        self._ctx = ctx
        self._reserved = 0
        self._settled = False
        self._timed = timed
        self._span = ExitStack()
        self.request = request
        self.resolved = resolved
        self.first: Event | None = None
        self.rest = rest
        self.started = started
        self.first_after_s = 0.0
        self.guard = guard

    def finish(self, usage: Usage) -> int:
        """Count what was read and written; once, at the `Finish` event.

        Returns:
            Milliseconds since it was asked for.
        """
        ctx, now = self._ctx, self._ctx.platform.clock.monotonic()
        if not self._settled:
            self._settled = True
            read = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
            count_tokens(ctx, self.resolved.model.id, read, usage.output_tokens)
            self._timed.set(input_tokens=read, output_tokens=usage.output_tokens)
            _settle(ctx, self._reserved, read + usage.output_tokens)
        return round((now - self.started) * 1000)

    async def collect(self) -> tuple[Answer, int]:
        """The whole answer, and milliseconds since it was asked for."""
        try:
            answer = await collect(self.rest, first=self.first)
            return answer, self.finish(answer.finish.usage)
        except RocamadreError:
            _settle(self._ctx, self._reserved, 0)  # Nobody pays for an answer that failed.
            raise
        finally:
            await self.close()

    async def close(self) -> None:
        """Cancel it if it still runs, which frees its slot. What was reserved for it stays spent if it never ended."""
        self._settled = True
        self._span.close()
        await close(self.rest)


async def begin(
    ctx: Context, resolved: Resolved, request: GenerationRequest, wish: GuardWish = _ONLY_ENFORCED
) -> Generation:
    """Start a generation and wait for its first event.

    A prompt router chooses its model here; `Generation.resolved` says which. Guardrails see the prompt before the model
    does, and the answer before the client.

    Args:
        ctx: Who asks.
        resolved: The model.
        request: What is asked of it.
        wish: What is asked of guardrails; without it, what the account enforces applies to the whole answer.

    Raises:
        Throttled: the principal's tokens of this minute are spent, or the engine's queue is full.
        InvalidRequest: the model makes embeddings, lacks a modality, or the prompt is too long for it.
        ModelFailure: the engine failed at once.
        NotFound: there is no such guardrail.
    """
    if resolved.router_arn:
        resolved = await asyncio.to_thread(route, ctx, resolved, request)
        _note_model(ctx, resolved)
    platform, model = ctx.platform, resolved.model
    started = platform.clock.monotonic()
    if model.embeds:
        raise InvalidRequest(
            "This action doesn't support the model that you provided. Try again with a supported text or chat model: "
            f"{model.id} makes embeddings"
        )
    check_input(request, model)
    guard = await open_guard(ctx, resolved, request, wish)
    if guard is not None:
        request = await guard.admit(request)
    refused = guard is not None and bool(guard.blocked)
    reserved = 0 if refused else _reserve(ctx, request.sampling.max_tokens or model.context_length)
    try:
        with ExitStack() as spans:
            timed = spans.enter_context(span("chat", operation="chat", provider="rocamadre", model=model.id))
            events = await _events(ctx, resolved, request, guard)
            generation = Generation(ctx, resolved, request, events, started=started, timed=timed, guard=guard)
            generation._reserved = reserved
            try:
                with span("first_token"):
                    generation.first = await anext(generation.rest)
            except BaseException:
                await close(generation.rest)
                raise
            spans.enter_context(span("tokens"))
            generation._span = spans.pop_all()
    except StopAsyncIteration:
        _settle(ctx, reserved, 0)
        raise ModelFailure(f"{model.id} ended without an answer") from None
    except BaseException:
        _settle(ctx, reserved, 0)
        raise
    generation.first_after_s = platform.clock.monotonic() - started
    if type(generation.first) is not Finish and not refused:
        platform.metrics.observe("first_token_seconds", generation.first_after_s, model=model.id)
    return generation


async def _events(
    ctx: Context, resolved: Resolved, request: GenerationRequest, guard: Guard | None
) -> AsyncIterator[Event]:
    """What the model writes, as far as guardrails let it pass."""
    if guard is not None and guard.blocked:
        return guard.refusal()
    with span("engine"):  # Near nothing, unless the model has to be loaded.
        engine = await ctx.platform.engines.engine(resolved.model.load_spec)
    events = engine.converse(request)
    if guard is None:
        return events

    async def spent(said: str) -> Usage:
        try:
            read = len((await engine.render(request)).token_ids)
            written = len((await engine.render(GenerationRequest(prompt=said))).token_ids) if said else 0
        except RocamadreError:
            # A remote engine may not tell tokens before it has ended.
            return Usage(0, len(said) // _CHARACTERS_PER_TOKEN)
        return Usage(read, written)

    return guard.answer(events, spent)


async def count_input(ctx: Context, resolved: Resolved, request: GenerationRequest) -> int:
    """Tokens that the model would read."""
    check_input(request, resolved.model)
    engine = await ctx.platform.engines.engine(resolved.model.load_spec)
    return len((await engine.render(request)).token_ids)


def count_tokens(ctx: Context, model_id: str, read: int, written: int) -> None:
    """Add to the metrics and to the request's log line."""
    metrics, notes = ctx.platform.metrics, ctx.notes
    metrics.count("input_tokens", read, model=model_id)
    metrics.count("output_tokens", written, model=model_id)
    notes["input_tokens"] = int(notes.get("input_tokens", 0)) + read
    notes["output_tokens"] = int(notes.get("output_tokens", 0)) + written


def admit_reading(ctx: Context) -> Callable[[int], None]:
    """For work that writes no tokens, such as embedding: refuse it when nothing is left, pay afterwards.

    Returns:
        What to call with the tokens read.

    Raises:
        Throttled: the principal's tokens of this minute are spent.
    """
    reserved = _reserve(ctx, 1)
    return lambda read: _settle(ctx, reserved, read)


def _reserve(ctx: Context, most: int) -> int:
    per_minute = ctx.platform.settings.limits.tokens_per_minute
    if not per_minute:
        return 0
    now = ctx.platform.clock.monotonic()
    try:
        return ctx.platform.budget.reserve(ctx.principal.name, most, per_minute=per_minute, now=now)
    except Throttled:
        ctx.platform.metrics.count("throttled", reason="tokens_per_minute")
        raise


def _settle(ctx: Context, reserved: int, spent: int) -> None:
    per_minute = ctx.platform.settings.limits.tokens_per_minute
    if per_minute:
        now = ctx.platform.clock.monotonic()
        ctx.platform.budget.settle(ctx.principal.name, reserved=reserved, spent=spent, per_minute=per_minute, now=now)


class Stream(AsyncIterator[T], Generic[T]):
    """Events on their way to the client, whose `aclose` ends the generation even if none was ever taken.

    Iterating it costs nothing over iterating `events`.
    """

    def __init__(self, events: AsyncGenerator[T, None], end: Callable[[], Awaitable[None]]) -> None:
        self._events = events
        self._end = end

    def __aiter__(self) -> AsyncIterator[T]:
        return self._events

    async def __anext__(self) -> T:
        """The next event."""
        return await anext(self._events)

    async def aclose(self) -> None:
        """End the generation."""
        try:
            await self._events.aclose()
        finally:
            await self._end()
