import pytest

from rocamadre.core.errors import ModelFailure
from rocamadre.core.messages import (
    Finish,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    TokenLogprob,
    ToolUse,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)
from rocamadre.engines.collect import close, collect

END = Finish("end_turn", Usage(1, 2))


async def stream(*events):
    for event in events:
        yield event


async def test_text_is_put_together():
    answer = await collect(stream(TextDelta("b"), TextDelta("c"), END), first=TextDelta("a"))
    assert answer.blocks == (Text("abc"),)
    assert (answer.text, answer.reasoning, answer.finish) == ("abc", "", END)


async def test_blocks_keep_their_order():
    tool = (ToolUseStart("1", "x"), ToolUseDelta('{"a":'), ToolUseDelta(" 1}"), ToolUseEnd())
    events = (ReasoningDelta("r"), TextDelta("a"), ReasoningDelta("s"), TextDelta("b"), *tool, TextDelta("c"), END)
    answer = await collect(stream(*events))
    assert answer.blocks == (
        Reasoning("r"),
        Text("a"),
        Reasoning("s"),
        Text("b"),
        ToolUse("1", "x", {"a": 1}),
        Text("c"),
    )
    assert (answer.text, answer.reasoning) == ("abc", "rs")


async def test_logprobs():
    one, two = TokenLogprob(1, "a", b"a", -0.1), TokenLogprob(2, "b", b"b", -0.2)
    answer = await collect(stream(TextDelta("a", (one,)), TextDelta("b", (two,)), END))
    assert answer.logprobs == (one, two)


async def test_a_tool_without_input():
    answer = await collect(stream(ToolUseStart("1", "x"), ToolUseEnd(), END))
    assert answer.blocks == (ToolUse("1", "x", {}),)


async def test_broken_tool_input():
    with pytest.raises(ModelFailure, match="not valid JSON"):
        await collect(stream(ToolUseStart("1", "x"), ToolUseDelta("{"), ToolUseEnd(), END))


async def test_without_finish():
    with pytest.raises(ModelFailure, match="broke off"):
        await collect(stream(TextDelta("a")))


async def test_close():
    events = stream(END)
    await close(events)
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_close_what_cannot_be_closed():
    class Plain:
        def __aiter__(self):
            return self

        async def __anext__(self):
            raise StopAsyncIteration

    await close(Plain())
