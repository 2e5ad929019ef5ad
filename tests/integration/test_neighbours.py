"""STS, IAM, Lambda and Logs as programs meet them: through `roca env`, on a real server."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest
from tests.integration.conftest import Running, connect, launch
from tests.integration.test_cli_server import Roca

from rocamadre.cli.process import stop_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "neighbours.md"
PROGRAMS = [text for text in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S) if "lambda" in text]
ROLE = "arn:aws:iam::123456789012:role/r"


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """The command with a server that runs."""
    command = Roca(tmp_path_factory.mktemp("up") / "home")
    started = command("up")
    assert started.returncode == 0, started.stderr
    yield command
    command("down")


def zipped(text):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("app.py", text)
    return written.getvalue()


@pytest.mark.parametrize("program", PROGRAMS, ids=["page"])
def test_a_program_makes_a_bucket_a_role_and_a_function_and_cleans_up(up, tmp_path, program):
    assert {"create_bucket", "create_role", "create_function", "invoke", "delete_role"} <= set(
        re.findall(r"\.(\w+)\(", program)
    )
    file = tmp_path / "script.py"
    file.write_text(program)
    for _ in range(2):  # It cleans up, so that it runs again.
        shown = up("env", "--", sys.executable, str(file))
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.splitlines() == ["{'answer': 'WHY?', 'by': 'first-function'}", "['asked why?']"]


def test_a_function_reaches_the_platform_where_the_settings_allow_it(tmp_path, checkout):
    found, _ = launch(tmp_path / "home", checkout, neighbours__lambda_network="true")
    try:
        running = Running(found.address, found.pid, tmp_path / "home")
        source = (
            "import boto3\n"
            "def handler(event, context):\n"
            "    found = boto3.client('sts').get_caller_identity()['Arn']\n"
            "    text = [{'text': 'hi'}]\n"
            "    message = [{'role': 'user', 'content': text}]\n"
            "    answer = boto3.client('bedrock-runtime').converse(modelId='rocamadre.fake-v1:0', messages=message)\n"
            "    return [found, answer['output']['message']['content'][0]['text']]\n"
        )
        functions = connect(running, "lambda")
        arguments = {"Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler", "Timeout": 30}
        functions.create_function(FunctionName="f", Code={"ZipFile": zipped(source)}, **arguments, MemorySize=512)
        answer = json.load(functions.invoke(FunctionName="f")["Payload"])
        assert answer == ["arn:aws:sts::123456789012:assumed-role/r/f", "[fake] You said: hi"]
    finally:
        stop_server(tmp_path / "home", found)


def test_an_event_is_answered_at_once_and_then_really_runs(server):
    functions, logs = connect(server, "lambda"), connect(server, "logs")
    source = "def handler(event, context):\n    print('ran', event['n'], context.aws_request_id)\n"
    arguments = {"Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler"}
    functions.create_function(FunctionName="later", Code={"ZipFile": zipped(source)}, **arguments)
    for number in range(3):
        answer = functions.invoke(FunctionName="later", InvocationType="Event", Payload=json.dumps({"n": number}))
        assert answer["StatusCode"] == 202
    ran = set()
    for _ in range(300):
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/later", filterPattern='"ran"')["events"]
        except logs.exceptions.ResourceNotFoundException:
            found = []
        ran = {event["message"].split()[1] for event in found}
        if len(ran) == 3:
            break
        time.sleep(0.1)
    assert ran == {"0", "1", "2"}


def test_stopping_the_server_ends_a_function_that_runs(tmp_path, checkout):
    found, _ = launch(tmp_path / "home", checkout)
    running = Running(found.address, found.pid, tmp_path / "home")
    functions = connect(running, "lambda")
    arguments = {"Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler", "Timeout": 600}
    source = "import time\ndef handler(event, context):\n    time.sleep(600)\n"
    functions.create_function(FunctionName="f", Code={"ZipFile": zipped(source)}, **arguments)
    caller = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import boto3, sys; boto3.client('lambda', endpoint_url=sys.argv[1], region_name='us-east-1',"
            "aws_access_key_id='x', aws_secret_access_key='x').invoke(FunctionName='f')",
            running.address,
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        held = []
        for _ in range(300):
            held = [
                child
                for child in psutil.Process(found.pid).children(recursive=True)
                if "rocamadre.neighbours.lambdas.child" in child.cmdline()
            ]
            if len(held) == 3:
                break
            time.sleep(0.05)
        assert len(held) == 3
        stop_server(tmp_path / "home", found)
        _, alive = psutil.wait_procs(held, timeout=10)
        assert alive == []
    finally:
        caller.kill()
        caller.wait()
