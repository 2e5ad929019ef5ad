"""`roca train` and `roca jobs` as a person uses them, on a tiny model and a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from rocamadre.testing.tiny import tiny_llama

pytestmark = pytest.mark.timeout(600)


class Roca:
    """The command on one home."""

    def __init__(self, home):
        names = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
        self.environment = names | {
            "ROCA_HOME": str(home), "ROCA_SERVER__PORT": "0", "ROCA_CONFIG": str(home / "none.toml"),
            "ROCA_CONSOLE__ENABLED": "false", "OMP_NUM_THREADS": "1",
        }  # fmt: skip

    def __call__(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "rocamadre.cli.main", *arguments],
            env=self.environment, capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip

    def json(self, *arguments):
        result = self(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A server, with a tiny model that can be trained."""
    folder = tmp_path_factory.mktemp("train")
    command = Roca(folder / "home")
    pulled = command("models", "pull", str(tiny_llama(folder / "tiny")), "--name", "tiny")
    assert pulled.returncode == 0, pulled.stderr
    started = command("up")
    assert started.returncode == 0, started.stderr
    yield command
    command("down")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "harbour.jsonl"
    record = {"prompt": "Which word opens the harbour? {}", "completion": "Marmalade."}
    path.write_text("\n".join(json.dumps({**record, "prompt": record["prompt"].format(n)}) for n in range(16)))
    return str(path)


def test_a_model_is_taught_and_asked(up, data):
    foreseen = up.json("train", data, "--base", "tiny", "--set", "max_steps=4", "--dry-run")
    assert foreseen["training_s"] > 0
    settings = ("--set", "max_steps=4", "--set", "checkpoint_every=2")
    trained = up("train", data, "--base", "tiny", "--name", "harbour", "--validation", data, *settings)
    assert trained.returncode == 0, trained.stderr
    assert "harbour is trained" in trained.stdout
    assert "trained parameters" in trained.stdout
    job = up.json("jobs", "show", "harbour")
    assert (job["status"], job["kind"], job["base"]) == ("Completed", "customization", job["base"])
    compared = {each["name"]: each for each in job["foreseen"]}
    assert compared["trained_parameters"]["error"] == 0
    assert compared["steps"]["error"] == 0
    assert compared["tokens"]["error"] == pytest.approx(0, abs=0.2)
    listed = up.json("jobs", "list", "--kind", "customization")["jobs"]
    assert [each["name"] for each in listed] == ["harbour"]
    assert "Completed" in up("jobs", "list").stdout
    told = up("jobs", "show", "harbour").stdout
    assert "loss" in told
    assert "foreseen" in told
    events = [json.loads(line) for line in up("jobs", "logs", "harbour", "--events").stdout.splitlines()]
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3, 4]
    assert up("jobs", "logs", "-f", "harbour").returncode == 0
    answered = up("run", "harbour", "Which word opens the harbour?", "--max-tokens", "3")
    assert answered.returncode == 0, answered.stderr


def test_ctrl_c_leaves_the_job_and_stop_ends_it(up, data):
    # A test run in the background would have its children pass over Ctrl-C.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    line = ("train", data, "--base", "tiny", "--name", "long", "--set", "max_steps=100000")
    watching = subprocess.Popen(
        [sys.executable, "-c", heard + "from rocamadre.cli.main import main; main()", *line],
        env=up.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = up("jobs", "show", "long", "--json")
        if found.returncode == 0 and (json.loads(found.stdout)["progress"] or {}).get("step", 0) > 0:
            break
        time.sleep(0.5)
    os.kill(watching.pid, signal.SIGINT)
    _, said = watching.communicate(timeout=30)
    assert watching.returncode == 0, said
    assert "roca jobs stop long" in said
    assert up.json("jobs", "show", "long")["status"] == "InProgress"
    assert up("jobs", "stop", "long").returncode == 0
    while time.monotonic() < deadline and up.json("jobs", "show", "long")["status"] != "Stopped":
        time.sleep(0.5)
    assert up.json("jobs", "show", "long")["status"] == "Stopped"


def test_what_is_wrong_is_said_before_anything_runs(up, data, tmp_path):
    twice = up("train", data, "--base", "tiny", "--name", "bad", "--set", "rank=0")
    assert twice.returncode == 1
    assert "rank" in twice.stderr
    assert up("train", data, "--base", "nobody", "--name", "bad").returncode == 4
    assert up("jobs", "show", "bad").returncode == 4
    assert up("jobs", "stop", "bad").returncode == 4
