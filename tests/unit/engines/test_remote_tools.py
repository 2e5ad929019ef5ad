"""Tools, schemas and reasoning through the remote engines: what is sent, and recorded forms of what comes back."""

import asyncio
import json

import aiohttp.web
import pytest

from rocamadre.core.errors import InvalidRequest, ModelFailure
from rocamadre.core.messages import (
    CachePoint,
    Document,
    Finish,
    GenerationRequest,
    Media,
    Message,
    Reasoning,
    Sampling,
    Text,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
)
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.collect import collect
from rocamadre.engines.protocol import LoadSpec
from rocamadre.engines.remote import bedrock
from rocamadre.engines.remote.chat_body import chat_body
from rocamadre.engines.remote.converse_body import converse_body
from rocamadre.engines.remote.openai_wire import OpenAIRemote
from rocamadre.testing.engine_suite import conversation

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = ToolSpec("weather", "The weather.", SCHEMA, strict=True)
TURNS = (
    Message("user", (Text("Sucre?"), CachePoint(3600))),
    Message(
        "assistant",
        (
            Reasoning("hm", "signed"),
            Reasoning("unsigned"),
            Text("I look."),
            ToolUse("c1", "weather", {"city": "Sucre"}),
        ),
    ),
    Message(
        "user",
        (
            ToolResult("c1", "14", media=(Media("image", "png", b"\x89"),)),
            ToolResult("c2", "no such place", is_error=True),
            Text("Well?"),
        ),
    ),
)


def asked(**options):
    return GenerationRequest(**{"messages": TURNS, "system": "be", "tools": (TOOL,)} | options)


def test_the_openai_wire_is_sent_everything():
    body = chat_body(asked(tool_choice=ToolChoice("tool", "weather", parallel=False)), "big")
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "The weather.", "parameters": SCHEMA, "strict": True},
        }
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert body["parallel_tool_calls"] is False
    system, user, called, first, second, last = body["messages"]
    assert system == {"role": "system", "content": "be"}
    assert user == {"role": "user", "content": "Sucre?"}
    assert called["content"] == "I look."
    assert called["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Sucre"}'}}
    ]
    assert first == {"role": "tool", "tool_call_id": "c1", "content": "14"}
    assert second == {"role": "tool", "tool_call_id": "c2", "content": "Error: no such place"}
    assert [part["type"] for part in last["content"]] == ["image_url", "text"]


@pytest.mark.parametrize(("mode", "sent"), [("auto", "auto"), ("any", "required"), ("none", "none")])
def test_tool_choices_of_the_openai_wire(mode, sent):
    body = chat_body(asked(tool_choice=ToolChoice(mode)), "big")
    assert body["tool_choice"] == sent
    assert "parallel_tool_calls" not in body
    assert "tools" not in chat_body(asked(tools=()), "big")


def test_schemas():
    form = chat_body(asked(schema=SCHEMA), "big")["response_format"]
    assert form == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
    assert chat_body(asked(schema={}), "big")["response_format"] == {"type": "json_object"}
    sent = converse_body(asked(schema=SCHEMA), "m")["outputConfig"]["textFormat"]
    assert json.loads(sent["structure"]["jsonSchema"]["schema"]) == SCHEMA


def test_results_alone_are_no_user_message():
    turns = (*TURNS[:2], Message("user", (ToolResult("c1", "14"),)))
    assert [each["role"] for each in chat_body(asked(messages=turns), "m")["messages"]][-1] == "tool"


def test_sounds():
    def of(form):
        return chat_body(conversation("q").__class__(messages=(Message("user", (Media("audio", form, b"ab"),)),)), "m")

    assert of("wav")["messages"][0]["content"][0]["input_audio"] == {"data": "YWI=", "format": "wav"}
    with pytest.raises(InvalidRequest, match="audio as flac"):
        of("flac")


def test_converse_is_sent_everything():
    body = converse_body(asked(cache_system=True, cache_tools=True, tool_choice=ToolChoice("any")), "amazon.nova")
    point = {"cachePoint": {"type": "default"}}
    assert body["system"] == [{"text": "be"}, point]
    assert body["toolConfig"]["tools"] == [
        {
            "toolSpec": {
                "name": "weather",
                "description": "The weather.",
                "inputSchema": {"json": SCHEMA},
                "strict": True,
            }
        },
        point,
    ]
    assert body["toolConfig"]["toolChoice"] == {"any": {}}
    user, called, results = (each["content"] for each in body["messages"])
    assert user == [{"text": "Sucre?"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert called == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "signed"}}},
        {"text": "I look."},
        {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "Sucre"}}},
    ]
    assert results == [
        {
            "toolResult": {
                "toolUseId": "c1",
                "content": [{"text": "14"}, {"image": {"format": "png", "source": {"bytes": b"\x89"}}}],
                "status": "success",
            }
        },
        {"toolResult": {"toolUseId": "c2", "content": [{"text": "no such place"}], "status": "error"}},
        {"text": "Well?"},
    ]


def test_what_converse_has_no_member_for():
    named = ToolChoice("tool", "weather", parallel=False)
    claude = converse_body(asked(tool_choice=named), "us.anthropic.claude-3")
    assert claude["additionalModelRequestFields"]["tool_choice"] == {
        "type": "tool",
        "name": "weather",
        "disable_parallel_tool_use": True,
    }
    assert "toolChoice" not in claude["toolConfig"]
    fresh = (Message("user", (Text("q"), Document("a_b", "text"))),)
    assert "toolConfig" not in converse_body(asked(messages=fresh, tool_choice=ToolChoice("none")), "m")
    for request in (
        asked(tool_choice=ToolChoice("auto", parallel=False)),
        asked(tool_choice=ToolChoice("none")),
        asked(sampling=Sampling(beams=2)),
        asked(sampling=Sampling(logit_bias={1: 2.0})),
        GenerationRequest(prompt="a"),
    ):
        with pytest.raises(InvalidRequest):
            converse_body(request, "amazon.nova")


def chunk(finish=None, **delta):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(index=None, id_=None, name=None, arguments=None):
    return {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}


def answer_of(chunks, tmp_path):
    async def go():
        async def handle(request):
            reply = aiohttp.web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await reply.prepare(request)
            for each in chunks:
                await reply.write(f"data: {json.dumps(each)}\n\n".encode())
            return reply

        app = aiohttp.web.Application()
        app.router.add_post("/v1/chat/completions", handle)
        runner = aiohttp.web.AppRunner(app)
        await runner.setup()
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        options = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "big"}
        engine = OpenAIRemote(LoadSpec("far.big-v1:0", "remote", None, 64, options), EngineSettings(), tmp_path)
        await engine.start()
        try:
            return await collect(engine.converse(asked()))
        finally:
            await engine.stop()
            await runner.cleanup()

    return asyncio.run(go())


STREAMS = {
    "openai": [
        chunk(role="assistant", content=None, tool_calls=[call(0, "a", "weather", "")]),
        chunk(tool_calls=[call(0, arguments='{"city"')]),
        chunk(tool_calls=[call(0, arguments=':"Sucre"}')]),
        chunk(tool_calls=[call(1, "b", "weather", "")]),
        chunk(tool_calls=[call(1, arguments='{"city":"Faro"}')]),
        chunk("tool_calls"),
    ],
    "whole calls in one chunk, `stop`": [
        chunk(
            tool_calls=[call(None, "a", "weather", '{"city":"Sucre"}'), call(None, "b", "weather", '{"city":"Faro"}')]
        ),
        chunk("stop", content=""),
    ],
    "each call at place 0": [
        chunk(tool_calls=[call(0, "a", "weather", '{"city":"Sucre"}')]),
        chunk(tool_calls=[call(0, "b", "weather", '{"city":"Faro"}')]),
        chunk("stop"),
    ],
    "the name each time": [
        chunk(tool_calls=[call(0, "a", "weather", '{"city":')]),
        chunk(tool_calls=[call(0, "a", "weather", '"Sucre"}')]),
        chunk(tool_calls=[call(1, "b", "weather", '{"city":"Faro"}')]),
        chunk("tool_calls"),
    ],
}


@pytest.mark.parametrize("stream", STREAMS)
def test_tool_calls_of_openai_servers(stream, tmp_path):
    answer = answer_of(STREAMS[stream], tmp_path)
    assert answer.blocks == (ToolUse("a", "weather", {"city": "Sucre"}), ToolUse("b", "weather", {"city": "Faro"}))
    assert answer.finish.reason == "tool_use"


@pytest.mark.parametrize("member", ["reasoning_content", "reasoning"])
def test_reasoning_of_openai_servers(member, tmp_path):
    answer = answer_of([chunk(**{member: "Hm"}), chunk(**{member: "m."}), chunk("stop", content="Yes")], tmp_path)
    assert answer.blocks == (Reasoning("Hmm."), Text("Yes"))


def test_calls_without_id_get_one_and_refusals_are_told(tmp_path):
    made = answer_of([chunk("tool_calls", tool_calls=[call(0, None, "weather", "")])], tmp_path).blocks[0]
    assert (made.name, made.input) == ("weather", {})
    assert made.id
    refused = answer_of([chunk(refusal="I will"), chunk("stop", refusal=" not.")], tmp_path)
    assert (refused.text, refused.finish.reason) == ("I will not.", "content_filtered")


def test_a_call_that_the_limit_cut_is_none(tmp_path):
    cut = answer_of([chunk(content="I look."), chunk("length", tool_calls=[call(0, "a", "weather", '{"ci')])], tmp_path)
    assert cut.blocks == (Text("I look."),)
    assert cut.finish.reason == "max_tokens"


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk("tool_calls", tool_calls=[call(0, "a", "weather", '{"ci')])],
        [chunk(tool_calls=[call(0, arguments="{}")])],
        [
            chunk(tool_calls=[call(0, "a", "weather", "{")]),
            chunk(tool_calls=[call(1, "b", "weather", "{}")]),
            chunk(tool_calls=[call(0, arguments="}")]),
        ],
        [chunk(tool_calls=[call(0, "a", "weather", "1" * 5_000_000)])],
    ],
)
def test_calls_that_are_none_are_failures(chunks, tmp_path):
    with pytest.raises(ModelFailure):
        answer_of(chunks, tmp_path)


class Stream(list):
    def close(self):
        pass


class Client:
    """As boto3's, with one recorded stream."""

    def __init__(self, events):
        self.events = events

    def converse_stream(self, **body):
        return {"stream": Stream(self.events)}

    def close(self):
        pass


def answer_of_bedrock(events, tmp_path, monkeypatch):
    async def go():
        monkeypatch.setattr(bedrock.BedrockRemote, "_make_client", lambda self: Client(events))
        spec = LoadSpec("far.big-v1:0", "remote", None, 64, {"model": "us.anthropic.claude"})
        engine = bedrock.BedrockRemote(spec, EngineSettings(), tmp_path)
        await engine.start()
        try:
            return await collect(engine.converse(asked()))
        finally:
            await engine.stop()

    return asyncio.run(go())


def block(index, *deltas, start=None):
    begun = [{"contentBlockStart": {"start": {"toolUse": start}, "contentBlockIndex": index}}] if start else []
    made = [{"contentBlockDelta": {"delta": delta, "contentBlockIndex": index}} for delta in deltas]
    return [{"messageStart": {"role": "assistant"}}, *begun, *made, {"contentBlockStop": {"contentBlockIndex": index}}]


def ended(reason):
    usage = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12, "cacheReadInputTokens": 3}
    return [{"messageStop": {"stopReason": reason}}, {"metadata": {"usage": usage}}]


def thought(**content):
    return {"reasoningContent": content}


def called(text):
    return {"toolUse": {"input": text}}


START = {"toolUseId": "t1", "name": "weather"}


def test_bedrock_s_tool_calls(tmp_path, monkeypatch):
    events = [
        *block(0, {"text": "I look."}),
        *block(1, called('{"city"'), called(':"Sucre"}'), start=START),
        *block(2, called(""), start={"toolUseId": "t2", "name": "weather"}),
        *ended("tool_use"),
    ]
    answer = answer_of_bedrock(events, tmp_path, monkeypatch)
    assert answer.blocks == (
        Text("I look."),
        ToolUse("t1", "weather", {"city": "Sucre"}),
        ToolUse("t2", "weather", {}),
    )
    assert answer.finish.usage.cache_read_tokens == 3
    assert isinstance(answer.finish, Finish)


def test_bedrock_s_reasoning_and_cut_calls(tmp_path, monkeypatch):
    events = [
        *block(0, thought(text="Hm"), thought(text="m."), thought(signature="signed")),
        *block(1, thought(redactedContent=b"\x00\x01")),
        *block(2, called('{"ci'), start=START),
        *ended("max_tokens"),
    ]
    answer = answer_of_bedrock(events, tmp_path, monkeypatch)
    assert answer.blocks == (Reasoning("Hmm.", "signed"), Reasoning("", redacted=b"\x00\x01"))
    with pytest.raises(ModelFailure):
        answer_of_bedrock([*block(0, called('{"ci'), start=START), *ended("tool_use")], tmp_path, monkeypatch)
