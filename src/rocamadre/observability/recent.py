"""The last requests' spans, kept in memory, so that one request can be looked at without a collector."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rocamadre.observability.tracing import ATTRIBUTES, RunningSpan, Tracer, Value, named

MOST_SPANS = 64
"""Of one request; what is begun after that is not kept."""

_METHOD, _SERVICE = ATTRIBUTES["rpc_method"], ATTRIBUTES["rpc_service"]
_STATUS, _ERROR = ATTRIBUTES["http_status"], "rocamadre.error_code"
_REQUEST, _ACCOUNT = "rocamadre.request_id", "rocamadre.account"
_MODEL = ATTRIBUTES["model"]
_READ, _WRITTEN = ATTRIBUTES["input_tokens"], ATTRIBUTES["output_tokens"]

# Whoever watches would push out what is watched.
_WATCHING = ("GET /metrics", "GET /healthz", "GET /coverage.json")
_OURS = " /_rocamadre/"


@dataclass(frozen=True, slots=True)
class KeptSpan:
    """One span of a request.

    Attributes:
        parent: Place of the span above it among the trace's spans; None for the request itself.
        began_s: After the request's beginning.
        attributes: Under OpenTelemetry's names.
        error: Kind of what it died of; empty if it did not.
    """

    name: str
    parent: int | None
    began_s: float
    seconds: float
    attributes: Mapping[str, Value]
    error: str


@dataclass(frozen=True, slots=True)
class KeptTrace:
    """One request that is over.

    Attributes:
        account: Whose it was; empty when nobody was made out.
        began_at: Seconds since 1970.
        status: Of HTTP; 0 when the client left before an answer.
        error: The error's name on the wire, or the kind of what ended it; empty for none.
        model: That answered; empty for none.
        spans: The request first.
        dropped: Spans beyond `MOST_SPANS`.
    """

    request_id: str
    account: str
    began_at: float
    seconds: float
    service: str
    operation: str
    status: int
    error: str
    model: str
    input_tokens: int
    output_tokens: int
    spans: tuple[KeptSpan, ...]
    dropped: int


class RecentTraces:
    """A `Tracer` that keeps the last requests, and passes everything on to another one.

    Args:
        count: How many requests are kept.
        other: For example one that sends to a collector.
        clock: Seconds; only differences count.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        count: int,
        other: Tracer | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.count = count
        self._other = other
        self.clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, KeptTrace] = OrderedDict()

    def start(self, name: str, attributes: dict[str, Value], parent: RunningSpan | str | None) -> RecentSpan:
        """Begin a span; without a parent of ours it begins a trace."""
        above = parent if isinstance(parent, RecentSpan) else None
        trace = above.trace if above is not None else _Open(self)
        other = None
        if self._other is not None:
            other = self._other.start(name, attributes, above.other if above is not None else parent)
        return RecentSpan(trace, name, attributes, above=above, other=other)

    def close(self) -> None:
        """Forget what is kept, and close the other one."""
        with self._lock:
            self._kept.clear()
        if self._other is not None:
            self._other.close()

    def traces(self, account: str) -> list[KeptTrace]:
        """An account's requests, newest first."""
        with self._lock:
            kept = list(self._kept.values())
        return [trace for trace in reversed(kept) if trace.account == account]

    def find(self, account: str, request_id: str) -> KeptTrace | None:
        """One request of an account; None when it is not kept, or another's."""
        with self._lock:
            trace = self._kept.get(request_id)
        return trace if trace is not None and trace.account == account else None

    def ended(self, spans: list[RecentSpan], dropped: int, at: float) -> None:
        """A trace is over: keep it."""
        root = spans[0]
        request = str(root.attributes.get(_REQUEST, ""))
        operation = str(root.attributes.get(_METHOD, ""))
        if not request or operation.startswith(_WATCHING) or _OURS in operation:
            return
        kept = _kept(spans, dropped, at, began_at=self._now() - (at - root.began))
        with self._lock:
            self._kept[request] = kept
            while len(self._kept) > self.count:
                self._kept.popitem(last=False)


class _Open:
    """A trace that is under way."""

    __slots__ = ("dropped", "keeper", "spans")

    def __init__(self, keeper: RecentTraces) -> None:
        self.keeper = keeper
        self.spans: list[RecentSpan] = []
        self.dropped = 0


class RecentSpan:
    """One span that is under way, or over."""

    __slots__ = ("above", "attributes", "began", "error", "name", "other", "place", "seconds", "trace")

    def __init__(
        self,
        trace: _Open,
        name: str,
        attributes: dict[str, Value],
        *,
        above: RecentSpan | None,
        other: RunningSpan | None,
    ) -> None:
        self.trace = trace
        self.name = name
        self.attributes = dict(attributes)
        self.above = above
        self.other = other
        self.began = trace.keeper.clock()
        self.seconds: float | None = None
        self.error = ""
        self.place = len(trace.spans)
        if self.place < MOST_SPANS:
            trace.spans.append(self)
        else:
            trace.dropped += 1

    def set(self, **attributes: Value) -> None:
        """Add attributes."""
        self.attributes.update(named(attributes))
        if self.other is not None:
            self.other.set(**attributes)

    def end(self, error: BaseException | None) -> None:
        """Stop the time; of an error only the kind is kept, since its sentence may quote a prompt."""
        keeper = self.trace.keeper
        at = keeper.clock()
        self.seconds = at - self.began
        # GeneratorExit: the reader has left, nothing failed.
        if error is not None and not isinstance(error, GeneratorExit):
            self.error = type(error).__qualname__
        if self.other is not None:
            self.other.end(error)
        if self.above is None:
            keeper.ended(self.trace.spans, self.trace.dropped, at)


def _kept(spans: list[RecentSpan], dropped: int, at: float, *, began_at: float) -> KeptTrace:
    root = spans[0]
    said = root.attributes
    models = [span.attributes for span in spans if _MODEL in span.attributes]
    return KeptTrace(
        request_id=str(said[_REQUEST]),
        account=str(said.get(_ACCOUNT, "")),
        began_at=began_at,
        seconds=at - root.began,
        service=str(said.get(_SERVICE, "")),
        operation=str(said.get(_METHOD, "")),
        status=int(said.get(_STATUS, 0)),
        error=str(said.get(_ERROR, "")) or root.error,
        model=str(models[0][_MODEL]) if models else "",
        input_tokens=sum(int(each.get(_READ, 0)) for each in models),
        output_tokens=sum(int(each.get(_WRITTEN, 0)) for each in models),
        spans=tuple(
            KeptSpan(
                each.name,
                each.above.place if each.above is not None else None,
                each.began - root.began,
                each.seconds if each.seconds is not None else at - each.began,
                each.attributes,
                each.error,
            )
            for each in spans
        ),
        dropped=dropped,
    )
