from __future__ import annotations

import ast
import json
import shlex

import pytest

from rocamadre.console.playground.code import LANGUAGES, Asked, write_code
from rocamadre.console.playground.conversation import Answer, Document, Exchange, Frame, ToolCall, read_tools
from rocamadre.console.playground.parameters import Parameters
from rocamadre.testing.hostile_texts import PAYLOADS

TOOLS = read_tools('{"name": "weather", "description": "d", "inputSchema": {"json": {"type": "object"}}}')
NASTY = [
    "'",
    '"""',
    "\\",
    "\n",
    "\u2028",
    "\x7f",
    "$(touch x)",
    "`id`",
    "'; rm -rf / #",
    "{x}",
    "%s",
    "é🎉",
    "@file",
    "None",
]


def asked(exchanges=(), prompt="", *, locked=False, frame=None):
    return Asked(
        "rocamadre.fake-v1:0", "http://127.0.0.1:4599", "us-east-1", locked, frame or Frame(), tuple(exchanges), prompt
    )


def constants(program):
    return {node.value for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Constant)}


@pytest.mark.parametrize("text", [*NASTY, *PAYLOADS[::5]])
@pytest.mark.parametrize("prompt", [False, True])
def test_whatever_was_said_stands_in_the_programs_as_it_was(text, prompt):
    made = asked(prompt=text) if prompt else asked([Exchange(text)], frame=Frame(system=text))
    for language in ("boto3", "openai"):
        assert text in constants(write_code(made, language))
    words = shlex.split(write_code(made, "curl"))
    body = json.loads(words[words.index("-d") + 1])
    assert text == (body["prompt"] if prompt else body["messages"][0]["content"][0]["text"])


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_stand_in_no_program_of_a_server_that_wants_them(language, locked):
    program = write_code(asked([Exchange("hello")], locked=locked), language)
    assert ('"local"' in program or "Bearer local" in program) is not locked
    if locked:
        assert "AWS_ACCESS_KEY_ID" in program or "OPENAI_API_KEY" in program


def test_documents_are_read_where_the_program_runs():
    document = Document("it's a; report.txt", "it s a report", "txt", b"SECRET")
    made = asked([Exchange("Sum up.", (document,))])
    for language in LANGUAGES:
        program = write_code(made, language)
        assert "SECRET" not in program
        assert "report.txt" in program
        if language != "curl":
            assert "it's a; report.txt" in constants(program)
    assert shlex.quote("it's a; report.txt") in write_code(made, "curl")


def test_calls_and_results_are_written_for_both_wires():
    call = ToolCall("t1", "weather", '{"city": "Sucre"}', result='{"rain": false}')
    exchanges = [Exchange("Rain?", answer=Answer(calls=[call])), Exchange("", results=(call,))]
    made = asked(exchanges, frame=Frame(tools=TOOLS, schema='{"type": "object"}', parameters=Parameters(top_k=3)))
    boto3, openai = write_code(made, "boto3"), write_code(made, "openai")
    assert "toolUse" in boto3
    assert "toolResult" in boto3
    assert "outputConfig" in boto3
    assert {"tool_calls", "tool_call_id", "json_schema", "function", "top_k"} <= constants(openai)
    ast.parse(boto3)
