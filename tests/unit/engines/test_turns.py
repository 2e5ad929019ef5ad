"""What a finished turn is said to be."""

import pytest

from rocamadre.core.messages import Finish, GenerationRequest, Message, Text, TextDelta, ToolChoice, ToolSpec, Usage
from rocamadre.engines.tool_formats.registry import GENERIC
from rocamadre.engines.turns import parse_turn, plan_turn

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


async def reason(text, finish="end_turn", **asked):
    request = GenerationRequest((Message("user", (Text("x"),)),), **asked)
    turn = plan_turn(request, "x", format_=GENERIC, thinks=False, control={}, room=100)

    async def events():
        yield TextDelta(text)
        yield Finish(finish, Usage(1, 1))

    return [event async for event in parse_turn(turn, events())][-1].reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "x"}', "end_turn"),
        ('{"a": "' + "x" * 3000 + '"}', "end_turn"),  # Over our bound, and still what the client asked for.
        ('{"b": "x"}', "malformed_model_output"),
        ('{"a": 1}', "malformed_model_output"),
        ("{", "malformed_model_output"),
        ("", "malformed_model_output"),
    ],
)
async def test_an_answer_that_breaks_its_schema_is_never_called_good(text, expected):
    assert await reason(text, schema=SCHEMA) == expected


@pytest.mark.parametrize(("value", "expected"), [('{"a": "x"}', "tool_use"), ('{"a": 1}', "malformed_tool_use")])
async def test_nor_is_a_call(value, expected):
    text = GENERIC.before + "t" + GENERIC.between + value + GENERIC.after
    tools = (ToolSpec("t", "", SCHEMA),)
    assert await reason(text, tools=tools, tool_choice=ToolChoice("any")) == expected
    assert await reason(text[:-20], tools=tools, tool_choice=ToolChoice("any"), finish="max_tokens") == "max_tokens"
