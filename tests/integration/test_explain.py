"""`roca explain` against a real server with the embedded model."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def explain(server, checkout, needs):
    needs(list((checkout / "models" / "roca-mini").glob("*.gguf")), "the model roca-mini is not there")

    def call(*arguments):
        environment = {"PATH": os.environ["PATH"], "ROCA_HOME": str(server.home), "COLUMNS": "120"}
        return subprocess.run(
            [sys.executable, "-m", "rocamadre.cli.main", "explain", *arguments],
            env=environment, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    return call


def test_json_tells_tokens_candidates_and_reasons(explain):
    arguments = ("The capital of France is", "--steps", "4", "--seed", "7", "--top-k", "5", "--json")
    shown = explain(*arguments)
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert "".join(token["text"] or "" for token in told["prompt_tokens"]) == "The capital of France is"
    assert all(isinstance(token["id"], int) for token in told["prompt_tokens"])
    assert len(told["steps"]) == 4
    assert "".join(step["picked"] for step in told["steps"]) == told["answer"]
    for step in told["steps"]:
        assert len(step["candidates"]) == 20
        left = [each for each in step["candidates"] if not each["removed_by"]]
        assert 1 <= len(left) <= 5
        assert step["picked"] in [each["text"] for each in left]
        assert sum(each["final"] for each in left) == pytest.approx(1)
        assert step["others"]["removed_by"] == "top-k"
        everything = sum(each["model"] for each in step["candidates"]) + step["others"]["model"]
        assert everything == pytest.approx(1, abs=1e-3)
    assert explain(*arguments).stdout == shown.stdout


def test_tables_for_people(explain):
    shown = explain("Hello", "--steps", "2", "--temperature", "0", "--frequency-penalty", "0.5")
    assert shown.returncode == 0, shown.stderr
    for part in ("The prompt: ", "Step 1: ", "Step 2: ", "removed by", "temperature 0", "◀ drawn", "others", "Answer"):
        assert part in shown.stdout
    assert 'summed as "others"' in shown.stdout.replace("\n", " ")


def test_a_chat_shows_the_template(explain):
    shown = explain("Who are you?", "--chat", "--steps", "1", "--json")
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert "Who are you?" in told["prompt"]
    assert told["prompt"] != "Who are you?"
    assert told["notes"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("",), 2, "the prompt is empty"),
        (("x", "--system", "y"), 2, "--system goes with --chat"),
        (("x", "--model", "acme.rocket-v1:0"), 4, "is not here"),
        (("x", "--model", "minilm"), 1, ""),
        (("x", "--temperature", "3"), 2, "0<=x<=2"),
    ],
)
def test_refusals(explain, arguments, code, words):
    shown = explain(*arguments)
    assert shown.returncode == code, shown.stderr
    assert words in shown.stderr


def test_a_locked_server_takes_either_kind_of_key(locked_server):
    environment = {"PATH": os.environ["PATH"], "ROCA_HOME": str(locked_server.home)}
    keys = (
        {},
        {"AWS_BEARER_TOKEN_BEDROCK": locked_server.bearer},
        {"AWS_ACCESS_KEY_ID": locked_server.access_key, "AWS_SECRET_ACCESS_KEY": locked_server.secret_key},
    )
    codes = []
    for key in keys:
        command = [sys.executable, "-m", "rocamadre.cli.main", "explain", "hi", "--model", "fake", "--steps", "1"]
        done = subprocess.run(command, env=environment | key, capture_output=True, text=True, timeout=100, check=False)
        codes.append(done.returncode)
    assert codes == [5, 0, 0]
