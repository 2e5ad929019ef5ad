from __future__ import annotations

import pytest

from rocamadre.observability.recent import MOST_SPANS, RecentTraces
from rocamadre.observability.tracing import configure_tracing, span, tracer, use_tracer


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        self.now += 0.5
        return self.now


@pytest.fixture
def recent():
    made = RecentTraces(3, clock=Clock(), now=lambda: 1_800_000_000.0)
    use_tracer(made)
    yield made
    use_tracer(None)


def request(number: int, *, operation="Converse", account="111122223333", status=200, **more):
    with span("request") as timed:
        with span("chat", model="m") as inner:
            inner.set(input_tokens=5, output_tokens=7)
            with span("tokens"):
                pass
        timed.set(
            request_id=f"r{number}", account=account, rpc_service="bedrock-runtime", rpc_method=operation,
            http_status=status, **more,
        )  # fmt: skip


def test_a_request_is_kept_with_its_spans(recent):
    request(1, error_code="ThrottlingException", status=429)
    trace = recent.find("111122223333", "r1")
    assert (trace.operation, trace.status, trace.error) == ("Converse", 429, "ThrottlingException")
    assert (trace.model, trace.input_tokens, trace.output_tokens) == ("m", 5, 7)
    assert [(each.name, each.parent, each.began_s, each.seconds) for each in trace.spans] == [
        ("request", None, 0.0, 2.5),
        ("chat", 0, 0.5, 1.5),
        ("tokens", 1, 1.0, 0.5),
    ]
    # The clock goes half a second with each look: five within the request, and one now.
    assert trace.began_at == 1_800_000_000.0 - 3.0


def test_only_the_last_are_kept_newest_first_and_each_account_sees_its_own(recent):
    for number in range(5):
        request(number, account="111122223333" if number != 3 else "444455556666")
    assert [each.request_id for each in recent.traces("111122223333")] == ["r4", "r2"]
    assert recent.find("111122223333", "r3") is None
    assert recent.find("111122223333", "r0") is None


def test_lists_that_are_read_again_and_again_push_no_model_out(recent):
    request(1)
    for number in range(2, 8):
        with span("request") as timed:
            timed.set(request_id=f"r{number}", account="111122223333", rpc_method="ListGuardrails", http_status=200)
    assert [each.request_id for each in recent.traces("111122223333")] == ["r7", "r6", "r5", "r1"]
    assert recent.find("111122223333", "r1").model == "m"


def test_those_who_watch_are_not_watched(recent):
    for path in ("GET /metrics", "GET /_rocamadre/traces", "POST /_rocamadre/tokenize", "GET /healthz"):
        request(1, operation=path)
    with span("job"):
        pass
    assert recent.traces("111122223333") == []


def test_of_an_error_only_the_kind_is_kept(recent):
    def fail():
        with span("request") as timed:
            try:
                with span("chat"):
                    raise ValueError("the prompt was: SECRET")
            finally:
                timed.set(request_id="r1", account="1", http_status=0)

    with pytest.raises(ValueError, match="SECRET"):
        fail()
    trace = recent.find("1", "r1")
    assert (trace.error, trace.spans[1].error) == ("ValueError", "ValueError")
    assert "SECRET" not in repr(trace)


def test_spans_are_bounded(recent):
    with span("request") as timed:
        for _ in range(MOST_SPANS + 9):
            with span("chat"):
                pass
        timed.set(request_id="r1", account="1")
    trace = recent.find("1", "r1")
    assert (len(trace.spans), trace.dropped) == (MOST_SPANS, 10)


def test_everything_goes_on_to_the_other_tracer():
    told = []

    class Other:
        def start(self, name, attributes, parent):
            told.append((name, attributes, getattr(parent, "name", parent)))
            made = type("Span", (), {"name": name, "set": lambda _, **more: told.append(more)})()
            made.end = lambda error: told.append((name, error))
            return made

        def close(self):
            told.append("closed")

    use_tracer(RecentTraces(3, Other()))
    with span("request", traceparent="00-ab"), span("chat", model="m") as inner:
        inner.set(seed=1)
    use_tracer(None)
    assert told == [
        ("request", {}, "00-ab"),
        ("chat", {"gen_ai.request.model": "m"}, "request"),
        {"seed": 1},
        ("chat", None),
        ("request", None),
        "closed",
    ]


def test_it_is_there_when_it_is_asked_for():
    configure_tracing("", version="1", keep=7)
    try:
        assert isinstance(tracer(), RecentTraces)
    finally:
        configure_tracing("", version="1")
    assert tracer() is None
