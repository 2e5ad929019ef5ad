import base64
import json

import pytest

from rocamadre.api.openai.chat import chat_completions
from rocamadre.api.openai.errors import BadParameter
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    CachePoint,
    Document,
    Finish,
    Message,
    Text,
    TextDelta,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)

FAKE = "rocamadre.fake-v1:0"
HI = [{"role": "user", "content": "Hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "strict": True,
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}
CALLS = (
    TextDelta("Let me see."),
    ToolUseStart("call_1", "weather"),
    ToolUseDelta('{"city":'),
    ToolUseDelta('"Sucre"}'),
    ToolUseEnd(),
    ToolUseStart("call_2", "clock"),
    ToolUseEnd(),
    Finish("tool_use", Usage(5, 9)),
)
ASKED = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Sucre"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "clock", "arguments": ""}},
]}  # fmt: skip


def result(call, text):
    return {"role": "tool", "tool_call_id": call, "content": text}


async def ask(post, context, **more):
    reply = await post(chat_completions, context, {"model": FAKE, "messages": HI, **more})
    return json.loads(reply.body)


async def stream(post, context, **more):
    reply = await post(chat_completions, context, {"model": FAKE, "messages": HI, "stream": True, **more})
    pieces = [piece async for piece in reply.body]
    await reply.body.aclose()
    assert pieces[-1] == b"data: [DONE]\n\n"
    return [json.loads(piece[6:]) for piece in pieces[:-1]]


async def test_calls_in_an_answer(context, engine, post):
    engine.events = CALLS
    choice = (await ask(post, context, tools=[WEATHER, CLOCK]))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "Let me see."
    assert choice["message"]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Sucre"}'}},
        {"id": "call_2", "type": "function", "function": {"name": "clock", "arguments": "{}"}},
    ]


async def test_content_is_null_where_there_are_only_calls(context, engine, post):
    engine.events = CALLS[1:]
    message = (await ask(post, context, tools=[WEATHER, CLOCK]))["choices"][0]["message"]
    assert message["content"] is None
    chunks = await stream(post, context, tools=[WEATHER, CLOCK])
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": None, "refusal": None}


def begun(index, call, name):
    return {"index": index, "id": call, "type": "function", "function": {"name": name, "arguments": ""}}


async def test_calls_in_a_stream(context, engine, post):
    engine.events = CALLS
    chunks = await stream(post, context, tools=[WEATHER, CLOCK])
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Let me see."},
        {"tool_calls": [begun(0, "call_1", "weather")]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Sucre"}'}}]},
        {"tool_calls": [begun(1, "call_2", "clock")]},
        {},
    ]  # fmt: skip
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_calls_of_several_choices_are_counted_apart(context, engine, post):
    engine.events = CALLS[1:]
    chunks = await stream(post, context, tools=[WEATHER, CLOCK], n=2)
    for place in (0, 1):
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"][0]["index"] == place]
        starts = [delta["tool_calls"][0] for delta in deltas if delta.get("tool_calls", [{}])[0].get("id")]
        assert [(start["index"], start["id"]) for start in starts] == [(0, "call_1"), (1, "call_2")]


async def test_a_call_that_was_cut_off_is_left_out(context, engine, post):
    engine.events = (*CALLS[:3], Finish("max_tokens", Usage(5, 9)))
    choice = (await ask(post, context, tools=[WEATHER]))["choices"][0]
    assert choice["finish_reason"] == "length"
    assert "tool_calls" not in choice["message"]


async def test_what_the_engine_is_asked(context, engine, post):
    messages = [*HI, ASKED, result("call_2", [{"type": "text", "text": "noon"}]), result("call_1", "sunny")]
    await ask(post, context, messages=messages, tools=[WEATHER, CLOCK], tool_choice="auto", parallel_tool_calls=False)
    asked = engine.asked[0]
    assert asked.messages == (
        Message("user", (Text("Hi"),)),
        Message("assistant", (ToolUse("call_1", "weather", {"city": "Sucre"}), ToolUse("call_2", "clock", {}))),
        Message("user", (ToolResult("call_2", "noon"), ToolResult("call_1", "sunny"))),
    )
    assert asked.tools == (
        ToolSpec("weather", "The weather in a city.", WEATHER["function"]["parameters"], True),
        ToolSpec("clock", "", {"type": "object", "properties": {}}),
    )
    assert asked.tool_choice == ToolChoice("auto", parallel=False)


ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [CLOCK]}}


@pytest.mark.parametrize(
    ("choice", "expected", "names"),
    [
        (None, ToolChoice(), ["weather", "clock"]),
        ("none", ToolChoice("none"), ["weather", "clock"]),
        ("required", ToolChoice("any"), ["weather", "clock"]),
        ({"type": "function", "function": {"name": "clock"}}, ToolChoice("tool", "clock"), ["weather", "clock"]),
        (ALLOWED, ToolChoice("any"), ["clock"]),
    ],
)
async def test_tool_choice(context, engine, post, choice, expected, names):
    await ask(post, context, tools=[WEATHER, CLOCK], tool_choice=choice)
    assert engine.asked[0].tool_choice == expected
    assert [tool.name for tool in engine.asked[0].tools] == names


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}, SCHEMA),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, {"type": "object"}),
    ],
)
async def test_response_format(context, engine, post, form, expected):
    await ask(post, context, response_format=form)
    assert engine.asked[0].schema == expected


async def test_refusals_of_the_engine_are_bad_requests(context, engine, post):
    engine.events = (InvalidRequest("the keyword 'not' cannot be followed"),)
    with pytest.raises(InvalidRequest, match="'not'"):
        await ask(
            post, context, response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
        )


async def test_what_is_taken_and_changes_nothing(context, engine, post):
    answer = await ask(
        post, context, reasoning_effort="medium", verbosity="medium", service_tier="flex", prompt_cache_key="k",
        prompt_cache_retention="in_memory", prompt_cache_options={"mode": "implicit", "ttl": "30m"},
        safety_identifier="s", metadata={"a": "b"}, user="u", store=False,
    )  # fmt: skip
    assert answer["service_tier"] == "flex"
    assert context.notes["service_tier"] == "flex"


async def test_breakpoints_of_the_cache(context, engine, post):
    mark = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "S", **mark}]},
        {"role": "user", "content": [{"type": "text", "text": "long", **mark}, {"type": "text", "text": "short"}]},
    ]
    await ask(post, context, messages=messages)
    assert engine.asked[0].cache_system
    assert engine.asked[0].messages[0].content == (Text("long"), CachePoint(43_200), Text("short"))


async def test_files_are_read(context, engine, post):
    data = base64.b64encode(b"<p>Hello <b>there</b></p>").decode()
    messages = [{"role": "user", "content": [{"type": "file", "file": {"filename": "a.html", "file_data": data}}]}]
    await ask(post, context, messages=messages)
    block = engine.asked[0].messages[0].content[0]
    assert isinstance(block, Document)
    assert (block.name, block.text.split()) == ("a.html", ["Hello", "there"])


async def test_media_are_for_models_that_see(context, engine, post):
    url = f"data:image/png;base64,{base64.b64encode(b'x').decode()}"
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}]
    with pytest.raises(InvalidRequest, match="image"):
        await ask(post, context, messages=messages)
    assert engine.asked == []


def tool(**more):
    return {"type": "function", "function": {"name": "f", **more}}


def part(**fields):
    return {"messages": [{"role": "user", "content": [fields]}]}


def image(url):
    return part(type="image_url", image_url={"url": url})


PART = "messages[0].content[0]"
VALUE = "invalid_value"


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"tools": 5}, "tools", "invalid_type"),
        ({"tools": [5]}, "tools[0]", "invalid_type"),
        ({"tools": [{}]}, "tools[0].type", "missing_required_parameter"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        ({"tools": [{"type": "function", "function": 5}]}, "tools[0].function", "invalid_type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function", None),
        ({"tools": [{"type": "custom", "custom": {"name": "a"}}]}, "tools[0].type", "unsupported_value"),
        ({"tools": [{"type": "web_search_preview"}]}, "tools[0].type", "unsupported_value"),
        ({"tools": [{"type": "teleport"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [tool(name="a b")]}, "tools[0].function.name", "invalid_value"),
        ({"tools": [tool(name="a" * 65)]}, "tools[0].function.name", "invalid_value"),
        ({"tools": [tool(parameters=[])]}, "tools[0].function.parameters", "invalid_type"),
        ({"tools": [tool(strict="yes")]}, "tools[0].function.strict", "invalid_type"),
        ({"tools": [tool(colour=1)]}, "tools[0].function.colour", "unknown_parameter"),
        ({"tools": [tool(), tool()]}, "tools[1]", "invalid_value"),
        ({"tools": [tool(name=f"f{number}") for number in range(129)]}, "tools", "array_above_max_length"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        ({"tool_choice": 5}, "tool_choice", "invalid_type"),
        ({"tools": [tool()], "tool_choice": "always"}, "tool_choice", "invalid_value"),
        ({"tools": [tool()], "tool_choice": {}}, "tool_choice.type", "missing_required_parameter"),
        ({"tools": [tool()], "tool_choice": tool(name="g")}, "tool_choice.function.name", "invalid_value"),
        ({"parallel_tool_calls": True}, "parallel_tool_calls", "invalid_value"),
        ({"response_format": {}}, "response_format.type", "missing_required_parameter"),
        ({"response_format": {"type": "yaml"}}, "response_format.type", "invalid_value"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}},
            "response_format.json_schema.name",
            "invalid_value",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": []}}},
            "response_format.json_schema.schema",
            "invalid_type",
        ),
        (image("https://a/b.png"), f"{PART}.image_url.url", "unsupported_value"),
        (image("data:image/png;base64,%"), f"{PART}.image_url.url", "invalid_value"),
        (image("data:image/tiff;base64,eA=="), f"{PART}.image_url.url", "invalid_image_format"),
        (part(type="input_audio", input_audio={"data": "", "format": "wav"}), f"{PART}.input_audio.data", VALUE),
        (part(type="file", file={"file_id": "file-1"}), f"{PART}.file.file_id", "unsupported_parameter"),
        (part(type="refusal", refusal="no"), f"{PART}.type", "unsupported_value"),
        (part(type="smell"), f"{PART}.type", "invalid_value"),
    ],
)  # fmt: skip
async def test_bad_parameters(context, engine, post, change, param, code):
    with pytest.raises(BadParameter) as caught:
        await ask(post, context, **change)
    found = (caught.value.param, caught.value.code)
    assert found == ((param, code) if code else ("tools[0].function.name", "missing_required_parameter"))
    assert engine.asked == []


@pytest.mark.parametrize(
    ("messages", "match"),
    [
        ([*HI, ASKED], "did not have response messages: call_1"),
        ([*HI, ASKED, result("call_1", "a")], "did not have response messages: call_2"),
        ([*HI, ASKED, *HI], "did not have response messages: call_1"),
        ([*HI, result("call_1", "a")], "must be a response to a preceding message"),
        ([*HI, ASKED, result("call_1", "a"), result("call_2", "a"), result("call_2", "a")], "call_2"),
        ([*HI, ASKED, result("call_1", "a"), result("call_2", "a"), result("call_3", "a")], "call_3"),
        ([*HI, {**ASKED, "tool_calls": [ASKED["tool_calls"][0]] * 2}, result("call_1", "a")], "same id"),
        ([*HI, {**ASKED, "tool_calls": []}], "empty array"),
    ],
)
async def test_calls_and_results_belong_together(context, engine, post, messages, match):
    with pytest.raises(BadParameter, match=match):
        await ask(post, context, messages=messages, tools=[WEATHER, CLOCK])
    assert engine.asked == []


@pytest.mark.parametrize("arguments", ["{", "[" * 5000, "nul"])
async def test_arguments_given_back_are_json(context, post, arguments):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(BadParameter, match="JSON text"):
        await ask(post, context, messages=[*HI, {"role": "assistant", "tool_calls": [call]}, result("c", "a")])


async def test_deep_bodies_are_refused(context, post):
    schema = {}
    for _ in range(300):
        schema = {"items": schema}
    with pytest.raises(BadParameter, match="deeper than 200 levels"):
        await ask(post, context, tools=[tool(parameters=schema)])
