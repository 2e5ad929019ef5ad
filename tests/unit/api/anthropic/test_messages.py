"""Anthropic's wire around a scripted engine."""

import json
import random

import pytest

from rocamadre.api.anthropic.errors import error_reply
from rocamadre.api.anthropic.messages import count_message_tokens, messages
from rocamadre.api.anthropic.models import model, models
from rocamadre.api.anthropic.requests import in_words
from rocamadre.api.inference.generation import whole_input
from rocamadre.core import errors
from rocamadre.core.messages import (
    CachePoint,
    Finish,
    GenerationRequest,
    Message,
    ReasoningDelta,
    TextDelta,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)

CLAUDE = "claude-sonnet-4-5"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "weather", "input_schema": SCHEMA}
CALL = (
    TextDelta("I look."),
    ToolUseStart("t1", "weather"),
    ToolUseDelta('{"city":'),
    ToolUseDelta('"Sucre"}'),
    ToolUseEnd(),
    Finish("tool_use", Usage(7, 5)),
)


def body(**options):
    return {"model": CLAUDE, "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]} | options


async def parsed(reply):
    """The events of a stream as (name, data)."""
    raw = b"".join([piece async for piece in reply.body]).decode()
    events = []
    for part in raw.split("\n\n")[:-1]:
        name, data = part.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    assert all(name == data["type"] for name, data in events)
    return events


async def test_an_answer(context, post):
    reply = await post(messages, context, body())
    answer = json.loads(reply.body)
    assert (reply.status, reply.headers["request-id"]) == (200, context.request_id)
    assert answer["id"].startswith("msg_")
    assert (answer["type"], answer["role"], answer["model"]) == ("message", "assistant", CLAUDE)
    assert answer["content"] == [{"type": "text", "text": "Hello world"}]
    assert (answer["stop_reason"], answer["stop_sequence"]) == ("end_turn", None)
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (7, 2)
    assert context.reply_headers["x-rocamadre-model"] == "rocamadre.fake-v1:0"


async def test_a_call_whole_and_streamed(context, post, engine):
    engine.events = CALL
    answer = json.loads((await post(messages, context, body(tools=[TOOL]))).body)
    assert answer["content"][1] == {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Sucre"}}
    reply = await post(messages, context, body(tools=[TOOL], stream=True))
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = await parsed(reply)
    assert [name for name, _ in events][:3] == ["message_start", "ping", "content_block_start"]
    pieces = [data["delta"]["partial_json"] for _, data in events if data.get("delta", {}).get("partial_json")]
    assert json.loads("".join(pieces)) == {"city": "Sucre"}
    assert events[-2][1]["delta"]["stop_reason"] == "tool_use"
    assert events[-1][0] == "message_stop"
    assert engine.asked[-1].tools[0].name == "weather"
    assert engine.running == 0


async def test_thoughts_and_text_alternate(context, post, engine):
    engine.events = (
        TextDelta("a"),
        TextDelta("b"),
        ReasoningDelta("Hm", "s"),
        TextDelta("c"),
        Finish("end_turn", Usage(1, 3)),
    )
    events = await parsed(await post(messages, context, body(stream=True)))
    texts = [(data["index"], data["delta"]["text"]) for _, data in events if data.get("delta", {}).get("text")]
    assert texts == [(0, "a"), (0, "b"), (2, "c")]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (errors.ModelFailure("broke"), "api_error"),
        (errors.Unavailable("broke"), "overloaded_error"),
        (RuntimeError("secret"), "api_error"),
    ],
)
async def test_errors_in_a_stream(context, post, engine, failure, kind):
    engine.events = (TextDelta("a"), failure)
    *_, (name, error) = await parsed(await post(messages, context, body(stream=True)))
    assert (name, error["error"]["type"], error["request_id"]) == ("error", kind, context.request_id)
    assert "secret" not in error["error"]["message"]
    assert engine.running == 0


async def test_answers_that_break_off_or_have_no_word(context, post, engine):
    engine.events = (TextDelta("a"),)
    assert (await parsed(await post(messages, context, body(stream=True))))[-1][0] == "error"
    engine.events = (TextDelta("a"), Finish("malformed_tool_use", Usage()))
    assert (await parsed(await post(messages, context, body(stream=True))))[-1][0] == "error"
    with pytest.raises(errors.ModelFailure, match="malformed_tool_use"):
        await post(messages, context, body())


async def test_errors_before_the_stream_are_errors(context, post, engine):
    engine.events = (errors.Throttled("later"),)
    with pytest.raises(errors.Throttled):
        await post(messages, context, body(stream=True))


async def test_a_client_that_leaves_frees_the_engine(context, post, engine):
    engine.events = (*(TextDelta(str(n)) for n in range(50)), Finish("end_turn", Usage()))
    reply = await post(messages, context, body(stream=True))
    await anext(aiter(reply.body))
    await reply.body.aclose()
    assert engine.running == 0


async def test_engines_that_cannot_count_still_stream(context, post, engine, monkeypatch):
    async def render(request):
        raise errors.InvalidRequest("runs elsewhere")

    monkeypatch.setattr(engine, "render", render)
    events = await parsed(await post(messages, context, body(stream=True)))
    assert events[0][1]["message"]["usage"]["input_tokens"] == 0
    assert events[-2][1]["usage"]["input_tokens"] == 7


async def test_cached_tokens_are_told_to_those_who_asked(context, post, engine):
    engine.events = (TextDelta("a"), Finish("end_turn", Usage(3, 1, 4, 5)))
    plain = json.loads((await post(messages, context, body())).body)["usage"]
    assert (plain["input_tokens"], plain["cache_read_input_tokens"]) == (12, 0)
    system = [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    for asked in (body(system=system), body(cache_control={"type": "ephemeral", "ttl": "1h"})):
        cached = json.loads((await post(messages, context, asked)).body)["usage"]
        assert (cached["input_tokens"], cached["cache_read_input_tokens"]) == (3, 4)
        assert cached["cache_creation"] == {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 5}
        last = (await parsed(await post(messages, context, asked | {"stream": True})))[-2][1]["usage"]
        assert (last["input_tokens"], last["cache_creation_input_tokens"], last["output_tokens"]) == (3, 5, 1)


def test_who_is_told_of_the_cache():
    finish = Finish("end_turn", Usage(3, 1, 4, 5))
    assert whole_input(finish, GenerationRequest()).usage == Usage(12, 1)
    for request in (
        GenerationRequest(cache_system=True),
        GenerationRequest(cache_tools=True),
        GenerationRequest((Message("user", (CachePoint(),)),)),
    ):
        assert whole_input(finish, request) is finish


async def test_counting(context, post):
    asked = {"model": CLAUDE, "messages": [{"role": "user", "content": "one two three"}]}
    counted = json.loads((await post(count_message_tokens, context, asked)).body)
    assert set(counted) == {"input_tokens"}
    assert counted["input_tokens"] > 0
    with pytest.raises(errors.InvalidRequest, match="max_tokens: Extra inputs"):
        await post(count_message_tokens, context, asked | {"max_tokens": 5})
    with pytest.raises(errors.InvalidRequest, match="makes embeddings"):
        await post(count_message_tokens, context, asked | {"model": "fake-embed"})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "Input should be a valid dictionary"),
        ({"model": CLAUDE}, "max_tokens: Field required; messages: Field required"),
        (body(max_tokens="x"), "max_tokens: Input should be a valid integer"),
        (body(max_tokens=0), "max_tokens: Input should be greater than or equal to 1"),
        (body(temperature=2), "temperature: Input should be less than or equal to 1"),
        (body(messages=[]), "messages: List should have at least 1 items"),
        (body(messages=[{"role": "user"}]), "messages.0.content: Field required"),
        (body(messages=[{"role": "system", "content": "a"}]), "messages.0.role: system is not a valid enum value"),
        (body(poem=1), "poem: Extra inputs are not permitted"),
        (body(anthropic_version="bedrock-2023-05-31"), "anthropic_version: Extra inputs"),
        (body(tools=[{"type": "web_search_20250305", "name": "w"}]), "tools.0.type: .*web_search_20250305"),
        (body(messages=[{"role": "assistant", "content": "a"}]), "first message must use"),
    ],
)
async def test_refusals_in_anthropics_words(context, post, given, words):
    with pytest.raises((errors.InvalidRequest, errors.NotBuilt), match=words) as refused:
        await post(messages, context, given)
    assert "#/" not in refused.value.message
    assert "Malformed" not in refused.value.message


def test_sentences():
    assert in_words("#/a/0/b: extraneous key [c] is not permitted") == "a.0.b.c: Extra inputs are not permitted"
    assert in_words("#/system: expected type: String or JSONArray, found: Null") == (
        "system: Input should be a valid string or list"
    )


async def test_images_need_a_model_that_reads_them(context, post):
    source = {"type": "base64", "media_type": "image/png", "data": "aaaa"}
    image = {"type": "image", "source": source}
    with pytest.raises(errors.InvalidRequest, match="image"):
        await post(messages, context, body(messages=[{"role": "user", "content": [image]}]))
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [image]}]},
    ]
    with pytest.raises(errors.InvalidRequest, match="image"):
        await post(messages, context, body(messages=turns))


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.InvalidRequest("x"), 400, "invalid_request_error"),
        (errors.NotBuilt("x"), 400, "invalid_request_error"),
        (errors.NotFound("x"), 404, "not_found_error"),
        (errors.AccessDenied("x"), 403, "permission_error"),
        (errors.Throttled("x"), 429, "rate_limit_error"),
        (errors.Unavailable("x"), 529, "overloaded_error"),
        (errors.ModelNotReady("x"), 529, "overloaded_error"),
        (errors.ModelTimeout("x"), 504, "timeout_error"),
        (errors.ModelFailure("x"), 500, "api_error"),
        (errors.RocamadreError("x"), 500, "api_error"),
        (errors.CommonError("MissingAuthenticationTokenException", 403, "x"), 401, "authentication_error"),
        (errors.CommonError("AccessDeniedException", 403, "x"), 403, "permission_error"),
        (errors.CommonError("RequestEntityTooLargeException", 413, "x"), 413, "request_too_large"),
        (errors.CommonError("UnknownOperationException", 404, "x"), 404, "not_found_error"),
        (errors.CommonError("MethodNotAllowedException", 405, "x"), 405, "invalid_request_error"),
        (errors.CommonError("InternalFailure", 500, "x"), 500, "api_error"),
    ],
)
def test_statuses(error, status, kind):
    reply = error_reply(error, "r1")
    assert reply.status == status
    assert json.loads(reply.body) == {"type": "error", "error": {"type": kind, "message": "x"}, "request_id": "r1"}
    assert reply.headers["request-id"] == "r1"
    assert ("retry-after" in reply.headers) == isinstance(error, errors.Throttled)


async def get(endpoint, context, query=b"", *path_values, headers=None):
    from rocamadre.api.http import HttpRequest

    return json.loads((await endpoint(context, HttpRequest("GET", b"/", query, headers or {}, b"", path_values))).body)


async def test_models(context):
    page = await get(models, context)
    ids = [each["id"] for each in page["data"]]
    assert "rocamadre.fake-v1:0" in ids
    assert "rocamadre.fake-embed-v1:0" not in ids
    assert (page["has_more"], page["first_id"], page["last_id"]) == (False, ids[0], ids[-1])
    first = await get(models, context, b"limit=1")
    assert (first["has_more"], [each["id"] for each in first["data"]]) == (len(ids) > 1, ids[:1])
    after = await get(models, context, f"limit=1&after_id={ids[0]}".encode())
    assert [each["id"] for each in after["data"]] == ids[1:2]
    before = await get(models, context, f"before_id={ids[-1]}".encode())
    assert [each["id"] for each in before["data"]] == ids[:-1]
    for wrong in (b"limit=0", b"limit=x", b"limit=9999", b"after_id=nobody", b"before_id=nobody"):
        with pytest.raises(errors.InvalidRequest):
            await get(models, context, wrong)
    assert (await get(model, context, b"", CLAUDE))["id"] == "rocamadre.fake-v1:0"
    with pytest.raises(errors.NotFound):
        await get(model, context, b"", "nobody")
    with pytest.raises(errors.InvalidRequest, match="anthropic-version"):
        await get(models, context, headers={"anthropic-version": "yesterday"})


FULL = body(
    system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    messages=[
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": "YQ=="}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "b"}]}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "h", "signature": "s"},
                {"type": "redacted_thinking", "data": "YQ=="},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "a"}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a"}]}],
        },
    ],
    tools=[{**TOOL, "strict": True, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    tool_choice={"type": "tool", "name": "weather", "disable_parallel_tool_use": False},
    output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
    metadata={"user_id": "u"},
    stop_sequences=["x"],
    temperature=0.5,
    top_p=0.5,
    top_k=3,
    stream=False,
    thinking={"type": "disabled"},
    service_tier="auto",
)
VALUES = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 2**70, 1e308, -0.0, 0.5, "", "a", "\0", "é" * 300, [], {}, [[]], [None],
    {"": ""}, {"type": None}, {"type": []}, {"type": {}}, {"type": "text"}, [{"type": "text", "text": "a"}], "text",
    [1, "a", {}], {"type": "ephemeral"}, {"type": "base64"}, [{"type": "tool_use"}], "custom", [[[[[]]]]],
)  # fmt: skip


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutated(given, chance):
    given = json.loads(json.dumps(given))
    for _ in range(chance.randint(1, 2)):
        path = chance.choice(list(places(given)))
        value = json.loads(json.dumps(chance.choice(VALUES)))
        if not path:
            return value
        inner = given
        for key in path[:-1]:
            inner = inner[key]
        if chance.random() < 0.2 and isinstance(inner, dict):
            inner[chance.choice(("x", "type", "cache_control", "citations", "content", "source", "text"))] = value
        else:
            inner[path[-1]] = value
    return given


@pytest.mark.parametrize("stream", [False, True])
async def test_mutated_bodies(context, post, stream):
    """Refused in the declared way or answered, never anything else."""
    chance = random.Random(stream)
    answered = refused = 0
    for _ in range(700):
        given = mutated(FULL | {"stream": stream}, chance)
        try:
            reply = await post(messages, context, json.dumps(given).encode())
        except errors.RocamadreError as error:
            refused += error_reply(error, "r").status < 500
            continue
        answered += 1
        if not isinstance(reply.body, bytes):
            assert (await parsed(reply))[-1][0] == "message_stop"
    assert answered > 20
    assert answered + refused == 700
