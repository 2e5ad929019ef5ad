"""kill -9 of the server while responses run in the background: none is lost, none stays unfinished."""

from __future__ import annotations

import json
import os
import signal
import time

import openai
import psutil

from rocamadre.api.openai.background import AT_ONCE
from rocamadre.cli.process import start_server, stop_server
from rocamadre.responses.operations import LOST

FAKE = "rocamadre.fake-v1:0"
WAITING = 4


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_background_responses_outlive_the_server(tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([{"match": "slow", "answer": " ".join(["word"] * 2000), "delay_s": 0.1}]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    environment |= {
        "ROCA_SERVER__PORT": "0",
        "ROCA_CONSOLE__ENABLED": "false",
        "ROCA_CONFIG": str(tmp_path / "none.toml"),
    }
    environment |= {"ROCA_CATALOG__FAKE_RULES": str(rules)}
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    server = start_server(home, environment)
    with openai.OpenAI(base_url=f"{server.address}/v1", api_key="x", max_retries=0) as client:
        done = client.responses.create(model=FAKE, input="quick")
        ids = [
            client.responses.create(model=FAKE, input=f"slow {number}", background=True).id
            for number in range(AT_ONCE + WAITING)
        ]

        def states():
            return [client.responses.retrieve(each).status for each in ids]

        until(lambda: states().count("in_progress") == AT_ONCE)
        assert states().count("queued") == WAITING
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(server.pid) or psutil.Process(server.pid).status() == "zombie")

    rules.write_text("[]")
    again = start_server(home, environment)
    try:
        with openai.OpenAI(base_url=f"{again.address}/v1", api_key="x", max_retries=0) as client:
            assert client.responses.retrieve(done.id) == done
            found = [client.responses.retrieve(each) for each in ids]
            assert [each.status for each in found[:AT_ONCE]] == ["failed"] * AT_ONCE
            assert {each.error.message for each in found[:AT_ONCE]} == {LOST}
            until(lambda: all(client.responses.retrieve(each).status == "completed" for each in ids[AT_ONCE:]))
            assert f"slow {AT_ONCE}" in client.responses.retrieve(ids[AT_ONCE]).output_text
            gone_on = client.responses.create(model=FAKE, input="more", previous_response_id=done.id)
            assert "more" in gone_on.output_text
    finally:
        assert stop_server(home, again)
