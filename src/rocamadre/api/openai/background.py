"""Responses that run whether or not somebody waits for them: an edge of its own, where every error becomes a state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine as SqlEngine

from rocamadre.api.inference.generation import begin
from rocamadre.api.inference.guarding import GuardWish
from rocamadre.api.openai.requests import model_of
from rocamadre.api.openai.response_events import Json, Writer, encode_event
from rocamadre.api.openai.streams import open_events
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import ModelTimeout, RocamadreError, Throttled, Unavailable
from rocamadre.core.messages import Finish, GenerationRequest
from rocamadre.responses import operations
from rocamadre.responses.types import Response

logger = logging.getLogger(__name__)

_IN_STEP = GuardWish(mode="sync")
"""What the account enforces, while the answer is written."""

AT_ONCE = 32
"""Responses that run at a time; more wait, queued."""
MOST_RUNS = 1024
"""Responses that run or wait, in the whole server."""


@dataclass(slots=True)
class Run:
    """A response that runs here, or waits to.

    Attributes:
        log: Its events so far; the place of each is its sequence number.
        ended: Whether no more will come.
    """

    log: list[bytes] = field(default_factory=list)
    ended: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def tell(self, events: list[Json]) -> None:
        """Add events."""
        self.log.extend(encode_event(event) for event in events)
        self._wake()

    def end(self) -> None:
        """Say that nothing more will come."""
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def follow(self, place: int) -> AsyncGenerator[bytes, None]:
        """The events from a place on, as they come."""
        while True:
            changed = self.changed
            while place < len(self.log):
                yield self.log[place]
                place += 1
            if self.ended:
                return
            await changed.wait()


@dataclass(slots=True)
class Runs:
    """All that run in this server, by id."""

    running: dict[str, Run] = field(default_factory=dict)
    turnstile: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


_runs: WeakKeyDictionary[SqlEngine, Runs] = WeakKeyDictionary()


def runs_of(ctx: Context) -> Runs:
    """Those of this request's server."""
    return _runs.setdefault(ctx.platform.sql, Runs())


def check_room(ctx: Context) -> None:
    """Refuse another response where there are too many.

    Raises:
        Throttled: try again later.
    """
    if len(runs_of(ctx).running) >= MOST_RUNS:
        raise Throttled(f"{MOST_RUNS} background responses run or wait already; try again when some have ended")


@dataclass(frozen=True, slots=True)
class Work:
    """What a run needs.

    Attributes:
        response: As it was kept.
        logprobs: Whether its text carries log-probabilities.
        keeps_events: Whether its stream may be read again after it has ended.
    """

    response: Response
    resolved: Resolved
    request: GenerationRequest
    logprobs: bool
    keeps_events: bool


def start(ctx: Context, work: Work) -> Run:
    """Begin a response that was kept as queued, or queue it here."""
    runs, run = runs_of(ctx), Run()
    # The request that asked for it is over: what its answer's headers and log line said is not this run's.
    own = replace(ctx, reply_headers={}, notes={})
    runs.running[work.response.id] = run
    run.task = asyncio.create_task(_run(own, runs, run, work))
    return run


async def stop(ctx: Context, response_id: str) -> None:
    """End a run, if it is here. Its state is written by whoever asks for the end."""
    run = runs_of(ctx).running.get(response_id)
    if run is not None and run.task is not None:
        run.task.cancel()
        await asyncio.wait([run.task])


async def stop_all(sql: SqlEngine) -> None:
    """End every run of a server that is going to stop; those in progress are failed, the queued ones stay queued."""
    runs = _runs.pop(sql, Runs())
    tasks = [run.task for run in runs.running.values() if run.task is not None]
    for task in tasks:
        task.cancel("stopping")
    await asyncio.gather(*tasks, return_exceptions=True)


async def _run(ctx: Context, runs: Runs, run: Run, work: Work) -> None:
    response = work.response
    body = {**response.body, "status": response.status}
    writer = Writer(body, logprobs=work.logprobs, now=lambda: int(ctx.platform.clock.now().timestamp()))
    try:
        run.tell([writer.created(), writer.queued()])
        async with runs.turnstile:
            if not await asyncio.to_thread(operations.begin, ctx, response.id):
                return
            last = await _work(ctx, run, work, writer)
        await _write(ctx, run, work, writer, last)
    except asyncio.CancelledError as cancelled:
        if cancelled.args == ("stopping",) and body["status"] == "in_progress":
            await _write(ctx, run, work, writer, writer.fail(Unavailable(operations.LOST)))
        raise
    finally:
        runs.running.pop(response.id, None)
        run.end()


async def _work(ctx: Context, run: Run, work: Work, writer: Writer) -> list[Json]:
    """Run the model; returns the events that tell of the end, which are told once it is written down."""
    timeout_s = ctx.platform.settings.server.stream_timeout_s
    run.tell([writer.started()])
    renewing = asyncio.create_task(_renew(ctx, work.response.id, asyncio.current_task()))
    try:
        async with asyncio.timeout(timeout_s):
            events = await open_events([partial(begin, ctx, work.resolved, work.request, _IN_STEP)])
            writer.body["model"] = model_of(ctx, work.resolved)
            try:
                async for _, event in events:
                    told = writer.feed(event)
                    if isinstance(event, Finish):
                        return told
                    run.tell(told)
            finally:
                await events.close()
        raise RocamadreError("The model's answer broke off.")
    except RocamadreError as error:
        return writer.fail(error)
    except TimeoutError:
        return writer.fail(ModelTimeout(f"the answer took longer than {timeout_s:g} s"))
    except asyncio.CancelledError:
        raise
    except Exception:
        # An edge: nobody waits for this task, so nobody further up can say what went wrong.
        logger.exception("background.crashed", extra={"request_id": ctx.request_id, "response": work.response.id})
        return writer.fail(RocamadreError("The server failed at this request."))
    finally:
        renewing.cancel()


async def _write(ctx: Context, run: Run, work: Work, writer: Writer, last: list[Json]) -> None:
    ended = replace(work.response, status=writer.body["status"], body=body_of(writer.body), request=None)
    events = b"".join([*run.log, *map(encode_event, last)]) if work.keeps_events else None
    if await _even_if_cancelled(asyncio.to_thread(operations.finish, ctx, ended, events=events)):
        run.tell(last)


async def _even_if_cancelled(writing: Coroutine[Any, Any, bool]) -> bool:
    """Writing that has begun is awaited to its end, or the database could be closed under it."""
    task = asyncio.ensure_future(writing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _renew(ctx: Context, response_id: str, running: asyncio.Task[Any] | None) -> None:
    """Renew the lease; end the run when somebody cancelled or deleted the response through another server."""
    while True:
        await asyncio.sleep(operations.LEASE_S / 3)
        if not await asyncio.to_thread(operations.renew, ctx, response_id) and running is not None:
            running.cancel()
            return


def body_of(body: Json) -> Json:
    """A response object as it is kept: its status is kept beside it."""
    return {name: value for name, value in body.items() if name != "status"}
