"""The programs that the playground writes run as they are copied."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from rocamadre.console.playground.code import Asked, write_code
from rocamadre.console.playground.conversation import Answer, Document, Exchange, Frame, ToolCall, read_tools
from rocamadre.console.playground.parameters import Parameters

FAKE = "rocamadre.fake-v1:0"
LANGUAGES = ("boto3", "openai", "curl")
TOOLS = read_tools(
    '{"name": "weather", "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}}}'
)
SCHEMA = '{"type": "object", "properties": {"fruit": {"type": "string"}}, "required": ["fruit"]}'


@pytest.fixture
def execute(tmp_path, needs):
    """`execute(asked, language)`: what the copied program prints, in a folder of its own and an empty environment."""

    def run(asked: Asked, language: str, **environment: str) -> str:
        program = write_code(asked, language)
        if language == "curl":
            needs(shutil.which("curl"), "curl is not installed")
            command = ["bash", "-e", "-o", "pipefail", "-c", program]
        else:
            (tmp_path / "copied.py").write_text(program, "utf-8")
            command = [sys.executable, "copied.py"]
        environment |= {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def asked(running, *exchanges, prompt="", locked=False, frame=None, model=FAKE):
    return Asked(model, running.address, "us-east-1", locked, frame or Frame(), exchanges, prompt)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_conversation(server, execute, language):
    frame = Frame("Be brief.", Parameters(0.2, 5, 0.8, 0.05, 100, 7, ("NEVER",)))
    before = Exchange("Who are you?", answer=Answer('Nobody\'s "model".'))
    said = execute(asked(server, before, Exchange("It's $HOME\nand `that`: é"), frame=frame), language)
    assert "(seed 7) You said: It's $HOME" in said
    assert "`that`: é" in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_prompt(server, execute, language):
    assert "You said: El gato" in execute(asked(server, prompt="El gato"), language)
    mini = asked(
        server, prompt="El gato", model="rocamadre.roca-mini-v1:0", frame=Frame(parameters=Parameters(max_tokens=5))
    )
    assert execute(mini, language).strip()


@pytest.mark.parametrize("language", LANGUAGES)
def test_documents(server, execute, tmp_path, language):
    name = "what's in.txt"
    (tmp_path / name).write_text("The rock is on a hill.")
    document = Document(name, "what s in", "txt", b"")
    assert "The rock is on a hill." in execute(asked(server, Exchange("Read:", (document,))), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_tools_and_their_results(server, execute, language):
    call = ToolCall("t1", "weather", '{"city": "Sucre"}', result='{"rain": false}')
    exchanges = [Exchange("Rain?", answer=Answer("I look.", calls=[call])), Exchange("", results=(call,))]
    assert "false" in execute(asked(server, *exchanges, frame=Frame(tools=TOOLS)), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_schema(server, execute, language):
    assert "fruit" in execute(asked(server, Exchange("A fruit"), frame=Frame(schema=SCHEMA)), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_server_that_wants_keys(locked_server, execute, language):
    keys = {"OPENAI_API_KEY": locked_server.bearer}
    if language == "boto3":
        keys = {"AWS_ACCESS_KEY_ID": locked_server.access_key, "AWS_SECRET_ACCESS_KEY": locked_server.secret_key}
    said = execute(asked(locked_server, Exchange("hello"), locked=True), language, **keys)
    assert "You said: hello" in said
