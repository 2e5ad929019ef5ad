from __future__ import annotations

import msgspec
import pytest

from rocamadre.api.http import HttpRequest
from rocamadre.api.platform.traces import trace, traces
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.observability.recent import RecentTraces
from rocamadre.observability.tracing import span, use_tracer

ACCOUNT = "123456789012"


def asked(query: str = "", *values: str) -> HttpRequest:
    return HttpRequest("GET", b"/", query.encode(), {}, b"", values)


async def ask(context, query: str = ""):
    return msgspec.json.decode((await traces(context, asked(query))).body)


@pytest.fixture
def kept():
    use_tracer(RecentTraces(50))
    for number in range(6):
        with span("request") as timed, span("chat", model=f"m{number % 2}"):
            timed.set(
                request_id=f"r{number}", account=ACCOUNT if number else "999999999999", rpc_service="bedrock-runtime",
                rpc_method="Converse" if number % 2 else "Rerank", http_status=200 if number < 4 else 400,
                error_code="" if number < 4 else "ValidationException",
            )  # fmt: skip
    yield
    use_tracer(None)


async def test_requests_are_listed_chosen_and_paged(context, kept):
    told = await ask(context)
    assert [each["request_id"] for each in told["traces"]] == ["r5", "r4", "r3", "r2", "r1"]
    assert told["kept"] == 50
    assert "next" not in told
    page = await ask(context, "limit=2")
    assert (page["next"], len(page["traces"])) == ("r4", 2)
    rest = await ask(context, "limit=2&after=r4")
    assert [each["request_id"] for each in rest["traces"]] == ["r3", "r2"]
    for query, expected in (
        ("operation=Rerank", ["r4", "r2"]),
        ("status=failed", ["r5", "r4"]),
        ("status=200&model=m1", ["r3", "r1"]),
        ("limit=1&model=*", ["r5"]),
    ):
        assert [each["request_id"] for each in (await ask(context, query))["traces"]] == expected
    for query in ("limit=0", "limit=x", "after=r0"):
        with pytest.raises(InvalidRequest):
            await ask(context, query)


async def test_one_request_has_its_spans(context, kept):
    told = msgspec.json.decode((await trace(context, asked("", "r5"))).body)
    assert (told["error"], told["model"]) == ("ValidationException", "m1")
    assert [(each["name"], each["parent"]) for each in told["spans"]] == [("request", None), ("chat", 0)]
    assert "rocamadre.account" not in told["spans"][0]["attributes"]
    with pytest.raises(NotFound, match="the last 50 are kept"):
        await trace(context, asked("", "r0"))


async def test_without_a_tracer_nothing_is_kept(context):
    assert await ask(context) == {"kept": 0, "traces": []}
    with pytest.raises(NotFound, match="the last 0 are kept"):
        await trace(context, asked("", "r1"))
