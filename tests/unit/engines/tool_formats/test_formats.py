"""Native forms of tool calls: what a grammar lets through and what the parser makes of it."""

import json

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import ReasoningDelta, TextDelta, ToolChoice, ToolSpec, ToolUseDelta, ToolUseStart
from rocamadre.engines.schema.grammar import follows
from rocamadre.engines.tool_formats.grammar import tool_grammar
from rocamadre.engines.tool_formats.parser import TurnParser
from rocamadre.engines.tool_formats.registry import FORMATS, GENERIC, find_format

ALL = (*FORMATS, GENERIC)
WEATHER = ToolSpec(
    "get_weather",
    "",
    {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
)
NOOP = ToolSpec("noop", "", {"type": "object", "properties": {}})
INPUT = {"city": 'Par"is} ]', "days": 3}


def call(format_, name, value):
    return format_.before + name + format_.between + json.dumps(value) + format_.after


def turn(format_, *calls):
    return format_.opening + (format_.separator or "").join(calls) + format_.closing


def grammar(format_, choice=None, tools=(WEATHER, NOOP), control=None, prefix=""):
    return tool_grammar(format_, tools, choice or ToolChoice(), max_tokens=300, control=control or {}, prefix=prefix)


def parsed(format_, text, *, by=1, **options):
    parser = TurnParser(format_, **options)
    events = [event for at in range(0, len(text), by) for event in parser.feed(text[at : at + by])]
    events += parser.end()
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    thought = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    calls = []
    for event in events:
        if isinstance(event, ToolUseStart):
            calls.append([event.name, ""])
        elif isinstance(event, ToolUseDelta):
            calls[-1][1] += event.json
    return said, thought, [(name, json.loads(text)) for name, text in calls], parser


@pytest.mark.parametrize("format_", ALL, ids=lambda each: each.name)
def test_calls_go_through_and_come_back(format_):
    text = turn(format_, call(format_, "get_weather", INPUT))
    for choice in (ToolChoice(), ToolChoice("any"), ToolChoice("tool", "get_weather")):
        assert follows(grammar(format_, choice).lark, text)
    for by in (1, 5, 1000):
        assert parsed(format_, text, by=by)[2] == [("get_weather", INPUT)]


@pytest.mark.parametrize("format_", ALL, ids=lambda each: each.name)
def test_several_calls_where_the_format_has_them_and_the_client_allows(format_):
    if format_.separator is None:
        return
    text = turn(format_, call(format_, "noop", {}), call(format_, "get_weather", INPUT))
    assert follows(grammar(format_).lark, text)
    assert parsed(format_, text)[2] == [("noop", {}), ("get_weather", INPUT)]
    assert not follows(grammar(format_, ToolChoice("auto", parallel=False)).lark, text)


@pytest.mark.parametrize("format_", ALL, ids=lambda each: each.name)
def test_text_is_free_until_a_call_begins(format_):
    held = grammar(format_).lark
    assert follows(held, "Nothing to call: 1 < 2 [ok] {x}")
    assert follows(held, "")
    assert not follows(grammar(format_, ToolChoice("any")).lark, "Nothing to call")
    ahead = "" if format_.only_first else "Let me look.\n"
    assert follows(held, ahead + turn(format_, call(format_, "noop", {})))
    for wrong in (call(format_, "unknown", {}), call(format_, "get_weather", {"days": 1}), format_.before):
        assert not follows(held, turn(format_, wrong))


def test_text_before_a_call_is_text():
    said, _, calls, _ = parsed(GENERIC, "I look. " + turn(GENERIC, call(GENERIC, "noop", {})))
    assert (said, calls) == ("I look. ", [("noop", {})])


def test_what_only_resembles_a_call_stays_text():
    assert parsed(GENERIC, "a <tool_call> b")[0] == "a <tool_call> b"
    assert parsed(None, "<tool_call>")[0] == "<tool_call>"


def test_a_call_that_is_cut_off_stays_open():
    text = turn(GENERIC, call(GENERIC, "get_weather", INPUT))
    parser = TurnParser(GENERIC)
    list(parser.feed(text[: len(text) // 2]))
    assert parser.open
    assert parser.calls == []


@pytest.mark.parametrize("size", [3, 11, 18])
def test_the_beginning_of_a_call_that_was_cut_is_no_text(size):
    parser = TurnParser(GENERIC)
    assert list(parser.feed(GENERIC.trigger[:size])) == []
    assert list(parser.end(cut=True)) == []
    parser = TurnParser(GENERIC)
    list(parser.feed(GENERIC.trigger[:size]))
    assert list(parser.end()) == [TextDelta(GENERIC.trigger[:size])]


def test_thoughts_stand_first():
    marks = ("<think>", "</think>")
    assert parsed(None, "<think>\nhm\n</think>\n\nYes.", thoughts=marks)[:2] == ("Yes.", "hm")
    assert parsed(None, "hm</think>Yes.", thoughts=marks, thinking=True)[:2] == ("Yes.", "hm")
    assert parsed(None, "Yes <think>", thoughts=marks)[:2] == ("Yes <think>", "")
    text = "hm</think>" + turn(GENERIC, call(GENERIC, "noop", {}))
    assert follows(grammar(GENERIC, ToolChoice("any"), prefix="</think>").lark, text)


def test_control_tokens_are_written_by_number():
    mistral = find_format("{{ tools }} [TOOL_CALLS]")
    made = grammar(mistral, control={"[TOOL_CALLS]": 9, "[INST]": 3})
    assert "<[9]>" in made.lark
    assert made.control == ("[TOOL_CALLS]",)


def test_a_loose_tool_is_said_to_be_loose_and_a_strict_one_refused():
    schema = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    assert grammar(GENERIC, tools=(ToolSpec("t", "", schema),)).loose["t"]
    with pytest.raises(InvalidRequest, match=r"tool t.*uniqueItems"):
        grammar(GENERIC, tools=(ToolSpec("t", "", schema, strict=True),))
    looking = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)"}}}
    assert grammar(GENERIC, tools=(ToolSpec("t", "", looking),)).loose["t"]


def test_a_choice_of_no_tool_is_refused():
    with pytest.raises(InvalidRequest, match="get_weather, noop"):
        grammar(GENERIC, ToolChoice("tool", "other"))


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{ tools }} <tool_call>\\n{'name'", "Hermes, Qwen"),
        ("{{ tools }} <tool_call>{", "Rocamadre"),
        ("{{ tools }} [TOOL_CALLS] [ARGS]", "Mistral, from tokenizer version 11"),
        ("{{ tools }} <|start_header_id|> parameters", "Llama 3"),
        ("<tool_call>\\n{ but the word is missing", "any other"),
        ("", "any other"),
    ],
)
def test_formats_are_told_by_the_template(template, name):
    assert find_format(template).name == name
