"""Spans sent over OTLP/HTTP; needs the extra `telemetry`."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from rocamadre.observability.tracing import RunningSpan, Value, named


def open_tracer(endpoint: str, *, version: str, exporter: SpanExporter | None = None) -> OtlpTracer:
    """A tracer that sends its spans in batches, in the background.

    Args:
        endpoint: The collector's address; `/v1/traces` is added where it is missing.
        version: This program's version.
        exporter: Takes the spans instead of the collector.
    """
    address = endpoint.rstrip("/")
    if not address.endswith("/v1/traces"):
        address += "/v1/traces"
    return OtlpTracer(exporter or OTLPSpanExporter(endpoint=address, timeout=5), version=version)


class OtlpTracer:
    """A `Tracer` on the OpenTelemetry SDK, apart from its global state."""

    def __init__(self, exporter: SpanExporter, *, version: str) -> None:
        resource = Resource.create({"service.name": "rocamadre", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("rocamadre", version)

    def start(self, name: str, attributes: dict[str, Value], parent: RunningSpan | str | None) -> OtlpSpan:
        """Begin a span."""
        context = None
        if isinstance(parent, str):
            context = TraceContextTextMapPropagator().extract({"traceparent": parent})
        elif isinstance(parent, OtlpSpan):
            context = set_span_in_context(parent.span)
        return OtlpSpan(self._tracer.start_span(name, context=context, attributes=attributes))

    def close(self) -> None:
        """Send what is left; waits a few seconds at most for the collector."""
        self._provider.shutdown()


class OtlpSpan:
    """One span."""

    __slots__ = ("span",)

    def __init__(self, span: OtelSpan) -> None:
        self.span = span

    def set(self, **attributes: Value) -> None:
        """Add attributes."""
        self.span.set_attributes(named(attributes))

    def end(self, error: BaseException | None) -> None:
        """End it; of an error only the kind is sent, since its sentence may quote a prompt."""
        # GeneratorExit: the reader has left, nothing failed.
        if error is not None and not isinstance(error, GeneratorExit):
            kind = type(error).__qualname__
            self.span.set_attribute("error.type", kind)
            self.span.set_status(Status(StatusCode.ERROR, kind))
        self.span.end()
