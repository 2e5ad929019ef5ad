"""The last requests' spans, kept in memory, so that one request can be looked at without a collector."""

from __future__ import annotations

import time
from collections import deque
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

    Every request passes here, so all but the time is left for when somebody looks.

    Requests that a model answered and all others are kept apart: whoever looks at lists every second, as a console
    does, would push out the ones worth looking at.

    Args:
        count: How many requests of each kind are kept.
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
        self.clock = clock
        self._other = other
        self._now = now
        self._of_models: deque[_Open] = deque(maxlen=count)
        self._others: deque[_Open] = deque(maxlen=count)

    def start(self, name: str, attributes: dict[str, Value], parent: RunningSpan | str | None) -> RecentSpan:
        """Begin a span; without a parent of ours it begins a trace."""
        above = parent if isinstance(parent, RecentSpan) else None
        other = None
        if self._other is not None:
            other = self._other.start(name, attributes, above.other if above is not None else parent)
        return RecentSpan(above.trace if above is not None else _Open(self), name, attributes, above=above, other=other)

    def close(self) -> None:
        """Forget what is kept, and close the other one."""
        self._of_models.clear()
        self._others.clear()
        if self._other is not None:
            self._other.close()

    def traces(self, account: str) -> list[KeptTrace]:
        """An account's requests, newest first."""
        now, clock = self._now(), self.clock()
        mine = [trace for trace in self._all() if trace.root.found(_ACCOUNT) == account]
        mine.sort(key=lambda trace: trace.root.ended, reverse=True)
        return [_kept(trace, began_at=now - (clock - trace.root.began)) for trace in mine]

    def find(self, account: str, request_id: str) -> KeptTrace | None:
        """One request of an account; None when it is not kept, or another's."""
        for trace in self._all():
            if trace.root.found(_REQUEST) == request_id and trace.root.found(_ACCOUNT) == account:
                return _kept(trace, began_at=self._now() - (self.clock() - trace.root.began))
        return None

    def ended(self, trace: _Open) -> None:
        """A trace is over: keep it."""
        said = trace.root.said
        request = next((each["request_id"] for each in said if "request_id" in each), "")
        operation = str(next((each["rpc_method"] for each in said if "rpc_method" in each), ""))
        if request and not operation.startswith(_WATCHING) and _OURS not in operation:
            (self._of_models if trace.asked_a_model else self._others).append(trace)

    def _all(self) -> list[_Open]:
        return [*self._of_models.copy(), *self._others.copy()]


class _Open:
    """The spans of one request."""

    __slots__ = ("dropped", "keeper", "spans")

    def __init__(self, keeper: RecentTraces) -> None:
        self.keeper = keeper
        self.spans: list[RecentSpan] = []
        self.dropped = 0

    @property
    def root(self) -> RecentSpan:
        """The request itself."""
        return self.spans[0]

    @property
    def asked_a_model(self) -> bool:
        """Whether one of the spans is a model's."""
        return any(span.of_model for span in self.spans)


class RecentSpan:
    """One span that is under way, or over.

    Attributes:
        said: What was set, under the names of the code.
    """

    __slots__ = ("_begun_with", "above", "began", "error", "name", "other", "place", "said", "seconds", "trace")

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
        self._begun_with = attributes
        self.said: list[dict[str, Value]] = []
        self.above = above
        self.other = other
        self.seconds: float | None = None
        self.error = ""
        self.place = len(trace.spans)
        if self.place < MOST_SPANS:
            trace.spans.append(self)
        else:
            trace.dropped += 1
        self.began = trace.keeper.clock()

    @property
    def attributes(self) -> dict[str, Value]:
        """All of them, under OpenTelemetry's names."""
        found = dict(self._begun_with)
        for each in self.said:
            found |= named(each)
        return found

    @property
    def of_model(self) -> bool:
        """Whether it was begun for a model."""
        return _MODEL in self._begun_with

    @property
    def ended(self) -> float:
        """When it was over, by the keeper's clock."""
        return self.began + (self.seconds or 0.0)

    def found(self, name: str) -> str:
        """One attribute as text; empty when it was not set."""
        return str(self.attributes.get(name, ""))

    def set(self, **attributes: Value) -> None:
        """Add attributes."""
        self.said.append(attributes)
        if self.other is not None:
            self.other.set(**attributes)

    def end(self, error: BaseException | None) -> None:
        """Stop the time; of an error only the kind is kept, since its sentence may quote a prompt."""
        self.seconds = self.trace.keeper.clock() - self.began
        # GeneratorExit: the reader has left, nothing failed.
        if error is not None and not isinstance(error, GeneratorExit):
            self.error = type(error).__qualname__
        if self.other is not None:
            self.other.end(error)
        if self.above is None:
            self.trace.keeper.ended(self.trace)


def _kept(trace: _Open, *, began_at: float) -> KeptTrace:
    root, spans = trace.root, tuple(trace.spans)
    said = root.attributes
    lasted = root.seconds or 0.0
    attributes = [span.attributes for span in spans]
    models = [each for each in attributes if _MODEL in each]
    return KeptTrace(
        request_id=str(said[_REQUEST]),
        account=str(said.get(_ACCOUNT, "")),
        began_at=began_at,
        seconds=lasted,
        service=str(said.get(_SERVICE, "")),
        operation=str(said.get(_METHOD, "")),
        status=int(said.get(_STATUS, 0)),
        error=str(said.get(_ERROR, "")) or root.error,
        model=str(models[0][_MODEL]) if models else "",
        input_tokens=sum(int(each.get(_READ, 0)) for each in models),
        output_tokens=sum(int(each.get(_WRITTEN, 0)) for each in models),
        spans=tuple(
            KeptSpan(
                span.name,
                span.above.place if span.above is not None else None,
                span.began - root.began,
                span.seconds if span.seconds is not None else max(0.0, root.began + lasted - span.began),
                each,
                span.error,
            )
            for span, each in zip(spans, attributes, strict=True)
        ),
        dropped=trace.dropped,
    )
