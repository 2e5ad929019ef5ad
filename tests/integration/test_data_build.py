"""Records that a model writes, asked through the server by the command; the fake engine speaks by a script."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from rocamadre.cli.process import stop_server

from .conftest import launch

RULES = """
[[rules]]
match = "more tasks"
answer = '''
1. Explain why bread needs time to rise.
2. Describe how a lighthouse helps the ships at night.
3. Explain why bread needs some time to rise.
4. Name three things that are kept in a cellar.
5. Tell how salt was won from the sea.
'''
mark = false

[[rules]]
regex = "^(Rewrite|Write one other)"
answer = "Explain to a child of six why bread needs time to rise before it is baked."
mark = false

[[rules]]
match = "Do these two ask for the same"
answer = "different"
mark = false

[[rules]]
match = "lighthouse"
answer = "I'm sorry, I cannot help with that."
mark = false

[[rules]]
match = ""
answer = "It takes some hours, and one has to be patient with it."
mark = false
"""


@pytest.fixture(scope="module")
def roca(tmp_path_factory, checkout):
    folder = tmp_path_factory.mktemp("build")
    (folder / "rules.toml").write_text(RULES)
    seeds = [{"prompt": f"Explain what {word} are good for.", "completion": "For much."} for word in ("horses", "maps")]
    (folder / "seeds.jsonl").write_text("".join(json.dumps(each) + "\n" for each in seeds))
    server, environment = launch(folder / "home", checkout, catalog__fake_rules=str(folder / "rules.toml"))

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "rocamadre.cli.main", "--home", str(folder / "home"), "data", "build", *arguments],
            cwd=folder, env=environment | {"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=90,
            check=False,
        )  # fmt: skip

    call.folder = folder
    yield call
    stop_server(folder / "home", server)


def test_new_instructions_are_written_filtered_and_kept(roca):
    made = roca("--self-instruct", "seeds.jsonl", "--model", "fake", "-n", "3", "--out", "new.jsonl", "--json")
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["records"] == 3
    assert told["dropped"] == {"is no answer": 1, "too like another": 1}
    records = [json.loads(line) for line in (roca.folder / "new.jsonl").read_text().splitlines()]
    asked = [each["messages"][0]["content"][0]["text"] for each in records]
    assert asked == [
        "Explain why bread needs time to rise.",
        "Name three things that are kept in a cellar.",
        "Tell how salt was won from the sea.",
    ]
    assert all("patient" in each["messages"][1]["content"][0]["text"] for each in records)


def test_what_was_made_is_not_made_again(roca):
    wanted = ("--self-instruct", "seeds.jsonl", "--model", "fake", "--seed", "5", "--name", "again", "--json")
    first = roca(*wanted, "-n", "2")
    assert json.loads(first.stdout)["steps"] == 1
    again = roca(*wanted, "-n", "2")
    assert "going on at step 2" in again.stderr
    assert json.loads(again.stdout)["written"] == json.loads(first.stdout)["written"]


def test_instructions_are_made_harder(roca):
    made = roca("--evol-instruct", "seeds.jsonl", "--model", "fake", "-n", "1", "--name", "harder")
    assert made.returncode == 0, made.stderr
    assert "1 record: harder@" in made.stdout


def test_a_model_that_nobody_knows_is_told(roca):
    made = roca("--self-instruct", "seeds.jsonl", "--model", "nobody", "-n", "1")
    assert made.returncode == 4
