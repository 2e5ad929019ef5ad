from __future__ import annotations

import sys
import timeit

import pytest

from rocamadre.core.errors import MissingDependency
from rocamadre.observability import tracing
from rocamadre.observability.tracing import configure_tracing, span, use_tracer


@pytest.fixture
def collected():
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra telemetry is not installed")
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from rocamadre.observability.otlp import open_tracer

    exporter = InMemorySpanExporter()
    use_tracer(open_tracer("http://127.0.0.1:4318", version="1", exporter=exporter))

    def spans():
        tracing._tracer._provider.force_flush()
        return {item.name: item for item in exporter.get_finished_spans()}

    yield spans
    use_tracer(None)


def test_without_exporter_a_span_is_one_shared_object():
    assert span("chat", model="m") is span("embeddings")
    with span("chat") as current:
        current.set(output_tokens=1)
    assert min(timeit.repeat(lambda: span("chat", model="m"), number=1000, repeat=5)) < 0.01


def test_spans_carry_genai_names_and_nest(collected):
    with span("Converse", rpc_service="bedrock-runtime"), span("chat", operation="chat", model="m") as inner:
        inner.set(output_tokens=12, slot=3)
    spans = collected()
    assert dict(spans["chat"].attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.usage.output_tokens": 12,
        "rocamadre.slot": 3,
    }
    assert spans["chat"].parent.span_id == spans["Converse"].context.span_id
    assert spans["Converse"].parent is None


def test_a_trace_begun_elsewhere_goes_on(collected):
    with span("Converse", traceparent="00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"):
        pass
    context = collected()["Converse"].context
    assert f"{context.trace_id:032x}" == "ab" * 16


def test_an_error_is_marked_by_kind_only(collected):
    def fail() -> None:
        with span("chat"):
            raise ValueError("the prompt was: SECRET")

    with pytest.raises(ValueError, match="SECRET"):
        fail()
    found = collected()["chat"]
    assert found.attributes["error.type"] == "ValueError"
    assert "SECRET" not in found.to_json()


async def test_a_stream_closed_in_another_task_ends_its_span(collected):
    import asyncio

    async def stream():
        with span("chat"):
            yield 1
            yield 2

    pieces = stream()
    assert await anext(pieces) == 1
    await asyncio.create_task(pieces.aclose())
    assert collected()["chat"].status.is_ok is not False


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "rocamadre.observability.otlp", raising=False)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependency, match=r"rocamadre\[telemetry\]"):
        configure_tracing("http://127.0.0.1:4318", version="1")
