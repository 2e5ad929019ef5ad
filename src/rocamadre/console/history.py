"""What the server's counters said over the last hour; kept in memory, asked for every few seconds."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from rocamadre.console.api import Api
from rocamadre.console.failures import ApiFailure

logger = logging.getLogger(__name__)

EVERY_S = 5.0
KEPT_S = 3600.0

OWN_PATHS = (
    "GET /metrics", "GET /healthz", "GET /coverage.json", "GET /_rocamadre/", "POST /_rocamadre/",
    "DELETE /_rocamadre/",
)  # fmt: skip
"""Operations that watch rather than work; they are not counted."""

_LINE = re.compile(r"rocamadre_(\w+?)(?:\{(.*)\})? (\S+)(?: \d+)?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_READ = frozenset(
    {
        "requests_total",
        "request_seconds_bucket",
        "input_tokens_total",
        "output_tokens_total",
        "first_token_seconds_bucket",
        "engine_memory_bytes",
        "server_memory_bytes",
    }
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters at one moment; all grow but memory.

    Attributes:
        at: Seconds since 1970.
        requests: By class: `ok`, `refused` (4xx), `failed` (5xx).
        operations: Requests by operation.
        input_tokens: By model.
        output_tokens: By model.
        seconds: Answers that took at most so long, by bound in seconds.
        first_token: First tokens that took at most so long, by bound in seconds.
        memory_bytes: Of the server and its models together.
    """

    at: float
    requests: dict[str, float] = field(default_factory=dict)
    operations: dict[str, float] = field(default_factory=dict)
    input_tokens: dict[str, float] = field(default_factory=dict)
    output_tokens: dict[str, float] = field(default_factory=dict)
    seconds: dict[float, float] = field(default_factory=dict)
    first_token: dict[float, float] = field(default_factory=dict)
    memory_bytes: float = 0.0


def read_metrics(text: str, at: float) -> Sample:
    r"""A sample from the text form of Prometheus; lines that are not understood are left out.

    >>> line = 'rocamadre_requests_total{operation="Converse",service="bedrock-runtime",status="200"} 3.0\n'
    >>> read_metrics(line, 1.0).requests
    {'ok': 3.0}
    """
    sample = Sample(at)
    memory = 0.0
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None or found[1] not in _READ:
            continue
        labels = dict(_LABEL.findall(found[2] or ""))
        value = float(found[3])
        operation = labels.get("operation", "")
        if operation.startswith(OWN_PATHS):
            continue
        match found[1]:
            case "requests_total":
                _add(sample.requests, _class_of(labels.get("status", "")), value)
                _add(sample.operations, operation, value)
            case "request_seconds_bucket":
                _add(sample.seconds, float(labels["le"]), value)
            case "first_token_seconds_bucket":
                _add(sample.first_token, float(labels["le"]), value)
            case "input_tokens_total":
                _add(sample.input_tokens, labels.get("model", ""), value)
            case "output_tokens_total":
                _add(sample.output_tokens, labels.get("model", ""), value)
            case _:
                memory += value
    return Sample(**{name: getattr(sample, name) for name in Sample.__slots__[:-1]}, memory_bytes=memory)


def _add(counts: dict[object, float] | dict[str, float] | dict[float, float], key: object, value: float) -> None:
    counts[key] = counts.get(key, 0.0) + value  # type: ignore[index,call-overload]


def _class_of(status: str) -> str:
    return {"4": "refused", "5": "failed"}.get(status[:1], "ok")


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened between two samples.

    Attributes:
        at: Its end, seconds since 1970.
        lasted_s: More than 0.
        requests: By class, see `Sample`.
        median_s: Half of the answers took at most so long; None without answers.
        slow_s: 95 of 100 took at most so long; None without answers.
    """

    at: float
    lasted_s: float
    requests: dict[str, float]
    operations: dict[str, float]
    input_tokens: float
    output_tokens: float
    median_s: float | None
    slow_s: float | None
    memory_bytes: float


def intervals(samples: Iterable[Sample], *, since: float, count: int) -> list[Interval]:
    """The time since a moment in at most so many pieces of about equal length.

    A server that was started again counts from nothing; the piece in which it was is counted from its start.
    """
    kept = [sample for sample in samples if sample.at >= since]
    step = max(1, -(-(len(kept) - 1) // count)) if len(kept) > 1 else 1
    chosen = kept[::-1][::step][::-1]
    return [_between(before, after) for before, after in pairwise(chosen)]


def _between(before: Sample, after: Sample) -> Interval:
    if sum(after.requests.values()) < sum(before.requests.values()):
        before = Sample(before.at)
    buckets = {bound: total - before.seconds.get(bound, 0.0) for bound, total in after.seconds.items()}
    return Interval(
        at=after.at,
        lasted_s=max(after.at - before.at, 1e-3),
        requests=_grown(before.requests, after.requests),
        operations=_grown(before.operations, after.operations),
        input_tokens=sum(_grown(before.input_tokens, after.input_tokens).values()),
        output_tokens=sum(_grown(before.output_tokens, after.output_tokens).values()),
        median_s=quantile(buckets, 0.5),
        slow_s=quantile(buckets, 0.95),
        memory_bytes=after.memory_bytes,
    )


def _grown(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    return {name: value for name, value in grown.items() if value > 0}


def quantile(buckets: dict[float, float], share: float) -> float | None:
    """A quantile of a histogram, taken as even within each bucket, as Prometheus does.

    Args:
        buckets: How many took at most so long, by bound in seconds.
        share: In (0, 1).

    >>> quantile({1.0: 0.0, 2.0: 10.0, float("inf"): 10.0}, 0.5)
    1.5
    """
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank = share * buckets[bounds[-1]]
    lower, below = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return lower
            within = buckets[bound] - below
            return lower + (bound - lower) * ((rank - below) / within if within else 1.0)
        lower, below = bound, buckets[bound]
    return lower


class History:
    """Samples of the last hour.

    Args:
        whose: The key to ask with; None while nobody may ask.
    """

    def __init__(self, whose: Callable[[], Api | None]) -> None:
        self._whose = whose
        self.samples: deque[Sample] = deque(maxlen=int(KEPT_S / EVERY_S) + 1)
        self.failure: ApiFailure | None = None

    async def run(self) -> None:
        """Ask for ever; cancelling ends it."""
        while True:
            await self.sample()
            await asyncio.sleep(EVERY_S)

    async def sample(self) -> None:
        """Ask once; a failure is kept for the page to show."""
        api = self._whose()
        if api is None:
            return
        try:
            text = await api.get("/metrics")
        except ApiFailure as failure:
            if self.failure is None:
                logger.info("console.metrics_missing", extra={"code": failure.code, "status": failure.status})
            self.failure = failure
            return
        self.failure = None
        self.samples.append(read_metrics(str(text), time.time()))
