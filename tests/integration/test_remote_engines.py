"""A model on another Rocamadre, over both of its wires."""

import asyncio
import json

import pytest

from rocamadre.catalog.changes import RemoteSpec, remote_options
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    CachePoint,
    Document,
    GenerationRequest,
    Message,
    Sampling,
    Text,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
)
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.collect import collect
from rocamadre.engines.pool import EnginePool
from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.engine_suite import conversation, finish_of, text_of

FAKE, FAKE_EMBED = "rocamadre.fake-v1:0", "rocamadre.fake-embed-v1:0"


@pytest.fixture
def options(request, server_url, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "FAR_KEY"):
        monkeypatch.setenv(name, "testing")
    if request.param == "openai":
        spec = RemoteSpec("far", FAKE, base_url=f"{server_url}/v1", key_env="FAR_KEY")
    else:
        spec = RemoteSpec("far", FAKE, endpoint_url=server_url, region="us-east-1")
    return remote_options(spec)


both = pytest.mark.parametrize("options", ["openai", "bedrock"], indirect=True)


def with_engine(body, options, tmp_path, model=FAKE):
    async def go():
        pool = EnginePool(EngineSettings(), tmp_path)
        try:
            engine = await pool.engine(LoadSpec("far.fake-v1:0", "remote", None, 64, {**options, "model": model}))
            return await asyncio.wait_for(body(engine), 30)
        finally:
            await pool.close()

    return asyncio.run(go())


async def drain(engine, request):
    return [event async for event in engine.converse(request)]


@both
def test_streams(options, tmp_path):
    events = with_engine(lambda engine: drain(engine, conversation("hello there")), options, tmp_path)
    assert text_of(events) == "[fake] You said: hello there"
    assert finish_of(events).reason == "end_turn"
    assert finish_of(events).usage.output_tokens == 5
    assert len(events) > 3


@both
def test_limits_and_stops(options, tmp_path):
    async def body(engine):
        limited = finish_of(await drain(engine, conversation("a b c", max_tokens=3)))
        assert (limited.reason, limited.usage.output_tokens) == ("max_tokens", 3)
        assert text_of(await drain(engine, conversation("a STOP c", stop=("STOP",)))) == "[fake] You said: a "

    with_engine(body, options, tmp_path)


@both
def test_system_documents_and_turns_arrive(options, tmp_path):
    turns = (Message("user", (Text("one"),)), Message("assistant", (Text("two"),)))
    last = Message("user", (Document("notes", "the cat sat"), Text("who?")))
    request = GenerationRequest(messages=(*turns, last), system="be brief", sampling=Sampling(max_tokens=40))
    events = with_engine(lambda engine: drain(engine, request), options, tmp_path)
    assert "the cat sat" in text_of(events)


@both
def test_refusals_are_the_declared_error(options, tmp_path):
    async def body(engine):
        with pytest.raises(InvalidRequest):
            await drain(engine, conversation("q"))

    with_engine(body, options, tmp_path, model="nobody.has-this-v1:0")


@both
def test_many_at_once_and_leaving_early(options, tmp_path):
    async def leave(engine):
        stream = engine.converse(conversation("word " * 40))
        await anext(stream)
        await stream.aclose()

    async def body(engine):
        work = [drain(engine, conversation(f"number {index}")) for index in range(12)]
        answers = await asyncio.gather(*work, *(leave(engine) for _ in range(12)))
        assert [text_of(events) for events in answers[:12]] == [f"[fake] You said: number {i}" for i in range(12)]

    with_engine(body, options, tmp_path)


@pytest.mark.parametrize("options", ["openai"], indirect=True)
def test_embeddings_over_the_openai_wire(options, tmp_path):
    made = with_engine(lambda engine: engine.embed(["red cat", "blue sky"]), options, tmp_path, FAKE_EMBED)
    assert len(made.vectors) == 2
    assert sum(made.token_counts) == 4


@pytest.mark.parametrize("options", ["bedrock"], indirect=True)
def test_embeddings_over_bedrock_s(options, tmp_path):
    made = with_engine(lambda engine: engine.embed(["red cat", "sky"]), options, tmp_path, FAKE_EMBED)
    assert made.token_counts == (2, 1)
    assert sum(value * value for value in made.vectors[0]) == pytest.approx(1)


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
TOOL = ToolSpec("weather", "The weather at a place.", SCHEMA)


@both
def test_tools_are_called_there_and_their_results_arrive(options, tmp_path):
    question = Message("user", (Text("Weather in Sucre?"),))

    async def body(engine):
        asked = GenerationRequest(
            messages=(question,), tools=(TOOL,), tool_choice=ToolChoice("any"), sampling=Sampling(max_tokens=60)
        )
        answer = await collect(engine.converse(asked))
        assert answer.finish.reason == "tool_use"
        call = next(block for block in answer.blocks if isinstance(block, ToolUse))
        assert call.name == "weather"
        assert set(call.input) == {"city", "unit"}
        turns = (question, Message("assistant", (call,)), Message("user", (ToolResult(call.id, "14 degrees"),)))
        last = await collect(engine.converse(GenerationRequest(messages=turns, tools=(TOOL,))))
        assert last.finish.reason == "end_turn"
        assert "14 degrees" in last.text

    with_engine(body, options, tmp_path)


@both
def test_schemas_are_followed_there(options, tmp_path):
    asked = GenerationRequest(messages=conversation("Where?").messages, schema=SCHEMA)
    answer = with_engine(lambda engine: collect(engine.converse(asked)), options, tmp_path)
    assert set(json.loads(answer.text)) == {"city", "unit"}


@both
def test_cache_points_are_taken(options, tmp_path):
    said = Message("user", (Text("Hello"), CachePoint(), Text("again")))
    asked = GenerationRequest(messages=(said,), system="be brief", cache_system=True)
    answer = with_engine(lambda engine: collect(engine.converse(asked)), options, tmp_path)
    assert "Hello" in answer.text
