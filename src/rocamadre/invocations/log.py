"""The invocation log of a server: calls go in without waiting, a thread writes them down and delivers them.

A record is in a file a moment after its call has ended, and at its destination `log.invocation_flush_s` seconds later.
What `kill -9` can lose is what has not reached the file: calls still running, and those of the last moment. A cut of
power can lose some seconds. A killed delivery is repeated at the next start: objects are written under the same name
again, log events may come twice.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from sqlalchemy.exc import OperationalError

from rocamadre.catalog.families import without_geography
from rocamadre.catalog.operations import find_model
from rocamadre.catalog.profiles import get_profile
from rocamadre.core.context import Context, Platform, Principal
from rocamadre.core.errors import NotFound, RocamadreError
from rocamadre.invocations.delivery import deliver_events, deliver_objects
from rocamadre.invocations.operations import find_config
from rocamadre.invocations.records import build_record, model_of
from rocamadre.invocations.spool import Head, Spool, Spooled
from rocamadre.invocations.types import Invocation, LoggingConfig
from rocamadre.neighbours.iam.assuming import identity_of

logger = logging.getLogger(__name__)
D = TypeVar("D")

MOST_PENDING_BYTES = 64 << 20
"""Of bodies that wait for the thread; calls on top are not recorded, and counted as dropped."""

_REMEMBERED_S = 1.0
_MOST_REMEMBERED = 1000
_CALL_BYTES = 1000


class Heard(Protocol):
    """A stream that was listened to."""

    cut: bool
    """Not all of it was kept; known after `result`."""

    @property
    def size_bytes(self) -> int:
        """About what it holds in memory."""
        ...

    def result(self) -> bytes:
        """The answer as JSON, as far as it came; empty if nothing did."""
        ...


class _Entry(NamedTuple):
    call: Invocation
    config: LoggingConfig
    stream: Heard | None
    size_bytes: int


class InvocationLog:
    """Records of invocations, for every account that wants them. `record` may be called from any thread; `close` it.

    Args:
        platform: Whose invocations; its metrics count what is delivered and dropped.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._configs: OrderedDict[tuple[str, str], tuple[float, LoggingConfig | None]] = OrderedDict()
        self._calls: queue.SimpleQueue[_Entry | threading.Event | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending_bytes = 0
        self._put_off = False
        self._identities: dict[tuple[str, str], str] = {}
        self._embedders: dict[str, bool] = {}
        self._thread: threading.Thread | None = None
        folder = platform.settings.home / "invocations"
        self._spool = Spool(folder, platform.clock)
        if any(folder.glob("*.jsonl")):  # A server was killed before it had delivered them.
            self._start()

    def config(self, account: str, region: str) -> LoggingConfig | None:
        """What an account wants written down; remembered for a second, so that asking costs next to nothing."""
        now = self._platform.clock.monotonic()
        hit = self._configs.get((account, region))
        if hit is not None and now - hit[0] < _REMEMBERED_S:
            return hit[1]
        found = find_config(self._platform.sql, account, region)
        self._configs[account, region] = (now, found)
        if len(self._configs) > _MOST_REMEMBERED:
            self._configs.popitem(last=False)
        return found

    def forget(self, account: str, region: str) -> None:
        """The account's wish has changed."""
        self._configs.pop((account, region), None)

    def record(self, call: Invocation, config: LoggingConfig, *, stream: Heard | None = None) -> None:
        """Write a call down, later; never waits, and never raises.

        Args:
            call: What happened.
            config: Where it goes.
            stream: The call's answer, where it was streamed; made whole in the log's own thread.
        """
        entry = _Entry(call, config, stream, call.size_bytes + _CALL_BYTES + (stream.size_bytes if stream else 0))
        with self._lock:
            room = self._pending_bytes + entry.size_bytes <= MOST_PENDING_BYTES
            if room:
                self._pending_bytes += entry.size_bytes
        if not room:
            self._platform.metrics.count("invocation_records", result="dropped")
            return
        self._start()
        self._calls.put(entry)

    def flush(self) -> None:
        """Wait until everything recorded so far is delivered. Blocks."""
        if self._thread is not None:
            done = threading.Event()
            self._calls.put(done)
            done.wait()

    def close(self) -> None:
        """Deliver everything and stop. Blocks."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread.join()
            self._thread = None

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="invocation log", daemon=True)
                self._thread.start()

    # -- the thread -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        clock, every_s = self._platform.clock, self._platform.settings.log.invocation_flush_s
        self._deliver()
        due = clock.monotonic() + every_s
        while True:
            try:
                # With nothing on disk there is nothing to wake up for.
                waits = bool(self._spool) or self._put_off
                item = self._calls.get(timeout=max(0.0, due - clock.monotonic()) if waits else None)
            except queue.Empty:
                self._deliver()
                due = clock.monotonic() + every_s
                continue
            if isinstance(item, _Entry):
                if not waits:
                    due = clock.monotonic() + every_s
                self._write(item)
                if self._spool.full:
                    self._deliver()
                continue
            self._deliver()
            if item is None:
                return
            item.set()

    def _write(self, entry: _Entry) -> None:
        call, config, stream, size_bytes = entry
        if stream is not None:
            call = replace(call, output=stream.result(), cut=stream.cut)
        with self._lock:
            self._pending_bytes -= size_bytes
        head = Head(call.account, call.region, call.began.strftime("%Y/%m/%d/%H"), config)
        try:
            self._spool.add(head, msgspec.json.encode(self._record(call, config)))
        except (OSError, RecursionError) as error:
            self._platform.metrics.count("invocation_records", result="dropped")
            logger.warning("invocations.not_written", extra={"reason": type(error).__name__, "account": call.account})

    def _record(self, call: Invocation, config: LoggingConfig) -> dict[str, object]:
        ctx = self._context(call.account, call.region, call.principal)
        # Both are the same for ever; looking them up would cost more than the rest of the record.
        _bound(self._identities)
        who = call.account, call.principal
        if who not in self._identities:
            self._identities[who] = identity_of(ctx).arn
        _bound(self._embedders)
        if call.served_id not in self._embedders:
            self._embedders[call.served_id] = _embeds(self._platform, call.served_id)
        return build_record(
            call,
            config,
            embeds=self._embedders[call.served_id],
            identity_arn=self._identities[who],
            model_id=_model_name(ctx, model_of(call)),
        )

    def _deliver(self) -> None:
        self._put_off = False
        for spooled in self._spool.take():
            try:
                self._deliver_one(spooled)
            except (OSError, OperationalError) as error:
                # The disk is full, or the database busy: the file stays where it is and is tried again later.
                self._put_off = True
                logger.warning("invocations.delivery_put_off", extra={"reason": type(error).__name__})

    def _deliver_one(self, spooled: Spooled) -> None:
        head, metrics = spooled.head, self._platform.metrics
        ctx = self._context(head.account, head.region)
        count = sum(1 for _ in spooled.lines())
        delivered = True
        if count and head.config.s3 is not None:
            delivered &= self._try(deliver_objects, ctx, head.config.s3, spooled, count)
        if count and head.config.logs is not None:
            delivered &= self._try(deliver_events, ctx, head.config.logs, spooled, count)
        spooled.remove()
        metrics.count("invocation_records", count, result="delivered" if delivered else "dropped")

    def _try(
        self, deliver: Callable[[Context, D, Spooled], None], ctx: Context, to: D, spooled: Spooled, n: int
    ) -> bool:
        """Deliver; False when that can never succeed, since the bucket or the group is gone."""
        try:
            deliver(ctx, to, spooled)
        except RocamadreError as error:
            fields = {"account": ctx.account, "records": n, "by": deliver.__name__, "reason": type(error).__name__}
            logger.warning("invocations.undelivered", extra=fields)
            return False
        return True

    def _context(self, account: str, region: str, principal: str = "invocation-log") -> Context:
        return Context(self._platform, Principal(principal, account), account, region, "", float("inf"))


def _bound(remembered: dict[Any, Any]) -> None:
    """Forget all when it has grown large: names are the clients' to choose."""
    if len(remembered) > _MOST_REMEMBERED:
        remembered.clear()


def _embeds(platform: Platform, served_id: str) -> bool:
    try:
        return bool(served_id) and find_model(platform, served_id).embeds
    except NotFound:
        return False


def _model_name(ctx: Context, model_id: str) -> str:
    """The id as the client wrote it; that of an inference profile as an ARN, as AWS names it."""
    if model_id.startswith("arn:") or ("." not in model_id and len(model_id) != _APPLICATION_ID_LENGTH):
        return model_id
    if "." in model_id and without_geography(model_id) == model_id:
        return model_id
    try:
        return get_profile(ctx, model_id).arn
    except NotFound:
        return model_id


_APPLICATION_ID_LENGTH = 12
