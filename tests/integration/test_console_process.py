"""The console beside the server: started, told of, started again, stopped; and never in the server's way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil
import pytest


def call(home, *arguments, **variables):
    names = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    names |= {"ROCA_HOME": str(home), "ROCA_SERVER__PORT": "0", "ROCA_CONFIG": str(home / "none.toml")}
    command = [sys.executable, "-m", "rocamadre.cli.main", *arguments]
    return subprocess.run(command, env=names | variables, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture
def home(tmp_path):
    yield tmp_path / "home"
    call(tmp_path / "home", "down")


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def consoles(pid):
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if "rocamadre.console" in child.cmdline()]


def test_it_lives_and_dies_with_the_server(home):
    started = call(home, "up")
    assert started.returncode == 0, started.stderr
    line = next(each for each in started.stdout.splitlines() if each.startswith("Console at "))
    url = line.removeprefix("Console at ")
    status = json.loads(call(home, "status", "--json").stdout)
    assert status["console"] == url
    assert f"console at {url}" in call(home, "status").stdout
    assert json.loads(call(home, "console", "--json").stdout) == {"address": url}
    # It may still be starting: who comes now waits instead of being turned away.
    assert answers(url)
    (first,) = consoles(status["pid"])
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    assert answers(url)
    (second,) = consoles(status["pid"])
    assert second.pid != first.pid
    with urllib.request.urlopen(f"{status['address']}/healthz", timeout=10) as answer:
        assert answer.status == 200
    assert call(home, "down").stdout == "stopped\n"
    psutil.wait_procs([second], timeout=10)
    assert not psutil.pid_exists(second.pid)
    assert not answers(url)


def test_a_killed_server_leaves_no_console(home):
    started = json.loads(call(home, "up", "--json").stdout)
    assert answers(started["console"])
    (console,) = consoles(started["pid"])
    os.kill(started["pid"], signal.SIGKILL)
    psutil.wait_procs([console], timeout=10)
    assert not psutil.pid_exists(console.pid) or console.status() == psutil.STATUS_ZOMBIE


def test_a_taken_port_is_no_reason_not_to_serve(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        started = call(home, "up", ROCA_CONSOLE__PORT=str(other.getsockname()[1]))
    assert started.returncode == 0
    assert "Console at" not in started.stdout
    assert "ROCA_CONSOLE__PORT" in started.stderr
    assert json.loads(call(home, "status", "--json").stdout)["healthy"]


def test_turned_off_it_runs_in_a_terminal(home):
    started = call(home, "up", ROCA_CONSOLE__ENABLED="false")
    assert "Console" not in started.stdout + started.stderr
    names = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    names |= {"ROCA_HOME": str(home), "ROCA_CONFIG": str(home / "none.toml")}
    # Ctrl-C must count also where the tests run in the background, where shells have it ignored.
    heeding = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.executable, sys.argv[1:])"
    )
    console = [sys.executable, "-m", "rocamadre.cli.main", "console", "--port", "0", "--no-browser"]
    command = [sys.executable, "-c", heeding, *console]
    process = subprocess.Popen(command, env=names, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    url = process.stdout.readline().strip()
    assert answers(url)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert "Traceback" not in said
    assert process.returncode == 130
    deadline = time.monotonic() + 10
    while answers(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(url)


def test_without_a_server_there_is_nothing_to_open(home):
    result = call(home, "console", "--no-browser")
    assert result.returncode == 3
    assert "roca up" in result.stderr
