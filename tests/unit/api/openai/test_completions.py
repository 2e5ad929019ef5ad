import json

import pytest

from rocamadre.api.openai.completions import completions
from rocamadre.api.openai.errors import BadParameter
from rocamadre.core.messages import Finish, TextDelta, TokenLogprob, Usage

FAKE = "rocamadre.fake-v1:0"


def token(text, value=-0.5, *top):
    return TokenLogprob(1, text, text.encode(), value, tuple((each, each.encode(), value) for each in top))


async def ask(post, context, **more):
    reply = await post(completions, context, {"model": FAKE, "prompt": "Hi", **more})
    return json.loads(reply.body)


async def test_answer(context, engine, post):
    answer = await ask(post, context)
    assert answer.pop("id").startswith("cmpl-")
    assert answer.pop("created") > 1_600_000_000
    assert answer == {
        "object": "text_completion",
        "model": FAKE,
        "choices": [{"index": 0, "text": "Hello world", "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 2,
            "total_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }
    asked = engine.asked[0]
    assert (asked.prompt, asked.messages, asked.sampling.max_tokens) == ("Hi", (), 16)


async def test_several_prompts_and_choices(context, engine, post):
    answer = await ask(post, context, prompt=["a", "b"], n=2, best_of=2)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert sorted(asked.prompt for asked in engine.asked) == ["a", "a", "b", "b"]
    assert answer["usage"]["prompt_tokens"] == 14
    assert answer["usage"]["completion_tokens"] == 8


async def test_more_prompts_than_run_at_a_time(context, engine, post):
    answer = await ask(post, context, prompt=[str(number) for number in range(40)])
    assert len(answer["choices"]) == 40
    assert (engine.running, engine.closed) == (0, 40)


async def test_logprobs(context, engine, post):
    engine.events = (
        TextDelta("ab", (token("a", -0.1, "a", "x"), token("b", -0.2))),
        Finish("max_tokens", Usage(3, 2)),
    )
    answer = await ask(post, context, logprobs=2)
    assert engine.asked[0].logprobs == 2
    assert answer["choices"][0]["logprobs"] == {
        "tokens": ["a", "b"],
        "token_logprobs": [-0.1, -0.2],
        "top_logprobs": [{"a": -0.1, "x": -0.1}, None],
        "text_offset": [0, 1],
    }
    assert answer["choices"][0]["finish_reason"] == "length"


async def test_echo_without_writing(context, engine, post):
    engine.events = (
        TextDelta("Hi é", (token("Hi", None), token(" é"))),
        TextDelta(" more", (token(" more"),)),
        Finish("max_tokens", Usage(2, 1)),
    )
    answer = await ask(post, context, prompt="Hi é", echo=True, logprobs=1, max_tokens=0)
    assert engine.asked[0].echo
    choice = answer["choices"][0]
    assert choice["text"] == "Hi é"
    assert choice["logprobs"]["tokens"] == ["Hi", " é"]
    assert choice["logprobs"]["token_logprobs"] == [None, -0.5]
    assert answer["usage"]["completion_tokens"] == 0


async def test_stream(context, engine, post):
    engine.events = (TextDelta("a", (token("a"),)), TextDelta("b", (token("b"),)), Finish("end_turn", Usage(3, 2)))
    body = {
        "model": FAKE,
        "prompt": ["x", "y"],
        "stream": True,
        "logprobs": 0,
        "stream_options": {"include_usage": True},
    }
    reply = await post(completions, context, body)
    *events, usage, done = [piece[6:-2] async for piece in reply.body]
    assert done == b"[DONE]"
    assert json.loads(usage)["usage"] == {
        "prompt_tokens": 6,
        "completion_tokens": 4,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    choices = [json.loads(event)["choices"][0] for event in events]
    first = [choice for choice in choices if choice["index"] == 0]
    assert [choice["text"] for choice in first] == ["a", "b", ""]
    assert [choice["logprobs"] and choice["logprobs"]["text_offset"] for choice in first] == [[0], [1], None]
    assert first[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": ""}, "prompt", "invalid_value"),
        ({"prompt": []}, "prompt", "invalid_value"),
        ({"prompt": [1, 2]}, "prompt", "unsupported_value"),
        ({"prompt": [[1, 2]]}, "prompt", "unsupported_value"),
        ({"prompt": [None]}, "prompt", "invalid_type"),
        ({"prompt": ["a"] * 65}, "prompt", "invalid_value"),
        ({"suffix": "x"}, "suffix", "unsupported_parameter"),
        ({"best_of": 3}, "best_of", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"logprobs": True}, "logprobs", "invalid_type"),
        ({"messages": []}, "messages", "unknown_parameter"),
    ],
)
async def test_bad_parameters(context, post, change, param, code):
    with pytest.raises(BadParameter) as caught:
        await ask(post, context, **change)
    assert (caught.value.param, caught.value.code) == (param, code)
