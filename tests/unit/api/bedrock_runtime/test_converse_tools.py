"""Tools, structured output and cache points in Converse, against an engine that notes what it was asked."""

import json

import pytest

from rocamadre.api.bedrock_runtime.converse import converse
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import (
    CachePoint,
    Document,
    Finish,
    Reasoning,
    Text,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"toolSpec": {"name": "weather", "description": "Of a city", "inputSchema": {"json": SCHEMA}}}
CLOCK = {"toolSpec": {"name": "clock", "inputSchema": {"json": {}}, "strict": True}}
POINT = {"cachePoint": {"type": "default"}}


def use(id_="t1", **more):
    return {"toolUse": {"toolUseId": id_, "name": "weather", "input": {"city": "Quito"}, **more}}


def result(*content, id_="t1", **more):
    return {"toolResult": {"toolUseId": id_, "content": list(content) or [{"text": "9 C"}], **more}}


def request(*messages, tools=(WEATHER,), choice=None, **more):
    turns = [
        {"role": "assistant" if index % 2 else "user", "content": content} for index, content in enumerate(messages)
    ]
    config = {"toolConfig": {"tools": list(tools), **({"toolChoice": choice} if choice else {})}} if tools else {}
    return {"modelId": "rocamadre.fake-v1:0", "messages": turns, **config, **more}


ASKED = [{"text": "Weather in Quito?"}]


async def test_what_the_engine_is_asked(context, engine):
    await converse(
        context, request(ASKED, tools=(WEATHER, POINT, CLOCK), choice={"any": {}}, system=[{"text": "s"}, POINT])
    )
    asked = engine.asked[0]
    assert asked.tools == (ToolSpec("weather", "Of a city", SCHEMA), ToolSpec("clock", "", {}, strict=True))
    assert asked.tool_choice == ToolChoice("any")
    assert (asked.cache_tools, asked.cache_system, asked.system) == (True, True, "s")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [(None, ToolChoice()), ({"auto": {}}, ToolChoice()), ({"tool": {"name": "clock"}}, ToolChoice("tool", "clock"))],
)
async def test_choices(context, engine, choice, expected):
    await converse(context, request(ASKED, tools=(WEATHER, CLOCK), choice=choice))
    assert engine.asked[0].tool_choice == expected


async def test_a_call_in_the_answer(context, engine):
    engine.events = [
        ToolUseStart("tooluse_1", "weather"),
        ToolUseDelta('{"city": '),
        ToolUseDelta('"Quito"}'),
        ToolUseEnd(),
        Finish("tool_use", Usage(9, 5)),
    ]
    response = await converse(context, request(ASKED))
    assert response["stopReason"] == "tool_use"
    assert response["output"]["message"]["content"] == [
        {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Quito"}}}
    ]


async def test_a_call_that_was_cut_off_is_left_out(context, engine):
    engine.events = [ToolUseStart("1", "weather"), ToolUseDelta('{"city": '), Finish("max_tokens", Usage(9, 5))]
    response = await converse(context, request(ASKED))
    assert response["stopReason"] == "max_tokens"
    assert response["output"]["message"]["content"] == [{"text": ""}]


async def test_results_of_every_kind(context, engine):
    content = [
        {"text": "a"},
        {"json": {"c": 9}},
        {"document": {"name": "d", "format": "txt", "source": {"bytes": b"of a document"}}},
        {
            "searchResult": {
                "source": "x.org",
                "title": "t",
                "content": [{"text": "found"}],
                "citations": {"enabled": False},
            }
        },
    ]
    await converse(context, request(ASKED, [use()], [result(*content, status="error"), {"text": "and?"}]))
    turns = engine.asked[0].messages
    assert turns[1].content == (ToolUse("t1", "weather", {"city": "Quito"}),)
    text = 'a\n{"c":9}\nof a document\nt (x.org)\nfound'
    assert turns[2].content == (ToolResult("t1", text, is_error=True), Text("and?"))


async def test_an_image_in_a_result_needs_a_model_that_sees(context):
    picture = {"image": {"format": "png", "source": {"bytes": b"x"}}}
    with pytest.raises(InvalidRequest, match="doesn't support the image content block"):
        await converse(context, request(ASKED, [use()], [result(picture)]))


@pytest.mark.parametrize(
    ("messages", "tools", "sentence"),
    [
        ([ASKED, [use()], [result()]], (), "toolConfig field must be defined"),
        (
            [ASKED, [use()], [{"text": "no answer"}]],
            (WEATHER,),
            "Expected toolResult blocks at messages.2.content for .*: t1",
        ),
        ([ASKED, [use(), use("t2")], [result()]], (WEATHER,), "Expected toolResult blocks .*: t2"),
        ([ASKED, [{"text": "a"}], [result()]], (WEATHER,), "exceeds the number of toolUse blocks"),
        ([[use()], [use()], [result()]], (WEATHER,), "messages of the assistant role"),
        ([ASKED, [use(), use()], [result()]], (WEATHER,), "same toolUseId"),
        ([ASKED, [use(input=[1])], [result()]], (WEATHER,), "must be a JSON object"),
        ([ASKED], (WEATHER, WEATHER), "used twice"),
        ([ASKED], (POINT,), "holds no toolSpec"),
        ([ASKED], ({},), "must set one of"),
        (
            [ASKED],
            ({"toolSpec": {"name": "a", "inputSchema": {"json": {"type": "string"}}}},),
            "must be one of the following: object",
        ),
        ([ASKED], ({"toolSpec": {"name": "a", "inputSchema": {}}},), "must be one of the following: object"),
    ],
)
async def test_rules_of_turns_with_tools(context, messages, tools, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        await converse(context, request(*messages, tools=tools))


async def test_a_choice_outside_the_tools_and_server_tools_are_refused(context):
    with pytest.raises(InvalidRequest, match="clock is not among the tools offered: weather"):
        await converse(context, request(ASKED, choice={"tool": {"name": "clock"}}))
    with pytest.raises(InvalidRequest, match="exactly one"):
        await converse(context, request(ASKED, choice={} | {"any": {}, "auto": {}}))
    with pytest.raises(NotBuilt, match="systemTool"):
        await converse(context, request(ASKED, tools=({"systemTool": {"name": "nova_grounding"}},)))


# -- structured output ------------------------------------------------------------------------------------------------


def shaped(schema):
    structure = {"jsonSchema": {"schema": schema if isinstance(schema, str) else json.dumps(schema), "name": "n"}}
    return request(ASKED, tools=(), outputConfig={"textFormat": {"type": "json_schema", "structure": structure}})


async def test_schema_reaches_the_engine(context, engine):
    await converse(context, shaped(SCHEMA))
    assert engine.asked[0].schema == SCHEMA


@pytest.mark.parametrize(("schema", "sentence"), [("{", "not valid JSON"), ("[]", "must be a JSON object")])
async def test_wrong_schemas(context, schema, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        await converse(context, shaped(schema))


# -- cache points, reasoning, search results --------------------------------------------------------------------------


async def test_cache_points_and_what_they_cost(context, engine):
    engine.events = [Finish("end_turn", Usage(4, 2, 30, 6))]
    content = [{"text": "long"}, {"cachePoint": {"type": "default", "ttl": "1h"}}, {"text": "short"}]
    response = await converse(context, request(content, tools=()))
    assert engine.asked[0].messages[0].content == (Text("long"), CachePoint(3600), Text("short"))
    assert response["usage"] == {
        "inputTokens": 4,
        "outputTokens": 2,
        "totalTokens": 42,
        "cacheReadInputTokens": 30,
        "cacheWriteInputTokens": 6,
    }


async def test_without_a_cache_point_all_is_input(context, engine):
    engine.events = [Finish("end_turn", Usage(4, 2, 30, 0))]
    response = await converse(context, request(ASKED, tools=()))
    assert (response["usage"]["inputTokens"], response["usage"]["cacheReadInputTokens"]) == (34, 0)


async def test_reasoning_goes_through(context, engine):
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}}
    hidden = {"reasoningContent": {"redactedContent": b"xyz"}}
    await converse(context, request(ASKED, [thought, hidden, {"text": "a"}], ASKED, tools=()))
    assert engine.asked[0].messages[1].content == (Reasoning("hm", "sig"), Reasoning("", redacted=b"xyz"), Text("a"))


async def test_search_results_are_read_as_documents(context, engine):
    block = {
        "searchResult": {"source": "x.org", "title": "T", "content": [{"text": "a"}], "citations": {"enabled": False}}
    }
    await converse(context, request([block, {"text": "?"}], tools=()))
    assert engine.asked[0].messages[0].content == (Document("T (x.org)", "a"), Text("?"))
