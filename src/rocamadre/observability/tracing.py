"""Spans, kept for the last requests (`recent.py`) and sent to an OpenTelemetry collector when one is set.

`with span("chat", model=model_id) as current: ...; current.set(output_tokens=12)`. Attribute names are those of
OpenTelemetry's GenAI conventions where there is one; see `ATTRIBUTES`. Prompts and answers are never attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, TypeAlias

from rocamadre.core.registry import Registry

Value: TypeAlias = str | int | float | bool

ATTRIBUTES = {
    "conversation": "gen_ai.conversation.id",
    "input_tokens": "gen_ai.usage.input_tokens",
    "max_tokens": "gen_ai.request.max_tokens",
    "model": "gen_ai.request.model",
    "operation": "gen_ai.operation.name",
    "output_tokens": "gen_ai.usage.output_tokens",
    "provider": "gen_ai.provider.name",
    "response_model": "gen_ai.response.model",
    "seed": "gen_ai.request.seed",
    "temperature": "gen_ai.request.temperature",
    "tool": "gen_ai.tool.name",
    "top_p": "gen_ai.request.top_p",
    "error_type": "error.type",
    "http_method": "http.request.method",
    "http_route": "http.route",
    "http_status": "http.response.status_code",
    "rpc_method": "rpc.method",
    "rpc_service": "rpc.service",
    "server_address": "server.address",
    "server_port": "server.port",
}
"""Keyword of `span` to the attribute's conventional name; any other keyword becomes `rocamadre.<keyword>`."""


class Span(Protocol):
    """A piece of work being timed."""

    def set(self, **attributes: Value) -> None:
        """Add attributes known only now."""
        ...


class RunningSpan(Span, Protocol):
    """A span as a tracer makes it."""

    def end(self, error: BaseException | None) -> None:
        """Stop the time; `error` is what the work died of."""
        ...


class Tracer(Protocol):
    """Where spans go."""

    def start(self, name: str, attributes: dict[str, Value], parent: RunningSpan | str | None) -> RunningSpan:
        """Begin a span under another, under a `traceparent` header, or alone."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


TRACERS: Registry[Callable[..., Tracer]] = Registry(
    "tracer",
    {"otlp": "rocamadre.observability.otlp:open_tracer", "recent": "rocamadre.observability.recent:RecentTraces"},
    extra={"otlp": "telemetry"},
)
"""Kinds of tracer, by name."""

_tracer: Tracer | None = None
_current: ContextVar[RunningSpan | None] = ContextVar("rocamadre_span", default=None)


def configure_tracing(endpoint: str, *, version: str, keep: int = 0) -> None:
    """Send spans to an OpenTelemetry collector from now on, and keep those of the last requests.

    Args:
        endpoint: Its HTTP address, such as `http://127.0.0.1:4318`; empty: to none.
        version: This program's version, told to the collector.
        keep: How many requests' spans are kept in memory; 0 with no endpoint stops tracing.

    Raises:
        MissingDependency: the extra `telemetry` is not installed.
    """
    tracer = TRACERS.load("otlp")(endpoint, version=version) if endpoint else None
    use_tracer(TRACERS.load("recent")(keep, tracer) if keep else tracer)


def use_tracer(tracer: Tracer | None) -> None:
    """Send spans to `tracer` from now on, or nowhere; the one before is closed."""
    global _tracer
    if _tracer is not None:
        _tracer.close()
    _tracer = tracer


def tracer() -> Tracer | None:
    """Where spans go; None for nowhere."""
    return _tracer


def named(attributes: dict[str, Value]) -> dict[str, Value]:
    """Attributes under their conventional names.

    >>> named({"model": "m", "queue": 2})
    {'gen_ai.request.model': 'm', 'rocamadre.queue': 2}
    """
    return {ATTRIBUTES.get(name, f"rocamadre.{name}"): value for name, value in attributes.items()}


def span(name: str, /, *, traceparent: str | None = None, **attributes: Value) -> AbstractContextManager[Span]:
    """Time a piece of work; spans opened inside it, in the same task, become its children.

    Args:
        name: Low in variety, such as `chat` or `Converse`; what varies goes into attributes.
        traceparent: The W3C header of that name, when another program began the trace.
        **attributes: See `ATTRIBUTES`.
    """
    if _tracer is None:
        return _SILENT
    return _Timed(_tracer, name, attributes, traceparent)


class _Silent(AbstractContextManager[Span]):
    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def set(self, **attributes: Value) -> None:
        return None


_SILENT = _Silent()


class _Timed(AbstractContextManager[Span]):
    def __init__(self, tracer: Tracer, name: str, attributes: dict[str, Value], traceparent: str | None) -> None:
        self._tracer = tracer
        self._name = name
        self._attributes = attributes
        self._traceparent = traceparent

    def __enter__(self) -> Span:
        self._above = _current.get()
        parent = self._traceparent or self._above
        self._span = self._tracer.start(self._name, named(self._attributes), parent)
        _current.set(self._span)
        return self._span

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        # Set, not reset: an async generator may be closed in another context than it was entered in.
        _current.set(self._above)
        self._span.end(error)
