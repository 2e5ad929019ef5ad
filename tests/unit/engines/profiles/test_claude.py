"""Claude's messages: tools, caching, documents, thinking and schemas, both ways."""

import base64

import pytest

from rocamadre.core.errors import InvalidRequest, ModelFailure, NotBuilt
from rocamadre.core.messages import (
    CachePoint,
    Document,
    Finish,
    Media,
    Message,
    Reasoning,
    ReasoningDelta,
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
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.claude import LOCAL, PROFILE
from rocamadre.engines.profiles.claude_read import cache_ttl_s
from rocamadre.engines.profiles.claude_write import MessageChunks, write_message
from rocamadre.engines.profiles.registry import find_profile

HEAD = {"id": "msg_1", "model": "claude"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "weather", "description": "The weather.", "input_schema": SCHEMA}
CACHE = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
PIXEL = base64.b64encode(b"\x89PNG").decode()
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Sucre"}}


def body(*messages, **options):
    given = messages or ({"role": "user", "content": "Hi"},)
    return {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 50,
        "messages": [each if isinstance(each, dict) else {"role": "user", "content": each} for each in given],
    } | options


def read(*messages, **options):
    return PROFILE.read(body(*messages, **options))


def said(role, *blocks):
    return {"role": role, "content": list(blocks)}


def text(words, **more):
    return {"type": "text", "text": words, **more}


def result(*content, id_="toolu_1", **more):
    return {"type": "tool_result", "tool_use_id": id_, "content": list(content), **more}


def test_tools_and_their_choice():
    tools = [TOOL, {**TOOL, "name": "b", "type": "custom", "strict": True, "input_examples": [{"city": "Faro"}]}]
    request = read(tools=tools, tool_choice={"type": "any", "disable_parallel_tool_use": True})
    assert request.tools == (
        ToolSpec("weather", "The weather.", SCHEMA),
        ToolSpec("b", 'The weather.\n\nExamples of input:\n{"city":"Faro"}', SCHEMA, strict=True),
    )
    assert request.tool_choice == ToolChoice("any", parallel=False)
    assert read(tools=[TOOL], tool_choice={"type": "tool", "name": "weather"}).tool_choice == ToolChoice(
        "tool", "weather"
    )
    assert read(tools=[TOOL]).tool_choice == ToolChoice()
    assert read(tools=[TOOL], tool_choice={"type": "none"}).tool_choice.mode == "none"


def test_a_tool_loop():
    request = read(
        "Sucre?",
        said("assistant", {"type": "thinking", "thinking": "Hm", "signature": "s"}, text("I look."), CALL),
        said("user", result(text("14 degrees"), text("clear")), text("Well?")),
        tools=[TOOL],
    )
    assert request.messages[1:] == (
        Message(
            "assistant",
            (Reasoning("Hm", "s"), Text("I look."), ToolUse("toolu_1", "weather", {"city": "Sucre"})),
        ),
        Message("user", (ToolResult("toolu_1", "14 degrees\n\nclear"), Text("Well?"))),
    )


@pytest.mark.parametrize(
    ("block", "read_as"),
    [
        ({"type": "tool_result", "tool_use_id": "toolu_1", "content": "14"}, ToolResult("toolu_1", "14")),
        ({"type": "tool_result", "tool_use_id": "toolu_1"}, ToolResult("toolu_1", "")),
        (result(text("no"), is_error=True), ToolResult("toolu_1", "no", is_error=True)),
        (
            result({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}),
            ToolResult("toolu_1", "", media=(Media("image", "png", b"\x89PNG"),)),
        ),
        (
            result(
                {"type": "document", "title": "d", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
            ),
            ToolResult("toolu_1", "d:\nx"),
        ),
    ],
)
def test_tool_results(block, read_as):
    assert read("q", said("assistant", CALL), said("user", block)).messages[-1].content == (read_as,)


def test_cache_controls():
    asked = body(
        said("user", text("a", cache_control=HOUR), text("b")),
        system=[text("s", cache_control=HOUR)],
        tools=[TOOL, {**TOOL, "name": "b", "cache_control": HOUR}],
        cache_control=CACHE,
    )
    request = PROFILE.read(asked)
    assert (request.cache_system, request.cache_tools) == (True, True)
    assert request.messages[0].content == (Text("a"), CachePoint(3600), Text("b"), CachePoint(300))
    assert cache_ttl_s(asked) == 3600
    assert cache_ttl_s(body(cache_control=CACHE)) == cache_ttl_s(body()) == 300
    inside = read("q", said("assistant", CALL), said("user", result(text("14", cache_control=CACHE))))
    assert inside.messages[-1].content == (ToolResult("toolu_1", "14"), CachePoint())
    plain = read(system=[text("s", cache_control=None)])
    assert (plain.cache_system, plain.cache_tools) == (False, False)


def test_schemas_of_both_spellings():
    form = {"type": "json_schema", "schema": SCHEMA}
    assert read(output_config={"format": form, "effort": "high"}).schema == SCHEMA
    assert read(output_format=form).schema == SCHEMA
    assert read(output_config={"format": None}).schema is None


def test_documents():
    def document(source, **more):
        return {"type": "document", "source": source, **more}

    plain = {"type": "text", "media_type": "text/plain", "data": "moss"}
    request = read(
        said(
            "user",
            document(plain, title="Notes", context="From 1905.", citations={"enabled": False}),
            document({"type": "content", "content": [text("a"), text("b")]}),
            document({"type": "base64", "media_type": "text/plain", "data": base64.b64encode(b"fern").decode()}),
            text("What grows?"),
        )
    )
    assert request.messages[0].content == (
        Document("Notes", "From 1905.\n\nmoss"),
        Document("document", "a\n\nb"),
        Document("document", "fern"),
        Text("What grows?"),
    )


def test_thinking_comes_back_as_it_went():
    data = base64.b64encode(b"\x00\x01").decode()
    request = read(
        "q",
        said("assistant", {"type": "redacted_thinking", "data": data}, text("a")),
        "r",
        thinking={"type": "adaptive"},
    )
    assert request.messages[1].content[0] == Reasoning("", redacted=b"\x00\x01")
    blocks = (Reasoning("Hm", "signed"), Reasoning("", redacted=b"\x00\x01"), Text("a"))
    content = write_message(Answer(blocks, Finish("end_turn", Usage())), HEAD)["content"]
    assert content == [
        {"type": "thinking", "thinking": "Hm", "signature": "signed"},
        {"type": "redacted_thinking", "data": data},
        {"type": "text", "text": "a"},
    ]


def test_what_clients_send_back_of_our_answers():
    """The anthropic client returns content blocks with every member that it knows, most of them null."""
    turn = said(
        "assistant",
        {"type": "text", "text": "I look.", "citations": None},
        {**CALL, "caller": {"type": "direct"}, "toolset_name": None},
    )
    assert read("q", turn, said("user", result())).messages[1].content[0] == Text("I look.")


def test_a_call_is_written():
    answer = Answer(
        (Text("I look."), ToolUse("t", "weather", {"city": "Sucre"})), Finish("tool_use", Usage(3, 4, 5, 6))
    )
    message = write_message(answer, HEAD, ttl_s=3600)
    assert message["content"][1] == {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Sucre"}}
    assert message["stop_reason"] == "tool_use"
    assert message["usage"] == {
        "input_tokens": 3,
        "cache_creation_input_tokens": 6,
        "cache_read_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 6},
        "output_tokens": 4,
    }


def test_a_call_is_streamed():
    write = MessageChunks(HEAD, 9)
    events = (
        ReasoningDelta("Hm"),
        ReasoningDelta("", "signed"),
        ReasoningDelta("", redacted=b"\x00"),
        TextDelta("I look."),
        ToolUseStart("t", "weather"),
        ToolUseDelta('{"city"'),
        ToolUseDelta(':"Sucre"}'),
        ToolUseEnd(),
        ToolUseStart("u", "weather"),
        ToolUseDelta("{}"),
        ToolUseEnd(),
        Finish("tool_use", Usage(3, 4, 5, 6)),
    )
    start, *chunks, delta, stop = [chunk for event in events for chunk in write(event)]
    assert start["message"]["usage"]["input_tokens"] == 9
    assert [(chunk["type"].removeprefix("content_block_"), chunk["index"]) for chunk in chunks] == [
        *(("start", 0), ("delta", 0), ("delta", 0), ("stop", 0)),
        *(("start", 1), ("stop", 1)),
        *(("start", 2), ("delta", 2), ("stop", 2)),
        *(("start", 3), ("delta", 3), ("delta", 3), ("stop", 3)),
        *(("start", 4), ("delta", 4), ("stop", 4)),
    ]
    assert chunks[2]["delta"] == {"type": "signature_delta", "signature": "signed"}
    assert chunks[9]["content_block"] == {"type": "tool_use", "id": "t", "name": "weather", "input": {}}
    assert chunks[10]["delta"] == {"type": "input_json_delta", "partial_json": '{"city"'}
    assert delta["delta"]["stop_reason"] == "tool_use"
    assert delta["usage"]["cache_read_input_tokens"] == 5
    assert stop == {"type": "message_stop"}


@pytest.mark.parametrize("reason", ["malformed_tool_use", "malformed_model_output"])
def test_answers_that_are_none_fail(reason):
    with pytest.raises(ModelFailure, match=reason):
        write_message(Answer((Text("{"),), Finish(reason, Usage())), HEAD)


def test_models_of_our_own_take_it_by_its_version():
    assert find_profile("rocamadre.roca-mini-v1:0", embeds=False, aliased=False, body=body()) is LOCAL
    dated = body() | {"anthropic_version": "2023-06-01"}
    assert PROFILE.read(dated).messages == PROFILE.read(body()).messages


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search_20250305"),
        ({"tools": [{"type": "computer_20250124", "name": "computer"}]}, "computer_20250124"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "bash_20250124"),
        ({"tools": [{"type": "text_editor_20250728", "name": "edit"}]}, "text_editor_20250728"),
        ({"tools": [{**TOOL, "defer_loading": True}]}, "tool search"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "does not support thinking"),
        ({"output_config": {"effort": "low"}}, "effort"),
        ({"container": "c"}, "containers"),
        ({"context_management": {"edits": [{}]}}, "context management"),
    ],
)
def test_what_is_not_there_is_refused_by_name(given, words):
    with pytest.raises(NotBuilt, match=words):
        read(**given)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (text("a", citations=[{}]), "citations"),
        (
            {
                "type": "document",
                "citations": {"enabled": True},
                "source": {"type": "text", "media_type": "text/plain", "data": "x"},
            },
            "citations",
        ),
        ({"type": "image", "source": {"type": "url", "url": "http://x"}}, "fetched from a URL"),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, "uploaded files"),
        ({"type": "search_result", "source": "s", "title": "t", "content": []}, "search_result"),
        ({"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}}, "server_tool_use"),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
                    ],
                },
            },
            "images inside documents",
        ),
    ],
)
def test_blocks_that_are_not_there_are_refused_by_name(block, words):
    with pytest.raises(NotBuilt, match=words):
        read(said("user", block))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tools": [TOOL, TOOL]}, "must be unique"),
        ({"tools": [{**TOOL, "name": "a b"}]}, "should match pattern"),
        ({"tools": [{**TOOL, "input_schema": {}}]}, "input_schema.type"),
        ({"tools": [{"name": "a"}]}, "required key"),
        ({"tool_choice": {"type": "any"}}, "while providing tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, "'x' not found"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, r"required key \[name\]"),
        ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "some is not a valid enum value"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "not greater or equal to 1024"),
        ({"system": [text("s", cache_control={"type": "permanent"})]}, "permanent is not a valid"),
        ({"output_config": {"format": {"type": "text"}}}, r"required key \[schema\]"),
        ({"anthropic_version": "vertex-2023-10-16"}, "vertex-2023-10-16 is not a valid"),
        ({"system": [text(str(n), cache_control=CACHE) for n in range(5)]}, "maximum of 4 blocks .* Found 5"),
        (
            {"system": [text("a", cache_control=CACHE), text("b", cache_control=HOUR)]},
            "must not come after a ttl='5m'",
        ),
    ],
)
def test_wrong_settings(given, words):
    with pytest.raises(InvalidRequest, match=words):
        read(**given)


ASKED = (said("user", text("q")), said("assistant", CALL))


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((*ASKED, "no result"), "messages.2: `tool_use` ids were found without .* toolu_1"),
        ((*ASKED, said("user", result(id_="other"))), "toolu_1"),
        ((said("user", result()),), "messages.0: unexpected `tool_use_id` .* toolu_1"),
        ((*ASKED, said("user", result(), result(id_="x"))), "unexpected `tool_use_id` .* x"),
        ((*ASKED, said("user", result(), result())), "single result"),
        ((said("user", text("q")), said("assistant", CALL, CALL), said("user", result())), "ids must be unique"),
        ((said("user", CALL),), "`tool_use` blocks can not be in user messages"),
        ((said("user", text("q")), said("assistant", result()), "r"), "`tool_result` blocks can not be in assistant"),
        (ASKED, "does not support assistant message prefill"),
        ((said("user", {"type": "text"}),), r"required key \[text\]"),
        ((said("user", {"type": "poem", "text": "a"}),), "poem is not a valid enum value"),
        ((said("user", "just text"),), "expected type: JSONObject, found: String"),
        ((said("user", {"text": "no type"}),), r"required key \[type\]"),
        (
            (said("user", {"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": PIXEL}}),),
            "media_type: Input should be",
        ),
        (
            (said("user", {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "!"}}),),
            "Invalid base64",
        ),
    ],
)
def test_wrong_conversations(messages, words):
    with pytest.raises(InvalidRequest, match=words):
        read(*messages)
