from __future__ import annotations

import subprocess
import sys
import time

import pytest

from rocamadre import __version__
from rocamadre.cli.exits import EXIT_MEANINGS, CommandFailed, Exit, exit_code
from rocamadre.cli.main import COMMANDS
from rocamadre.core.errors import Conflict, NotFound, Unknown


def test_version_and_help(roca):
    assert roca("--version").out == f"roca, version {__version__}\n"
    shown = roca("--help")
    assert shown.code == Exit.OK
    assert all(name in shown.out for name in COMMANDS)


def test_help_is_quick():
    def once() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "rocamadre.cli.main", "--help"], check=True, capture_output=True)
        return time.perf_counter() - began

    # The bar is 0.3 s on an idle machine; tests share theirs.
    assert min(once() for _ in range(3)) < 1.5


@pytest.mark.parametrize("arguments", [("nope",), ("up", "--port", "x"), ("keys",), ("run",), ("--nope",)])
def test_a_wrong_command_line_is_told(roca, arguments):
    result = roca(*arguments)
    assert result.code == Exit.USAGE
    assert "Usage:" in result.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("status",), 3),
        (("run", "m", "hi"), 3),
        (("chat",), 3),
        (("env", "--", "true"), 3),
        (("keys", "revoke", "x"), 4),
    ],
)
def test_exit_codes(roca, arguments, code):
    assert roca(*arguments).code == code


def test_every_code_has_a_meaning():
    assert set(EXIT_MEANINGS) == set(Exit)
    assert exit_code(NotFound()) is exit_code(Unknown()) is Exit.NOT_FOUND
    assert exit_code(Conflict()) is Exit.FAILURE
    assert CommandFailed("x").code is Exit.FAILURE


def test_wrong_settings_are_told_with_their_path(roca, monkeypatch):
    monkeypatch.setenv("ROCA_SERVER__PORT", "ninety")
    result = roca("status")
    assert result.code == Exit.FAILURE
    assert "server.port" in result.err


def test_a_reader_that_leaves_is_no_error(home):
    shell = f"{sys.executable} -m rocamadre.cli.main completion bash | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] in ("0", "141")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(roca, shell):
    assert "_ROCA_COMPLETE" in roca("completion", shell).out
    assert roca("completion", shell, "--json").json["shell"] == shell


def test_completion_completes():
    environment = {
        "_ROCA_COMPLETE": "bash_complete",
        "COMP_WORDS": "roca co",
        "COMP_CWORD": "1",
        "PATH": "/usr/bin:/bin",
    }
    code = "from rocamadre.cli.main import main; main()"
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert sorted(shown.stdout.split()) == ["plain,completion", "plain,console", "plain,coverage"], shown.stderr
