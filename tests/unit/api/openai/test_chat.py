import json

import pytest

from rocamadre.api.openai.chat import chat_completions
from rocamadre.api.openai.errors import BadParameter
from rocamadre.catalog.errors import UnknownModel
from rocamadre.core.errors import InvalidRequest, ModelFailure, RocamadreError, Throttled
from rocamadre.core.messages import (
    Finish,
    Message,
    Reasoning,
    ReasoningDelta,
    Sampling,
    Text,
    TextDelta,
    TokenLogprob,
    Usage,
)

FAKE = "rocamadre.fake-v1:0"
HI = [{"role": "user", "content": "Hi"}]


def body(**more):
    return {"model": FAKE, "messages": HI, **more}


async def ask(post, context, **more):
    reply = await post(chat_completions, context, body(**more))
    assert reply.status == 200
    return json.loads(reply.body)


async def stream(post, context, **more):
    reply = await post(chat_completions, context, body(stream=True, **more))
    assert reply.headers["content-type"].startswith("text/event-stream")
    pieces = [piece async for piece in reply.body]
    await reply.body.aclose()
    assert all(piece.startswith(b"data: ") and piece.endswith(b"\n\n") for piece in pieces)
    return [piece[6:-2] for piece in pieces]


async def test_answer(context, engine, post):
    answer = await ask(post, context)
    assert answer.pop("id").startswith("chatcmpl-")
    assert answer.pop("created") > 1_600_000_000
    assert answer == {
        "object": "chat.completion",
        "model": FAKE,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello world", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 2,
            "total_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }
    assert context.notes == {"model": FAKE, "input_tokens": 7, "output_tokens": 2}


async def test_aliases_say_so(context, post):
    answer = await ask(post, context, model="amazon.nova-lite-v1:0")
    assert answer["model"] == FAKE
    assert context.reply_headers["x-rocamadre-model"] == FAKE


async def test_what_the_engine_is_asked(context, engine, post):
    await ask(
        post,
        context,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "c"},
            {"role": "assistant", "content": "d", "reasoning_content": "r"},
            {"role": "user", "content": "e"},
        ],
        max_completion_tokens=5,
        max_tokens=6,
        temperature=0.5,
        top_p=0.9,
        top_k=3,
        min_p=0.1,
        min_tokens=1,
        seed=2**40 + 5,
        stop=["x", "y"],
        frequency_penalty=0.1,
        presence_penalty=0.2,
        repetition_penalty=1.1,
        logit_bias={"7": -100},
        user="u",
        metadata={"a": "b"},
        response_format={"type": "text"},
        tool_choice="none",
        tools=[],
        service_tier="auto",
        store=False,
        logprobs=False,
        n=None,
    )
    asked = engine.asked[0]
    assert asked.system == "Be brief.\n\nBe kind."
    assert asked.messages == (
        Message("user", (Text("a"), Text("b"), Text("c"))),
        Message("assistant", (Reasoning("r"), Text("d"))),
        Message("user", (Text("e"),)),
    )
    assert asked.logprobs is None
    assert asked.sampling == Sampling(
        max_tokens=5,
        min_tokens=1,
        temperature=0.5,
        top_p=0.9,
        top_k=3,
        min_p=0.1,
        seed=5,
        stop=("x", "y"),
        repetition_penalty=1.1,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        logit_bias={7: -100.0},
    )


async def test_stream(context, engine, post):
    *events, done = await stream(post, context)
    assert done == b"[DONE]"
    chunks = [json.loads(event) for event in events]
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hello"},
        {"content": " world"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert all(chunk["object"] == "chat.completion.chunk" and "usage" not in chunk for chunk in chunks)
    assert context.notes["output_tokens"] == 2
    assert engine.closed == 1


async def test_stream_with_usage(context, post):
    *events, last, done = await stream(post, context, stream_options={"include_usage": True})
    assert done == b"[DONE]"
    assert all(json.loads(event)["usage"] is None for event in events)
    assert json.loads(last)["choices"] == []
    assert json.loads(last)["usage"]["total_tokens"] == 9


async def test_text_is_escaped_in_streams(context, engine, post):
    engine.events = (TextDelta('"\n\u2028é'), Finish("end_turn", Usage()))
    events = await stream(post, context)
    assert json.loads(events[1])["choices"][0]["delta"]["content"] == '"\n\u2028é'


async def test_reasoning(context, engine, post):
    engine.events = (ReasoningDelta("Hm"), TextDelta("a"), Finish("max_tokens", Usage()))
    choice = (await ask(post, context))["choices"][0]
    assert choice["message"]["reasoning_content"] == "Hm"
    assert choice["finish_reason"] == "length"
    assert json.loads((await stream(post, context))[1])["choices"][0]["delta"] == {"reasoning_content": "Hm"}


def logprob(text, value, *top):
    return TokenLogprob(1, text, text.encode(), value, tuple((each, each.encode(), value - 1) for each in top))


async def test_logprobs(context, engine, post):
    engine.events = (
        TextDelta("Hé", (logprob("H", -0.1, "H", "J"), logprob("é", -0.2, "é"))),
        Finish("end_turn", Usage()),
    )
    answer = await ask(post, context, logprobs=True, top_logprobs=2)
    assert engine.asked[0].logprobs == 2
    expected = {
        "content": [
            {
                "token": "H",
                "logprob": -0.1,
                "bytes": [72],
                "top_logprobs": [
                    {"token": "H", "logprob": -1.1, "bytes": [72]},
                    {"token": "J", "logprob": -1.1, "bytes": [74]},
                ],
            },
            {
                "token": "é",
                "logprob": -0.2,
                "bytes": [195, 169],
                "top_logprobs": [{"token": "é", "logprob": -1.2, "bytes": [195, 169]}],
            },
        ],
        "refusal": None,
    }
    assert answer["choices"][0]["logprobs"] == expected
    chunk = json.loads((await stream(post, context, logprobs=True))[1])
    assert chunk["choices"][0]["logprobs"] == expected
    assert engine.asked[1].logprobs == 0


async def test_several_choices(context, engine, post):
    answer = await ask(post, context, n=3, seed=10)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert sorted(asked.sampling.seed for asked in engine.asked) == [10, 11, 12]
    assert answer["usage"]["prompt_tokens"] == 7
    assert answer["usage"]["completion_tokens"] == 6


async def test_several_choices_in_a_stream(context, engine, post):
    *events, usage, _ = await stream(post, context, n=3, stream_options={"include_usage": True})
    texts = ["", "", ""]
    for event in events:
        choice = json.loads(event)["choices"][0]
        texts[choice["index"]] += choice["delta"].get("content", "")
    assert texts == ["Hello world"] * 3
    assert json.loads(usage)["usage"]["completion_tokens"] == 6
    assert (engine.running, engine.closed) == (0, 3)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("wanted", [False, True])
async def test_early_errors(context, engine, post, n, wanted):
    engine.events = (Throttled("queue full"),)
    with pytest.raises(Throttled, match="queue full"):
        await post(chat_completions, context, body(n=n, stream=wanted))
    assert engine.running == 0


@pytest.mark.parametrize("n", [1, 3])
async def test_late_errors_are_sent_and_end_the_stream(context, engine, post, n):
    engine.events = (TextDelta("a"), ModelFailure("the model died"))
    events = await stream(post, context, n=n)
    assert json.loads(events[-1])["error"] == {
        "message": "the model died",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert b"[DONE]" not in events
    assert engine.running == 0


async def test_late_errors_without_a_stream(context, engine, post):
    engine.events = (TextDelta("a"), ModelFailure("the model died"))
    with pytest.raises(ModelFailure):
        await post(chat_completions, context, body(n=2))
    assert engine.running == 0


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("taken", [0, 1, 4])
async def test_a_client_that_leaves_frees_the_slots(context, engine, post, n, taken):
    engine.events = (*(TextDelta("a") for _ in range(100)), Finish("end_turn", Usage()))
    reply = await post(chat_completions, context, body(n=n, stream=True))
    for _ in range(taken):
        await anext(reply.body)
    assert engine.running >= 1
    await reply.body.aclose()
    assert engine.running == 0


async def test_streams_have_a_deadline(make_context, engine, post):
    context = make_context(server={"stream_timeout_s": 0.05})
    engine.events = (*(TextDelta("a") for _ in range(1_000_000)), Finish("end_turn", Usage()))
    events = await stream(post, context)
    assert json.loads(events[-1])["error"]["code"] == "timeout"
    assert engine.running == 0


async def test_unforeseen_errors_do_not_leak(context, engine, post, caplog):
    engine.events = (TextDelta("a"), ValueError("secret"))
    events = await stream(post, context)
    assert json.loads(events[-1])["error"]["type"] == "server_error"
    assert b"secret" not in events[-1]
    assert "stream.crashed" in caplog.text


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": 5}, "model", "invalid_type"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": "Hi"}, "messages", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": [5]}, "messages[0]", "invalid_type"),
        ({"messages": [{"content": "a"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "king", "content": "a"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": "a", "x": 1}]}, "messages[0].x", "unknown_parameter"),
        ({"messages": [{"role": "user", "content": "a", "name": "ana"}]}, "messages[0].name", "unsupported_parameter"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id", "missing_required_parameter"),
        ({"messages": [{"role": "function", "content": "a"}]}, "messages[0].role", "unsupported_parameter"),
        ({"messages": [*HI, {"role": "system", "content": "a"}]}, "messages[1]", "invalid_value"),
        ({"messages": [*HI, {"role": "assistant", "content": "a"}]}, "messages", "invalid_value"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content[0].image_url.url",
            "unsupported_value",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            "missing_required_parameter",
        ),
        ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
        ({"temperature": -1}, "temperature", "decimal_below_min_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"n": 17}, "n", "integer_above_max_value"),
        ({"stop": [1]}, "stop", "invalid_type"),
        ({"stop": ["a"] * 17}, "stop", "invalid_value"),
        ({"logit_bias": {"a": 1}}, "logit_bias", "invalid_value"),
        ({"logit_bias": {"9" * 5000: 1}}, "logit_bias", "invalid_value"),
        ({"logit_bias": {"1": 200}}, "logit_bias", "invalid_value"),
        ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x", "unknown_parameter"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
        ({"reasoning_effort": "low"}, "reasoning_effort", "unsupported_parameter"),
        ({"modalities": ["text", "audio"]}, "modalities", "invalid_value"),
        ({"service_tier": "gold"}, "service_tier", "invalid_value"),
        ({"functions": [{"name": "f"}]}, "functions", "unsupported_parameter"),
        ({"function_call": "auto"}, "function_call", "unsupported_parameter"),
        ({"verbosity": "high"}, "verbosity", "unsupported_parameter"),
        ({"prompt_cache_retention": "24h"}, "prompt_cache_retention", "unsupported_parameter"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_value"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata", "invalid_value"),
        ({"web_search_options": {"a": 1}}, "web_search_options", "unsupported_parameter"),
        ({"store": True}, "store", "unsupported_parameter"),
    ],
)
async def test_bad_parameters(context, engine, post, change, param, code):
    with pytest.raises(BadParameter) as caught:
        await post(chat_completions, context, body(**change))
    assert (caught.value.param, caught.value.code) == (param, code)
    assert engine.asked == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"5", b'{"model": NaN}', b"\xff", b"[" * 100_000])
async def test_bodies_that_are_no_object(context, post, data):
    with pytest.raises(InvalidRequest):
        await post(chat_completions, context, data)


async def test_unknown_models(context, post):
    with pytest.raises(UnknownModel):
        await post(chat_completions, context, body(model="nobody.nothing"))


async def test_embedding_models_do_not_chat(context, post):
    with pytest.raises(RocamadreError, match="doesn't support the model"):
        await post(chat_completions, context, body(model="rocamadre.fake-embed-v1:0"))
