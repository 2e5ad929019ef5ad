from __future__ import annotations

import base64
import json

import pytest

from rocamadre.console.playground.conversation import (
    Answer,
    Document,
    Exchange,
    Frame,
    ToolCall,
    document_name,
    messages_of,
    plain_turns,
    read_schema,
    read_tools,
)

SPEC = {"name": "weather", "inputSchema": {"json": {"type": "object"}}}


def said(text):
    return Answer(text, stop_reason="end_turn")


def roles(exchanges):
    return [message["role"] for message in messages_of(exchanges)]


def test_events_fill_an_answer():
    answer = Answer()
    start = {"start": {"toolUse": {"toolUseId": "t1", "name": "weather"}}, "contentBlockIndex": 1}
    for at_s, event in enumerate(
        [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "hm"}}, "contentBlockIndex": 0}},
            {"contentBlockDelta": {"delta": {"text": "Let me "}, "contentBlockIndex": 0}},
            {"contentBlockDelta": {"delta": {"text": "see."}, "contentBlockIndex": 0}},
            {"contentBlockStart": start},
            {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"city": '}}, "contentBlockIndex": 1}},
            {"contentBlockDelta": {"delta": {"toolUse": {"input": '"Sucre"}'}}, "contentBlockIndex": 1}},
            {"messageStop": {"stopReason": "tool_use"}},
            {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 18, "totalTokens": 23}, "metrics": {}}},
        ]
    ):
        answer.feed(event, float(at_s))
    assert (answer.text, answer.reasoning, answer.stop_reason) == ("Let me see.", "hm", "tool_use")
    assert (answer.first_s, answer.total_s, answer.per_second) == (1.0, 8.0, 2.25)
    assert (answer.input_tokens, answer.output_tokens) == (5, 18)
    assert [call.input for call in answer.waiting] == [{"city": "Sucre"}]
    assert answer.content()[1] == {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Sucre"}}}


def test_roles_alternate_whatever_went_wrong():
    failed = Exchange("b", answer=Answer(failure="broke off"))
    exchanges = [Exchange("a", answer=said("1")), failed, Exchange("c", answer=said("2")), Exchange("d")]
    assert roles(exchanges) == ["user", "assistant", "user", "assistant", "user"]
    assert [block["text"] for block in messages_of(exchanges)[2]["content"]] == ["b", "c"]


def test_calls_go_with_their_results_or_not_at_all():
    call = ToolCall("t1", "weather", '{"city": "Sucre"}')
    asked = Exchange("Rain?", answer=Answer("Let me see.", calls=[call]))
    ignored = messages_of([asked, Exchange("Never mind.")])
    assert ignored[1]["content"] == [{"text": "Let me see."}]
    call.result, call.failed = '{"rain": false}', True
    answered = messages_of([asked, Exchange("", results=(call,))])
    assert "toolUse" in answered[1]["content"][1]
    result = {"toolUseId": "t1", "content": [{"json": {"rain": False}}], "status": "error"}
    assert answered[2]["content"] == [{"toolResult": result}]
    assert plain_turns([asked, Exchange("", results=(call,))]) is None


@pytest.mark.parametrize(
    ("written", "content"), [("21 degrees", "text"), ("[1]", "text"), ('{"a": 1}', "json"), ("", "text")]
)
def test_results_are_text_unless_they_are_an_object(written, content):
    block = ToolCall("t", "x", result=written).result_block()
    assert list(block["toolResult"]["content"][0]) == [content]


def test_plain_conversations_are_turns_of_text():
    exchanges = [Exchange("a", answer=said("1")), Exchange("b")]
    assert plain_turns(exchanges) == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "b"},
    ]
    document = Document("a.txt", "a", "txt", b"text")
    assert plain_turns([Exchange("b", (document,))]) is None
    source = messages_of([Exchange("b", (document,))])[0]["content"][1]["document"]["source"]
    assert base64.b64decode(source["bytes"]) == b"text"


@pytest.mark.parametrize("name", ["<img src=x onerror=xss(1)>.pdf", "a  b\t.md", "§§§.txt", "x" * 400 + ".csv", ".md"])
def test_names_of_documents_are_such_as_bedrock_takes(name):
    from rocamadre.engines.profiles.documents import check_name

    made = document_name(name)
    assert 1 <= len(made) <= 200
    check_name(made, at="document")


def test_tools_are_read_in_the_forms_that_people_paste():
    expected = ({"toolSpec": SPEC},)
    for value in (SPEC, [SPEC], {"toolSpec": SPEC}, [{"toolSpec": SPEC}], {"tools": [{"toolSpec": SPEC}]}):
        assert read_tools(json.dumps(value)) == expected
    assert read_tools("  ") == ()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('[{"name": ', "line 1 column"),
        ("3", "toolSpec.name"),
        ('[{"toolSpec": {}}]', "toolSpec.name"),
        ('[{"name": "a", "inputSchema": {"json": {}}}, {"name": "b"}]', r"\[1\].b: inputSchema.json"),
    ],
)
def test_tools_that_cannot_be_read_say_where(written, words):
    with pytest.raises(ValueError, match=words):
        read_tools(written)


def test_schemas_are_objects_of_json():
    assert read_schema(' {"type": "object"} ') == '{"type": "object"}'
    assert read_schema("") == ""
    for written, words in (("[1]", "{…}"), ('"x"', "{…}"), ('{"type": ', "line 1")):
        with pytest.raises(ValueError, match=words):
            read_schema(written)


def test_a_frame_is_members_of_converse():
    frame = Frame("Be brief.", tools=read_tools(json.dumps(SPEC)), schema='{"type": "object"}')
    members = frame.members()
    assert members["system"] == [{"text": "Be brief."}]
    assert members["toolConfig"]["tools"][0]["toolSpec"]["name"] == "weather"
    assert members["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"] == '{"type": "object"}'
    assert set(Frame().members()) == {"inferenceConfig"}
