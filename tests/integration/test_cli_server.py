"""`roca up`, `down`, `status`, `run`, `chat` and `env` as a person uses them: in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest


class Roca:
    """The command on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        names = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
        self.environment = names | {
            "ROCA_HOME": str(home), "ROCA_SERVER__PORT": "0", "ROCA_CONFIG": str(home / "none.toml"),
            "ROCA_CONSOLE__ENABLED": "false",
        }  # fmt: skip

    def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rocamadre.cli.main", *arguments],
            env=self.environment | variables, input=stdin, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

    def json(self, *arguments: str) -> dict:
        result = self(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture
def roca(tmp_path):
    command = Roca(tmp_path / "home")
    yield command
    command("down")


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """The command with a server that runs."""
    command = Roca(tmp_path_factory.mktemp("up") / "home")
    started = command("up")
    assert started.returncode == 0, started.stderr
    yield command
    command("down")


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_up_status_up_down(roca):
    started = roca.json("up")
    assert not started["already_running"]
    status = roca.json("status")
    assert (status["pid"], status["address"], status["engines"]) == (started["pid"], started["address"], [])
    assert status["memory_bytes"] > 10_000_000
    again = roca.json("up")
    assert (again["already_running"], again["pid"]) == (True, started["pid"])
    assert roca("run", "fake", "hi").returncode == 0
    assert [engine["model_id"] for engine in roca.json("status")["engines"]] == ["rocamadre.fake-v1:0"]
    children = [child.pid for child in psutil.Process(started["pid"]).children(recursive=True)]
    assert roca("down").stdout == "stopped\n"
    assert not [pid for pid in (started["pid"], *children) if alive(pid)]
    assert not (roca.home / "server.json").exists()
    assert roca("status").returncode == 3
    assert roca("down").stdout == "not running\n"


def test_after_kill_9_up_works_again(roca):
    first = roca.json("up")
    os.kill(first["pid"], signal.SIGKILL)
    while alive(first["pid"]):
        time.sleep(0.02)
    assert (roca.home / "server.json").exists()
    assert roca("status").returncode == 3
    second = roca.json("up")
    assert second["pid"] != first["pid"]
    assert not second["already_running"]
    assert roca("run", "fake", "hi").returncode == 0


def test_two_at_once_start_one(roca):
    with ThreadPoolExecutor(2) as pool:
        results = [future.result() for future in [pool.submit(roca.json, "up") for _ in range(2)]]
    assert len({result["pid"] for result in results}) == 1
    assert sorted(result["already_running"] for result in results) == [False, True]


def test_a_taken_port_is_told(roca):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        result = roca("up", "--port", port)
    assert result.returncode == 1
    assert f"port {port}" in result.stderr
    assert "--port" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_outside_without_keys_is_refused(roca):
    result = roca("up", "--set", "server.host=0.0.0.0")
    assert result.returncode == 1
    assert "server.auth" in result.stderr


def test_foreground_ends_with_ctrl_c(roca):
    process = subprocess.Popen(
        [sys.executable, "-m", "rocamadre.cli.main", "up", "--foreground"],
        env=roca.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while roca("status").returncode != 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert roca.json("status")["pid"] == process.pid
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=15)
    assert b"Traceback" not in said
    assert process.returncode in (0, 130)
    assert roca("status").returncode == 3


def test_keys_are_wanted_when_required(roca):
    assert roca("up", "--set", "server.auth=required").returncode == 0
    refused = roca("run", "fake", "hi")
    assert refused.returncode == 5
    assert "roca keys create" in refused.stderr
    key = roca.json("keys", "create", "me", "--bearer")["secret"]
    assert roca("run", "fake", "hi", AWS_BEARER_TOKEN_BEDROCK=key).returncode == 0
    pair = roca.json("keys", "create", "pair")
    signed = roca("run", "fake", "hi", AWS_ACCESS_KEY_ID=pair["id"], AWS_SECRET_ACCESS_KEY=pair["secret"])
    assert signed.returncode == 0, signed.stderr
    # Without a key, what the system knows is still shown.
    assert roca.json("status")["engines"] is None
    assert "AWS_ACCESS_KEY_ID" not in roca.json("env")
    roca("keys", "revoke", "me")
    time.sleep(1.1)
    assert roca("run", "fake", "hi", AWS_BEARER_TOKEN_BEDROCK=key).returncode == 5


def test_run_streams_and_counts(up):
    assert up("run", "fake", "hello there").stdout == "[fake] You said: hello there\n"
    assert up("run", "fake", stdin="from a pipe").stdout == "[fake] You said: from a pipe\n"
    stats = up("run", "fake", "hello there", "--stats")
    assert "tokens in" in stats.stderr
    answer = json.loads(up("run", "amazon.nova-lite-v1:0", "hi", "--json", "--max-tokens", "2").stdout or "{}")
    if answer:
        assert answer["usage"]["output_tokens"] <= 2
    found = json.loads(up("run", "fake", "one two", "--json", "--max-tokens", "2", "--stop", "x").stdout)
    assert (found["stop_reason"], found["usage"]["output_tokens"]) == ("max_tokens", 2)


def test_an_unknown_model_is_not_found(up):
    result = up("run", "nope", "hi")
    assert result.returncode == 4
    assert "rocamadre.fake-v1:0" in result.stderr
    assert "Traceback" not in result.stderr


def test_chat_remembers_forgets_and_saves(up, tmp_path):
    file = tmp_path / "talk.json"
    lines = ["hello", "again", f"/save {file}", "/system Be brief.", "/system", "/nope", "/exit", "never"]
    result = up("chat", "fake", stdin="\n".join(lines))
    assert result.returncode == 0, result.stderr
    assert "never" not in result.stdout
    assert "Be brief." in result.stdout
    assert "'/nope' is no command" in result.stdout
    saved = json.loads(file.read_text())
    assert [message["role"] for message in saved["messages"]] == ["user", "assistant"] * 2
    assert [message["content"][0]["text"] for message in saved["messages"]][::2] == ["hello", "again"]


def test_a_program_runs_unchanged(up):
    program = (
        "import boto3; client = boto3.client('bedrock-runtime');"
        "message = {'role': 'user', 'content': [{'text': 'hi'}]};"
        "print(client.converse(modelId='rocamadre.fake-v1:0', messages=[message])['output']['message']['content'])"
    )
    result = up("env", "--", sys.executable, "-c", program, AWS_ACCESS_KEY_ID="real", AWS_PROFILE="work")
    assert result.stdout == "[{'text': '[fake] You said: hi'}]\n", result.stderr
    other = program.replace("boto3.client(", "boto3.Session(profile_name='default').client(")
    assert up("env", "--", sys.executable, "-c", other).returncode == 0
    assert up("env", "--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7
    assert up("env", "--", "no-such-program").returncode == 127


def test_the_shell_lines_work_in_a_shell(up):
    command = f'eval "$({sys.executable} -m rocamadre.cli.main env)" && echo "$OPENAI_BASE_URL $AWS_REGION"'
    shown = subprocess.run(["sh", "-c", command], env=up.environment, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == [up.json("status")["address"] + "/v1", "us-east-1"]


def test_logs_hold_no_prompts(up):
    up("run", "fake", "a very secret sentence")
    deadline = time.monotonic() + 5
    while "ConverseStream" not in (shown := up("logs", "-n", "100").stdout) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "ConverseStream" in shown
    assert not [path for path in (up.home / "logs").rglob("*.*") if "very secret" in path.read_text(errors="replace")]


def test_doctor_sees_the_server(up):
    findings = {finding["name"]: finding for finding in json.loads(up("doctor", "--json").stdout)}
    assert findings["server"]["detail"].startswith("runs at http://127.0.0.1:")


def test_backup_while_it_runs(up, tmp_path):
    up("keys", "create", "kept")
    file = tmp_path / "b.tar.gz"
    assert up("backup", str(file)).returncode == 0
    assert up("restore", str(file)).returncode == 1
    other = Roca(tmp_path / "other")
    assert other("restore", str(file)).returncode == 0
    assert [key["name"] for key in json.loads(other("keys", "list", "--json").stdout)] == ["kept"]
