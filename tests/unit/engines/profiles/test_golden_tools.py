"""Tools and structured output in each family's own form: what is read, what is written, what is streamed."""

import json
import sys
from pathlib import Path

import pytest

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import (
    CachePoint,
    Document,
    Finish,
    Media,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    Usage,
)

sys.path.insert(0, str(Path(__file__).parent))
from family_bodies import CALL, CALLED, USED, WEATHER, assistant, chunks, read, user, write

sys.path.pop(0)

NOVA = "amazon.nova-pro-v1:0"
MISTRAL = "mistral.mistral-large-2407-v1:0"
OPENAI = "openai.gpt-oss-120b-1:0"
JAMBA = "ai21.jamba-1-5-large-v1:0"
PALMYRA = "writer.palmyra-x4-v1:0"
OPENAI_LIKE = (
    OPENAI,
    "qwen.qwen3-32b-v1:0",
    "google.gemma-3-12b-it",
    "nvidia.nemotron-nano-9b-v2",
    "moonshot.kimi-k2-thinking",
    "minimax.minimax-m2",
    "zai.glm-4.6",
    "deepseek.v3-v1:0",
    "deepseek.v3.2",
    PALMYRA,
    "rocamadre.fake-v1:0",
)
SPEC = ToolSpec("weather", "Tells the weather", WEATHER)
FUNCTION = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells the weather", "parameters": WEATHER},
}
CHAT = {
    "messages": [
        {"role": "user", "content": "Weather in Lima?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lima"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "name": "weather", "content": "sun"},
    ],
    "tools": [FUNCTION],
    "tool_choice": "auto",
}
TURNS = (user("Weather in Lima?"), assistant(CALL), user(ToolResult("call_1", "sun")))
CALL_JSON = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Lima"}'}}


# -- the form of OpenAI ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base_id", [*OPENAI_LIKE, MISTRAL, JAMBA])
def test_chat_requests(base_id):
    request = read(base_id, CHAT)
    assert (request.messages, request.tools, request.tool_choice) == (TURNS, (SPEC,), ToolChoice())


@pytest.mark.parametrize(
    ("wanted", "choice"),
    [
        ({"tool_choice": "none"}, ToolChoice("none")),
        ({"tool_choice": "required"}, ToolChoice("any")),
        ({"tool_choice": None}, ToolChoice()),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, ToolChoice("tool", "weather")),
        ({"tool_choice": "auto", "parallel_tool_calls": False}, ToolChoice("auto", "", False)),
    ],
)
def test_openai_choices(wanted, choice):
    assert read(OPENAI, CHAT | wanted).tool_choice == choice


@pytest.mark.parametrize(("base_id", "word"), [(MISTRAL, "any"), (JAMBA, "required")])
def test_other_words_for_choices(base_id, word):
    assert read(base_id, CHAT | {"tool_choice": word}).tool_choice.mode == "any"


@pytest.mark.parametrize("base_id", [*OPENAI_LIKE, JAMBA])
def test_openai_answers(base_id):
    answered = write(base_id, CHAT, CALL, reason="tool_use")
    (choice,) = answered["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"] == [CALL_JSON]
    assert choice["message"]["content"] is None
    with_text = write(base_id, CHAT, Reasoning("Hm"), Text("Let me look."), CALL, CALL, reason="tool_use")
    message = with_text["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Let me look.", "Hm")
    assert len(message["tool_calls"]) == 2


@pytest.mark.parametrize("base_id", [*OPENAI_LIKE, JAMBA])
def test_openai_chunks(base_id):
    streamed = chunks(base_id, CHAT, ReasoningDelta("Hm"), TextDelta("Look."), *CALLED, *CALLED, USED)
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed if chunk != "[DONE]"]
    assert deltas[:5] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Hm"},
        {"content": "Look."},
        {"tool_calls": [{**CALL_JSON, "index": 0, "function": {"name": "weather", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]},
    ]
    arguments: dict[int, str] = {}
    for delta in deltas:
        for call in delta.get("tool_calls", ()):
            arguments[call["index"]] = arguments.get(call["index"], "") + call["function"]["arguments"]
    assert {place: json.loads(text) for place, text in arguments.items()} == {0: CALL.input, 1: CALL.input}
    finished = [chunk["choices"][0]["finish_reason"] for chunk in streamed if chunk != "[DONE]"]
    assert finished == [None] * (len(finished) - 1) + ["tool_calls"]
    assert (streamed[-1] == "[DONE]") == base_id.startswith("writer.")


@pytest.mark.parametrize("base_id", [*OPENAI_LIKE, JAMBA])
def test_response_formats(base_id):
    def schema(form):
        return read(base_id, {"messages": CHAT["messages"][:1], "response_format": form}).schema

    assert schema({"type": "text"}) is None
    assert schema(None) is None
    assert schema({"type": "json_object"}) == {"type": "object"}
    assert schema({"type": "json_schema", "json_schema": {"name": "x", "schema": WEATHER, "strict": True}}) == WEATHER
    with pytest.raises(InvalidRequest, match=r"#/response_format: required key \[json_schema\] not found"):
        schema({"type": "json_schema"})


def test_cached_tokens_are_part_of_the_prompt():
    streamed = chunks(OPENAI, CHAT, Finish("end_turn", Usage(2, 3, 5)))
    assert streamed[-1]["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def test_parts_and_thoughts_of_messages():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}}
    sound = {"type": "input_audio", "input_audio": {"data": "AAEC", "format": "wav"}}
    body = {
        "messages": [
            {
                "role": "user",
                "content": [image, sound, {"type": "text", "text": "Look"}, {"type": "text", "text": " "}],
            },
            {"role": "assistant", "content": "A", "reasoning_content": "Hm", "refusal": None, "tool_calls": None},
            {"role": "user", "content": "B"},
        ]
    }
    assert read(OPENAI, body).messages == (
        user(Media("image", "png", b"\x00\x01\x02"), Media("audio", "wav", b"\x00\x01\x02"), "Look"),
        assistant(Reasoning("Hm"), "A"),
        user("B"),
    )
    assert read(PALMYRA, {"messages": [{"role": "user", "content": {"text": "Hi"}}]}).messages == (user("Hi"),)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tools": []}, None),
        ({"tools": [{"type": "function"}]}, r"#/tools/0: required key \[function\] not found"),
        ({"tools": [FUNCTION, FUNCTION]}, "#/tools/1/function/name: two tools are called 'weather'"),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "#/tools/0/function/name: 'a b' does not match",
        ),
        ({"tools": [], "tool_choice": "required"}, "#/tool_choice: required needs tools"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "other"}}},
            "#/tool_choice/function/name: no tool is called 'other'",
        ),
        ({"tool_choice": "always"}, "#/tool_choice: always is not a valid enum value"),
        ({"messages": CHAT["messages"][:2]}, "'call_1' is not answered|must end with a user message"),
        ({"messages": [CHAT["messages"][0], CHAT["messages"][2]]}, "'call_1' answers no tool call"),
        ({"messages": [*CHAT["messages"], CHAT["messages"][2]]}, "'call_1' is answered twice"),
        (
            {"messages": [*CHAT["messages"][:2], {"role": "tool", "content": "sun"}]},
            r"#/messages/2: required key \[tool_call_id\] not found",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://x.org/a.png"}]}]},
            "#/messages/0/content/0: nothing is fetched",
        ),
    ],
)
def test_openai_bad_bodies(change, sentence):
    if sentence is None:
        assert read(OPENAI, CHAT | change).tools == ()
        return
    with pytest.raises(InvalidRequest, match=sentence):
        read(OPENAI, CHAT | change)


def test_arguments_that_are_no_json():
    call = {"id": "call_1", "function": {"name": "weather", "arguments": "{"}}
    body = {"messages": [CHAT["messages"][0], {"role": "assistant", "tool_calls": [call]}, CHAT["messages"][2]]}
    with pytest.raises(InvalidRequest, match=r"#/messages/1/tool_calls/0/function/arguments: .* JSON text"):
        read(OPENAI, body)


# -- Mistral ---------------------------------------------------------------------------------------------------------


def test_mistral_answers():
    call = {key: value for key, value in CALL_JSON.items() if key != "type"}
    assert write(MISTRAL, CHAT, CALL, reason="tool_use") == {
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "", "tool_calls": [call]},
                "stop_reason": "tool_calls",
            }
        ]
    }
    streamed = chunks(MISTRAL, CHAT, TextDelta("Look."), *CALLED, USED)
    assert [chunk["choices"][0]["message"] for chunk in streamed] == [
        {"role": "assistant", "content": "Look."},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "assistant", "content": ""},
    ]
    assert streamed[-1]["choices"][0]["stop_reason"] == "tool_calls"


# -- Jamba -----------------------------------------------------------------------------------------------------------


def test_jamba_reads_its_documents():
    document = {"content": "Sharks are fish.", "metadata": [{"key": "title", "value": "Sharks"}]}
    other = {"content": "Whales are not.", "metadata": [{"key": "year", "value": 1975}]}
    body = {"messages": [{"role": "user", "content": "What are they?"}], "documents": [document, other]}
    assert read(JAMBA, body).messages == (
        user(
            Document("Sharks", "Sharks are fish."), Document("doc_1", "year: 1975\nWhales are not."), "What are they?"
        ),
    )


# -- Nova ------------------------------------------------------------------------------------------------------------

NOVA_BODY = {
    "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
    "messages": [
        {"role": "user", "content": [{"text": "Weather?"}, {"cachePoint": {"type": "default"}}]},
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}},
                {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Lima"}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "toolResult": {
                        "toolUseId": "call_1",
                        "content": [
                            {"json": {"sky": "blue"}},
                            {"text": "warm"},
                            {"document": {"format": "txt", "name": "note", "source": {"bytes": "c3Vu"}}},
                            {"image": {"format": "png", "source": {"bytes": "AAEC"}}},
                        ],
                        "status": "error",
                    }
                }
            ],
        },
    ],
    "toolConfig": {
        "tools": [
            {"toolSpec": {"name": "weather", "description": "Tells the weather", "inputSchema": {"json": WEATHER}}},
            {"cachePoint": {"type": "default"}},
        ],
        "toolChoice": {"tool": {"name": "weather"}},
    },
}


def test_nova_requests():
    request = read(NOVA, NOVA_BODY)
    assert request.messages == (
        user("Weather?", CachePoint()),
        assistant(Reasoning("Hm", "s"), CALL),
        user(ToolResult("call_1", '{"sky":"blue"}\nwarm\nsun', True, (Media("image", "png", b"\x00\x01\x02"),))),
    )
    assert (request.system, request.cache_system, request.cache_tools) == ("Be brief.", True, True)
    assert (request.tools, request.tool_choice) == ((SPEC,), ToolChoice("tool", "weather"))
    plain = read(
        NOVA, {"messages": NOVA_BODY["messages"][:1], "toolConfig": {"tools": NOVA_BODY["toolConfig"]["tools"][:1]}}
    )
    assert (plain.tool_choice, plain.cache_system, plain.cache_tools) == (ToolChoice(), False, False)


def test_nova_answers():
    answered = write(NOVA, NOVA_BODY, Reasoning("Hm"), Text("Look."), CALL, reason="tool_use")
    assert answered["output"]["message"]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm"}}},
        {"text": "Look."},
        {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Lima"}}},
    ]
    assert answered["stopReason"] == "tool_use"


def test_nova_chunks():
    *events, metadata = chunks(NOVA, NOVA_BODY, TextDelta("Look."), *CALLED, USED)
    assert events == [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Look."}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {
            "contentBlockStart": {
                "start": {"toolUse": {"toolUseId": "call_1", "name": "weather"}},
                "contentBlockIndex": 1,
            }
        },
        {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"city": '}}, "contentBlockIndex": 1}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": '"Lima"}'}}, "contentBlockIndex": 1}},
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {"messageStop": {"stopReason": "tool_use"}},
    ]
    assert metadata["metadata"]["usage"]["outputTokens"] == 5


def test_nova_thoughts():
    thought, secret = Reasoning("Hm", "s"), Reasoning("", redacted=b"abc")
    body = {"messages": [NOVA_BODY["messages"][0], {"role": "assistant", "content": []}, NOVA_BODY["messages"][0]]}
    written = write(NOVA, NOVA_BODY, thought, secret, Text("Look."))["output"]["message"]
    assert written["content"][:2] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "YWJj"}},
    ]
    body["messages"][1] = written
    assert read(NOVA, body).messages[1] == assistant(thought, secret, "Look.")
    events = chunks(NOVA, NOVA_BODY, ReasoningDelta("Hm"), ReasoningDelta("", "s"), TextDelta("a"), USED)
    deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    assert [(each["contentBlockIndex"], each["delta"]) for each in deltas] == [
        (0, {"reasoningContent": {"text": "Hm"}}),
        (0, {"reasoningContent": {"signature": "s"}}),
        (1, {"text": "a"}),
    ]
    redacted = chunks(NOVA, NOVA_BODY, ReasoningDelta("", redacted=b"abc"), USED)
    assert redacted[1]["contentBlockDelta"]["delta"] == {"reasoningContent": {"redactedContent": "YWJj"}}


def test_nova_tells_what_was_cached():
    usage = write(NOVA, NOVA_BODY)["usage"]
    assert (usage["cacheReadInputTokenCount"], usage["cacheWriteInputTokenCount"]) == (0, 0)
    last = chunks(NOVA, NOVA_BODY, Finish("end_turn", Usage(2, 3, 5, 4)))[-1]["metadata"]["usage"]
    assert last == {
        "inputTokens": 2,
        "outputTokens": 3,
        "totalTokens": 14,
        "cacheReadInputTokenCount": 5,
        "cacheWriteInputTokenCount": 4,
    }


def nova(**changes):
    return {"messages": NOVA_BODY["messages"][:1], **changes}


ANSWERED = {"role": "assistant", "content": [{"text": "a"}]}
TOOL = NOVA_BODY["toolConfig"]["tools"][0]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (nova(toolConfig={}), r"#/toolConfig: required key \[tools\] not found"),
        (nova(toolConfig={"tools": [{}]}), "#/toolConfig/tools/0: an entry holds exactly one"),
        (nova(toolConfig={"tools": [{"cachePoint": {"type": "default"}}]}), "there is no toolSpec"),
        (nova(toolConfig={"tools": [TOOL, TOOL]}), "two tools are called 'weather'"),
        (nova(toolConfig={"tools": [TOOL], "toolChoice": {"auto": {}, "any": {}}}), "exactly one of auto, any, tool"),
        (nova(toolConfig={"tools": [TOOL], "toolChoice": {"tool": {"name": "x"}}}), "no tool is called 'x'"),
        (
            {"messages": [NOVA_BODY["messages"][0], {"role": "user", "content": NOVA_BODY["messages"][2]["content"]}]},
            "must alternate",
        ),
        (
            {"messages": [NOVA_BODY["messages"][0], ANSWERED, NOVA_BODY["messages"][2]]},
            "answers no tool call",
        ),
        (
            {"messages": [{"role": "user", "content": NOVA_BODY["messages"][1]["content"][1:]}]},
            "toolUse has no place in a message of the user",
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "a", "cachePoint": {"type": "default"}}]}]},
            "exactly one of text, image",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"document": {"format": "txt", "name": "a", "source": {"bytes": "c3Vu"}}}] * 6,
                    }
                ]
            },
            "6 documents; at most 5",
        ),
    ],
)
def test_nova_bad_bodies(body, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        read(NOVA, body)


def test_nova_what_comes_later():
    with pytest.raises(NotBuilt, match="systemTool"):
        read(NOVA, nova(toolConfig={"tools": [{"systemTool": {"name": "nova_grounding"}}]}))
    with pytest.raises(NotBuilt, match="guardContent"):
        read(NOVA, {"messages": [{"role": "user", "content": [{"guardContent": {"text": {"text": "a"}}}]}]})


def test_calls_are_kept_apart():
    two = ToolUse("call_2", "weather", {"city": "Sucre"})
    results = [{"role": "tool", "tool_call_id": name, "content": name} for name in ("call_1", "call_2")]
    calls = [{"id": each.id, "function": {"name": each.name, "arguments": each.input}} for each in (CALL, two)]
    body = {"messages": [CHAT["messages"][0], {"role": "assistant", "tool_calls": calls}, *results]}
    for base_id in (OPENAI, MISTRAL, JAMBA):
        assert read(base_id, body).messages[1:] == (
            assistant(CALL, two),
            user(ToolResult("call_1", "call_1"), ToolResult("call_2", "call_2")),
        )
