import pytest

from rocamadre.api.bedrock_runtime.converse_stream import converse_stream
from rocamadre.core.errors import InvalidRequest, ModelFailure, Throttled
from rocamadre.core.messages import (
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)

ASK = {"modelId": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


def text(value, index=0):
    return {"contentBlockDelta": {"delta": {"text": value}, "contentBlockIndex": index}}


async def test_events(context, engine):
    response = await converse_stream(context, ASK)
    *events, metadata = [event async for event in response["stream"]]
    await response["stream"].aclose()
    assert events == [
        {"messageStart": {"role": "assistant"}},
        text("Hello"),
        text(" world"),
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
    ]
    assert metadata["metadata"]["usage"]["totalTokens"] == 9
    assert metadata["metadata"]["metrics"]["latencyMs"] >= 0
    assert context.notes["output_tokens"] == 2
    assert context.reply_headers == {"x-rocamadre-model": "rocamadre.fake-v1:0"}
    assert engine.closed == 1


async def test_blocks_are_opened_and_closed(context, engine):
    engine.events = (
        ReasoningDelta("Hm"),
        TextDelta("a"),
        TextDelta("b"),
        ToolUseStart("t1", "weather"),
        ToolUseDelta("{}"),
        ToolUseEnd(),
        ToolUseStart("t2", "time"),
        ToolUseEnd(),
        Finish("tool_use", Usage(1, 2)),
    )
    events = [event async for event in (await converse_stream(context, ASK))["stream"]]
    assert events[1:-1] == [
        {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "Hm"}}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        text("a", 1),
        text("b", 1),
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t1", "name": "weather"}}, "contentBlockIndex": 2}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": 2}},
        {"contentBlockStop": {"contentBlockIndex": 2}},
        {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t2", "name": "time"}}, "contentBlockIndex": 3}},
        {"contentBlockStop": {"contentBlockIndex": 3}},
        {"messageStop": {"stopReason": "tool_use"}},
    ]


async def test_stop_sequence_asked_for(context, engine):
    engine.events = (TextDelta("a"), Finish("stop_sequence", Usage(1, 1), "END"))
    request = ASK | {"additionalModelResponseFieldPaths": ["/stop_sequence"]}
    events = [event async for event in (await converse_stream(context, request))["stream"]]
    stop = {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}
    assert {"messageStop": stop} in events


async def test_what_the_engine_remembered_is_input(context, engine):
    engine.events = (TextDelta("a"), Finish("end_turn", Usage(2, 1, 5)))
    events = [event async for event in (await converse_stream(context, ASK))["stream"]]
    usage = events[-1]["metadata"]["usage"]
    assert (usage["inputTokens"], usage["cacheReadInputTokens"], usage["totalTokens"]) == (7, 0, 8)


@pytest.mark.parametrize("error", [InvalidRequest("too long"), Throttled("queue full"), ModelFailure("died")])
async def test_early_errors_come_before_the_stream(context, engine, error):
    engine.events = (error,)
    with pytest.raises(type(error)):
        await converse_stream(context, ASK)
    assert engine.running == 0


async def test_late_errors_come_in_the_stream(context, engine):
    engine.events = (TextDelta("a"), ModelFailure("died"))
    stream = (await converse_stream(context, ASK))["stream"]
    assert [await anext(stream), await anext(stream)][-1] == text("a")
    with pytest.raises(ModelFailure, match="died"):
        await anext(stream)


async def test_broken_off_streams_are_errors(context, engine):
    engine.events = (TextDelta("a"),)
    with pytest.raises(ModelFailure, match="broke off"):
        _ = [event async for event in (await converse_stream(context, ASK))["stream"]]


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
async def test_a_client_that_leaves_frees_the_slot(context, engine, taken):
    stream = (await converse_stream(context, ASK))["stream"]
    for _ in range(taken):
        await anext(stream)
    assert engine.running == 1
    await stream.aclose()
    assert engine.running == 0


async def test_a_client_that_leaves_still_pays(make_context):
    context = make_context(limits={"tokens_per_minute": 100})
    stream = (await converse_stream(context, ASK | {"inferenceConfig": {"maxTokens": 90}}))["stream"]
    await anext(stream)
    await stream.aclose()
    stream = (await converse_stream(context, ASK))["stream"]
    await stream.aclose()
    with pytest.raises(Throttled):
        await converse_stream(context, ASK)
