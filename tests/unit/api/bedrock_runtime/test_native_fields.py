"""additionalModelResponseFieldPaths, in Converse and ConverseStream."""

from __future__ import annotations

import json

import pytest

from rocamadre.api.bedrock_runtime.converse import converse
from rocamadre.api.bedrock_runtime.converse_stream import converse_stream
from rocamadre.api.bedrock_runtime.invoke_model import invoke_model
from rocamadre.core.messages import Finish, ReasoningDelta, TextDelta, Usage

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
LLAMA = "meta.llama3-8b-instruct-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "Hi"}]}]


async def both(context, model, paths):
    """The fields of Converse's answer, after a check that ConverseStream gives the same."""
    request = {"modelId": model, "messages": MESSAGES, "additionalModelResponseFieldPaths": paths}
    whole = (await converse(context, request)).get("additionalModelResponseFields")
    events = [event async for event in (await converse_stream(context, request))["stream"]]
    (stop,) = [event["messageStop"] for event in events if "messageStop" in event]
    streamed = stop.get("additionalModelResponseFields")
    for fields in (whole, streamed):
        if fields and "id" in fields:
            assert len(fields.pop("id")) > 20
    assert streamed == whole
    return whole


async def test_fields_are_those_of_the_models_own_form(context):
    body = json.dumps({"prompt": "Hi"}).encode()
    native = json.loads((await invoke_model(context, {"modelId": LLAMA, "body": body}))["body"])
    paths = [f"/{name}" for name in native]
    assert await both(context, LLAMA, paths) == native
    assert native["generation"] == "Hello world"


async def test_nested_fields_keep_what_is_around_them(context):
    fields = await both(context, CLAUDE, ["/usage/input_tokens", "/usage/output_tokens", "/stop_reason", "/role"])
    assert fields == {
        "usage": {"input_tokens": 7, "output_tokens": 2},
        "stop_reason": "end_turn",
        "role": "assistant",
    }
    whole = await both(context, CLAUDE, ["/usage", "/usage/output_tokens"])
    assert whole["usage"]["input_tokens"] == 7


async def test_the_content_of_a_stream_is_whole(context, engine):
    engine.events = (ReasoningDelta("Hm."), *[TextDelta("word ")] * 50, Finish("end_turn", Usage(7, 50)))
    fields = await both(context, CLAUDE, ["/content"])
    assert [block["type"] for block in fields["content"]] == ["thinking", "text"]
    assert fields["content"][1]["text"] == "word " * 50


async def test_what_is_not_there_is_left_out(context):
    assert await both(context, CLAUDE, ["/nothing", "/usage/nothing", "/content/0/text", "/role/x"]) is None
    assert await both(context, LLAMA, ["/nothing", "/stop_reason"]) == {"stop_reason": "stop"}


async def test_the_stop_sequence_is_there_for_every_model(context, engine):
    engine.events = (TextDelta("a"), Finish("stop_sequence", Usage(7, 1), "END"))
    for model in (CLAUDE, LLAMA):
        assert await both(context, model, ["/stop_sequence"]) == {"stop_sequence": "END"}


@pytest.mark.parametrize("path", ["/a~1b", "/a~0b", "/~", "//", "/ "])
async def test_odd_pointers_lead_nowhere(context, path):
    assert await both(context, CLAUDE, [path]) is None
