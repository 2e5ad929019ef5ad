import asyncio
import json

import pytest

from rocamadre.api.wire.eventstream import decode
from rocamadre.core.errors import Conflict, ModelFailure

CONVERSE = "/model/rocamadre.x-v1:0/converse"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}).encode()
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    "metrics": {"latencyMs": 1},
}


def run(coroutine):
    return asyncio.run(coroutine)


async def answer_hello(context, request):
    context.notes["seen"] = f"{context.account} {context.region} {context.principal.name}"
    return ANSWER


def test_a_signed_request_reaches_its_handler(make_client, handler):
    handler("bedrock-runtime", "Converse", answer_hello)
    client, _ = make_client()
    answer = run(client.send("POST", CONVERSE, BODY))
    assert (answer.status, answer.json) == (200, ANSWER)
    assert len(answer.headers["x-amzn-requestid"]) == 36


def test_the_context_names_account_region_and_principal(make_client, handler):
    seen = {}

    async def look(context, request):
        seen.update(account=context.account, region=context.region, name=context.principal.name)
        return ANSWER

    handler("bedrock-runtime", "Converse", look)
    client, _ = make_client()
    run(client.send("POST", CONVERSE, BODY))
    assert seen == {"account": "123456789012", "region": "eu-west-1", "name": "AKIATEST"}


def test_without_credentials_nothing_is_answered(make_client):
    client, _ = make_client()
    answer = run(client.send("POST", CONVERSE, BODY, headers={"authorization": None}))
    assert answer.status == 403
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_operations_that_are_absent_answer_501_by_name(make_client):
    client, _ = make_client()
    answer = run(client.send("PUT", "/agents/", b'{"agentName": "a"}'))
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (501, "NotImplementedException")
    assert "bedrock-agent:CreateAgent" in answer.json["message"]
    assert "coverage" in answer.json["message"]
    assert "Instead: run the loop in your own code" in answer.json["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example:4599"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://127.0.0.1:4599"}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "[::1]:4599"}, 200),
    ],
)
def test_web_pages_cannot_use_the_open_default(make_client, handler, headers, status):
    handler("bedrock-runtime", "Converse", answer_hello)
    client, _ = make_client()
    assert run(client.send("POST", CONVERSE, BODY, headers=headers)).status == status


def test_query_signatures_are_for_s3_only(make_client):
    client, _ = make_client()
    query = (
        b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260101%2Fus-east-1%2Fbedrock%2Faws4_request"
        b"&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=" + b"0" * 64
    )
    answer = run(client.send("POST", CONVERSE, BODY, headers={"authorization": None}, query=query))
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")


def test_bodies_over_the_limit_are_413(make_client):
    client, _ = make_client(server={"max_body_bytes": 2048})
    answer = run(client.send("POST", CONVERSE, b"x" * 4096))
    assert answer.status == 413
    answer = run(client.send("POST", CONVERSE, b"", headers={"content-length": "99999"}))
    assert answer.status == 413


def test_a_crash_is_a_500_without_details(make_client, handler):
    async def crash(context, request):
        raise KeyError("the secret")

    handler("bedrock-runtime", "Converse", crash)
    client, _ = make_client()
    answer = run(client.send("POST", CONVERSE, BODY))
    assert answer.status == 500
    assert "secret" not in answer.body.decode()


def test_a_handler_past_its_deadline_is_given_up(make_client, handler):
    async def sleep(context, request):
        await asyncio.sleep(60)

    handler("bedrock-runtime", "Converse", sleep)
    client, _ = make_client(server={"request_timeout_s": 0.05})
    answer = run(client.send("POST", CONVERSE, BODY))
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (408, "ModelTimeoutException")


def test_an_error_in_mid_stream_is_an_exception_frame(make_client, handler):
    async def events():
        yield {"messageStart": {"role": "assistant"}}
        raise ModelFailure("the engine died")

    async def stream(context, request):
        return {"stream": events()}

    handler("bedrock-runtime", "ConverseStream", stream)
    client, _ = make_client()
    answer = run(client.send("POST", CONVERSE + "-stream", BODY))
    frames = decode(answer.body)
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert frames[0].headers[":event-type"] == "messageStart"
    assert frames[1].headers[":message-type"] == "exception"
    assert frames[1].headers[":exception-type"] == "modelStreamErrorException"
    assert json.loads(frames[1].payload) == {"message": "the engine died"}


def test_a_client_that_leaves_cancels_the_stream(make_client, handler):
    closed = asyncio.Event()

    async def events():
        try:
            while True:
                yield {"messageStart": {"role": "assistant"}}
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    async def stream(context, request):
        return {"stream": events()}

    handler("bedrock-runtime", "ConverseStream", stream)
    client, _ = make_client()

    async def leave():
        await asyncio.wait_for(client.send("POST", CONVERSE + "-stream", BODY, leave_after=3), 5)
        await asyncio.wait_for(closed.wait(), 1)

    run(leave())


def test_a_client_that_leaves_cancels_a_plain_call(make_client, handler):
    cancelled = asyncio.Event()

    async def sleep(context, request):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    handler("bedrock-runtime", "Converse", sleep)
    client, _ = make_client()

    async def leave():
        answer = await asyncio.wait_for(client.send("POST", CONVERSE, BODY, leave_at_once=True), 5)
        assert answer.status == 0
        await asyncio.wait_for(cancelled.wait(), 1)

    run(leave())


def test_unknown_members_are_ignored_aloud(make_client, handler):
    handler("bedrock-runtime", "Converse", answer_hello)
    client, _ = make_client()
    answer = run(client.send("POST", CONVERSE, BODY[:-1] + b', "tomorrow": 1}'))
    assert (answer.status, answer.headers["x-rocamadre-ignored"]) == (200, "tomorrow")


def test_too_many_requests_are_throttled_per_principal(make_client, handler):
    handler("bedrock-runtime", "Converse", answer_hello)
    client, _ = make_client(limits={"requests_per_minute": 2})

    async def three():
        return [(await client.send("POST", CONVERSE, BODY)) for _ in range(3)]

    answers = run(three())
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) >= 1


def test_the_same_token_gets_the_same_answer_even_after_a_restart(make_client, handler):
    calls = []

    async def create(context, request):
        calls.append(request["name"])
        return {"guardrailId": f"abc{len(calls)}", "guardrailArn": "arn", "version": "1", "createdAt": _moment()}

    handler("bedrock", "CreateGuardrail", create)
    body = {"name": "g", "blockedInputMessaging": "no", "blockedOutputsMessaging": "no", "clientRequestToken": "t" * 36}

    def send(client, **changes):
        return run(client.send("POST", "/guardrails", json.dumps(body | changes).encode()))

    client, _ = make_client()
    first = send(client)
    assert first.status == 202
    assert send(client).body == first.body
    client, _ = make_client()
    assert send(client).body == first.body
    assert calls == ["g"]
    other = send(client, name="h")
    assert other.headers["x-amzn-errortype"] == "ConflictException"
    assert send(client, name="h", clientRequestToken="u" * 36).status == 202
    assert calls == ["g", "h"]


def test_failures_are_not_kept_under_a_token(make_client, handler):
    answers = iter(
        [Conflict("taken"), {"guardrailId": "a", "guardrailArn": "b", "version": "1", "createdAt": _moment()}]
    )

    async def create(context, request):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    handler("bedrock", "CreateGuardrail", create)
    client, _ = make_client()
    body = json.dumps(
        {"name": "g", "blockedInputMessaging": "no", "blockedOutputsMessaging": "no", "clientRequestToken": "t" * 36}
    ).encode()
    assert run(client.send("POST", "/guardrails", body)).status == 400
    assert run(client.send("POST", "/guardrails", body)).status == 202


def test_health_needs_no_credentials_and_metrics_count(make_client, handler):
    handler("bedrock-runtime", "Converse", answer_hello)
    client, _ = make_client()
    assert run(client.send("GET", "/healthz", headers={"authorization": None})).json["status"] == "ok"
    run(client.send("POST", CONVERSE, BODY))
    text = run(client.send("GET", "/metrics")).body.decode()
    assert 'operation="Converse",service="bedrock-runtime",status="200"' in text.replace(" ", "")


def test_reset_empties_the_account_and_is_refused_with_keys(make_client):
    client, _ = make_client()
    assert run(client.send("POST", "/_rocamadre/reset")).json["status"] == "ok"
    assert run(client.send("DELETE", "/_rocamadre/reset")).status == 405


def _moment():
    from datetime import UTC, datetime

    return datetime(2026, 1, 1, tzinfo=UTC)
