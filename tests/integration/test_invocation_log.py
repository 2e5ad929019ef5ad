"""A real server that is told to stop delivers what it still has; one that is killed leaves it for the next."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from tests.integration.conftest import Running, connect, launch

from rocamadre.cli.environment import program_environment
from rocamadre.cli.process import find_server, start_server, stop_server
from rocamadre.core.settings import load_settings
from rocamadre.store.objects.registry import open_objects

ACCOUNT = "123456789012"
BUCKET = "invocation-logs"
FAKE = "rocamadre.fake-v1:0"
CALLS = 20


def records(home):
    """What was delivered, read without a server."""
    objects = open_objects(load_settings(home=home))
    try:
        store = objects.of(ACCOUNT)
        keys = [found.key for found in store.list(BUCKET, f"AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs/us-east-1/")]
        lines = [line for key in keys for line in gzip.decompress(store.read(BUCKET, key)).splitlines()]
    finally:
        objects.close()
    return [json.loads(line) for line in lines]


@pytest.fixture
def begun(tmp_path, checkout):
    """A server that would deliver in an hour, after some calls."""
    home = tmp_path / "home"
    found, environment = launch(home, checkout, log__invocation_flush_s="3600")
    running = Running(found.address, found.pid, home)
    connect(running, "s3").create_bucket(Bucket=BUCKET)
    connect(running, "bedrock").put_model_invocation_logging_configuration(
        loggingConfig={"s3Config": {"bucketName": BUCKET}}
    )
    client = connect(running, "bedrock-runtime")
    for number in range(CALLS):
        text = f"call {number}"
        stream = client.converse_stream(modelId=FAKE, messages=[{"role": "user", "content": [{"text": text}]}])
        assert list(stream["stream"])
    yield found, environment, home
    stop_server(home, found)


def check(home):
    asked = [record["input"]["inputBodyJson"]["messages"][0]["content"][0]["text"] for record in records(home)]
    assert asked == [f"call {number}" for number in range(CALLS)]


def test_stopping_delivers(begun):
    found, _, home = begun
    stop_server(home, found)
    check(home)


def test_kill_9_leaves_what_was_written_for_the_next_server(begun):
    found, environment, home = begun
    waiting = home / "invocations"
    deadline = time.monotonic() + 30
    # The header and one line per call; the thread that writes them is moments behind the answers.
    while sum(path.read_bytes().count(b"\n") for path in waiting.glob("*.jsonl")) <= CALLS:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(found.pid, signal.SIGKILL)
    while find_server(home) is not None:
        time.sleep(0.05)
    stop_server(home, start_server(home, environment))
    check(home)


@pytest.fixture(scope="module")
def documented(tmp_path_factory, checkout):
    """A server for the programs of the documentation."""
    home = tmp_path_factory.mktemp("documented") / "home"
    models = {"catalog__default_model": FAKE, "catalog__default_embedder": "rocamadre.fake-embed-v1:0"}
    found, _ = launch(home, checkout, server__strict="true", log__invocation_flush_s="0.2", **models)
    yield found, home
    stop_server(home, found)


@pytest.mark.parametrize(("page", "count"), [("invocation-logging.md", 2), ("async-invoke.md", 1)])
def test_the_programs_of_the_documentation(documented, checkout, tmp_path, page, count):
    server, home = documented
    programs = re.findall(r"^```python\n(.*?)^```", (checkout / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)
    assert len(programs) == count
    given = {"HOME": str(home)}
    added = program_environment(server.address, region="us-east-1", home=home, is_open=True, environment=given)
    for number, program in enumerate(programs):
        file = tmp_path / f"program{number}.py"
        file.write_text(program)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), **added}
        shown = subprocess.run(
            [sys.executable, str(file)], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert shown.returncode == 0, shown.stderr
        assert len(shown.stdout.split()) > 2
        assert "secret" not in shown.stdout
