"""What docs/neighbours.md claims of functions: each bound and each refusal, by code that tries to pass it."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from rocamadre.neighbours.lambdas import runner
from rocamadre.neighbours.lambdas.errors import CannotRun
from rocamadre.neighbours.lambdas.invoking import invoke_function

BODY = "import ctypes, errno, os, signal, socket, subprocess, sys, threading, time\ndef handler(event, context):\n"

LEAVING = (
    "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\nreturn 1"
)
CLONE = 56 if platform.machine() == "x86_64" else 220
PROBE = "and os.strerror(ctypes.get_errno())"


def source(body):
    """A function whose handler has this body."""
    return BODY + "".join(f"    {line}\n" for line in body.strip().splitlines())


def attempt(expression):
    """A handler that returns what an expression gives, or how it fails."""
    return source(
        f"try:\n    return repr({expression})\nexcept OSError as error:\n    return errno.errorcode[error.errno]"
    )


def children():
    """Processes of functions that are alive, whoever their parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if "rocamadre.neighbours.lambdas.child" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return set(found)


def all_gone(before):
    for _ in range(200):
        if not children() - before:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def before():
    """Processes of functions that other tests run at the same time."""
    return children()


def test_a_loop_without_end_is_ended(make, call):
    done = call(make(source("while True: pass"), timeout_s=1))
    assert done.value()["errorType"] == "Sandbox.Timedout"
    assert done.value()["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert "\tStatus: timeout" in done.log


def test_what_a_function_leaves_behind_is_ended(make, call, before):
    assert call(make(source(LEAVING))).value() == 1
    assert all_gone(before)


def test_forks_are_bounded_and_ended(make, call, before):
    body = """
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(600)
        count += 1
except OSError as error:
    return [count, errno.errorcode[error.errno]]
"""
    count, code = call(make(source(body), timeout_s=10, memory_mb=512)).value()
    assert 0 < count <= 64
    assert code == "EAGAIN"
    assert all_gone(before)


def test_memory_is_bounded(make, call):
    assert call(make(source("return len(bytearray(4 << 30))"))).value()["errorType"] == "MemoryError"
    growing = "kept = []\nwhile True:\n    kept.append(b'x' * (4 << 20))\n    time.sleep(0.01)"
    error = call(make(source(growing), timeout_s=30)).value()
    assert error["errorType"] in ("Runtime.OutOfMemory", "MemoryError")


def test_memory_of_all_processes_counts_together(make, call):
    body = """
for _ in range(10):
    if os.fork() == 0:
        kept = b'x' * (40 << 20)
        time.sleep(600)
time.sleep(600)
"""
    assert call(make(source(body), timeout_s=30)).value()["errorType"] == "Runtime.OutOfMemory"


@pytest.mark.parametrize("file_count", [1, 40])
def test_files_are_bounded(ctx, make, call, file_count):
    body = f"""
written = 0
try:
    for number in range({file_count}):
        with open(f"/tmp/{{number}}", "wb", buffering=0) as file:
            for _ in range((1 << 30) // {file_count} >> 20):
                written += file.write(bytes(1 << 20))
except OSError as error:
    return [written, errno.errorcode[error.errno]]
"""
    call(make(source("return 1")))  # Skips where there are no walls.
    order = runner.Order(
        code=ctx.platform.settings.home / "lambda" / "code" / _code_hash(ctx, make(source(body))),
        handler="app.handler",
        event="{}",
        environment={},
        facts={"request_id": "r", "name": "f", "version": "1", "arn": "a", "log_group": "g", "log_stream": "s"},
        timeout_s=30,
        memory_mb=128,
        scratch_mb=16,
    )
    written, code = json.loads(runner.run(ctx, order).payload)
    assert written <= 16 << 20
    assert code in ("EFBIG", "ENOSPC")


def _code_hash(ctx, name):
    from rocamadre.neighbours.lambdas.operations import get_function

    return get_function(ctx, name).code_hash


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/etc/shadow", "/proc/self/environ", "/sys/kernel", "/var/task/../../etc/hostname"]
)
def test_files_of_the_machine_are_not_there(make, call, path):
    assert call(make(attempt(f"open({path!r}).read()"))).value() == "ENOENT"


def test_the_servers_home_and_its_code_are_not_there(ctx, make, call):
    home = ctx.platform.settings.home
    assert (home / "platform.sqlite").exists()
    for path in (home / "platform.sqlite", home, Path(__file__)):
        assert call(make(attempt(f"open({str(path)!r}).read()"))).value() in ("ENOENT", "EACCES")


def test_the_servers_home_is_hidden_even_inside_what_is_shown(ctx, make, call, monkeypatch):
    """As when the state lies below the folder of Python's packages."""
    home, made = ctx.platform.settings.home, runner._spec
    for folder in (home, home.parent):
        folder.chmod(0o755)  # The walls must hide it, not its mode.

    def moved(*arguments, **named):
        spec = made(*arguments, **named)
        spec["root"]["read_only"].append((str(home.parent), "/shown"))
        spec["root"]["hidden"].append(f"/shown/{home.name}")
        return spec

    monkeypatch.setattr(runner, "_spec", moved)
    assert call(make(source("return os.listdir('/shown')"))).value() == [home.name]
    assert call(make(attempt(f"os.listdir('/shown/{home.name}')"))).value() in ("EACCES", "[]")


def test_what_is_there_cannot_be_changed(make, call):
    for path in ("/var/task/app.py", "/var/task/new", "/new", "/usr/new", f"{sys.base_prefix}/new"):
        assert call(make(attempt(f"open({path!r}, 'w').write('x')"))).value() in ("EROFS", "EACCES")


def test_the_scratch_folder_is_its_own_and_gone_afterwards(ctx, make, call):
    name = make(source("was = os.listdir('/tmp')\nopen('/tmp/x', 'w').write('x')\nreturn [was, os.listdir('/tmp')]"))
    for _ in range(2):
        was, then = call(name).value()
        assert "x" not in was  # An environment that lies below /tmp is shown there.
        assert sorted(then) == sorted([*was, "x"])
    assert list((ctx.platform.settings.home / "lambda" / "scratch").iterdir()) == []


def test_there_is_no_network(make, call):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert call(make(attempt(f"socket.create_connection(('127.0.0.1', {port}), 2)"))).value() == "ENETUNREACH"
    assert call(make(attempt("socket.create_connection(('192.0.2.1', 80), 2)"))).value() == "ENETUNREACH"
    assert call(make(attempt("socket.socket(40, socket.SOCK_STREAM)"))).value() == "EAFNOSUPPORT"
    assert call(make(attempt("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"))).value() == "EAFNOSUPPORT"


def test_the_settings_can_give_the_machines_network(make_context, make):
    ctx = make_context(neighbours={"lambda_network": True})
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        name = make(
            source(
                f"socket.create_connection(('127.0.0.1', {port}), 2).close()\n"
                "import boto3\n"
                "region = boto3.client('sts').meta.region_name\n"
                "return [region, os.environ['AWS_ACCESS_KEY_ID'][:4], os.path.exists('/etc/passwd')]"
            ),
            timeout_s=20,
        )
        try:
            assert invoke_function(ctx, name, None).value() == ["us-east-1", "ASIA", False]
        except CannotRun as error:
            pytest.skip(error.message)


@pytest.mark.parametrize(
    "expression",
    [
        "os.memfd_create('x')",
        f"ctypes.CDLL(None, use_errno=True).unshare(0x10000000) {PROBE}",
        f"ctypes.CDLL(None, use_errno=True).mount(b'none', b'/tmp', b'tmpfs', 0, None) {PROBE}",
        f"ctypes.CDLL(None, use_errno=True).ptrace(16, 1, 0, 0) {PROBE}",
        f"ctypes.CDLL(None, use_errno=True).syscall({CLONE}, 0x10000011, 0, 0, 0, 0) {PROBE}",
    ],
)
def test_calls_that_would_open_the_walls_fail(make, call, expression):
    assert call(make(attempt(expression))).value() in ("EPERM", "-1", repr(os.strerror(1)))


def test_it_is_nobody_and_sees_no_other_process(make, call):
    user, pid, refusals = call(
        make(
            source(
                "def tried(pid):\n    try:\n        return os.kill(pid, 0)\n    except OSError as error:\n"
                "        return errno.errorcode[error.errno]\n"
                f"return [os.getuid(), os.getpid(), [tried({os.getpid()}), tried({os.getppid()})]]"
            )
        )
    ).value()
    assert user != 0
    assert pid < 10
    assert refusals == ["ESRCH", "ESRCH"]


def test_no_set_user_id_program_helps(make, call):
    body = """
found = subprocess.run(['/bin/sh', '-c', 'su root -c id 2>&1; id -u'], capture_output=True, text=True)
return found.stdout.split()[-1]
"""
    assert call(make(source(body))).value() != "0"


def test_output_without_end_is_cut(make, call):
    done = call(make(source("for _ in range(30_000):\n    print('x' * 99)\nreturn 1"), timeout_s=20))
    assert done.value() == 1
    assert len(done.log) < 1.1 * 2**20
    assert "bytes of output beyond 1048576 were dropped" in done.log


def test_a_large_answer_is_refused(make, call):
    error = call(make(source("return 'x' * 7_000_000"))).value()
    assert error["errorType"] == "Function.ResponseSizeTooLarge"


def test_half_a_character_is_answered_escaped(make, call):
    assert call(make(source("return '\\ud800'"))).payload == b'"\\ud800"'


def test_a_function_dies_with_the_process_that_called_it(ctx, make, call, before, tmp_path):
    call(make(source("return 1")))  # Skips where there are no walls.
    name = make(source("time.sleep(600)"), timeout_s=600)
    home = ctx.platform.settings.home
    code = (
        "from rocamadre.core.context import *\nfrom rocamadre.core.clock import SystemClock\n"
        "from rocamadre.core.settings import load_settings\nfrom rocamadre.observability.metrics import Metrics\n"
        "from rocamadre.store.sql.database import open_database\n"
        "from rocamadre.neighbours.lambdas.invoking import invoke_function\n"
        f"settings = load_settings(home={str(home)!r})\n"
        "platform = Platform(settings, open_database(settings.home), None, Metrics(), SystemClock())\n"
        f"principal = Principal('p', {ctx.account!r})\n"
        f"ctx = Context(platform, principal, {ctx.account!r}, {ctx.region!r}, 'r', 0.0)\n"
        f"invoke_function(ctx, {name!r}, 1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as caller:
        for _ in range(400):
            if len(children() - before) >= 3:
                break
            time.sleep(0.05)
        assert len(children() - before) >= 3
        caller.kill()
    assert all_gone(before)


# -- without walls -------------------------------------------------------------------------------------------------


@pytest.fixture
def unwallable(monkeypatch):
    monkeypatch.setitem(runner._unwallable, os.getpid(), "unshare: Operation not permitted")


def test_without_walls_functions_are_refused(ctx, make, unwallable):
    with pytest.raises(CannotRun, match=r"neighbours\.lambda_unconfined"):
        invoke_function(ctx, make(source("return 1")), None)


def test_without_walls_they_run_if_the_settings_say_so(make_context, make, unwallable, before):
    ctx = make_context(neighbours={"lambda_unconfined": True})

    def result(body, **config):
        return invoke_function(ctx, make(source(body), **config), {"a": 1}).value()

    assert result("return [event, os.getcwd() == os.environ['LAMBDA_TASK_ROOT']]") == [{"a": 1}, True]
    assert result("while True: pass", timeout_s=1)["errorType"] == "Sandbox.Timedout"
    assert result("return len(bytearray(4 << 30))")["errorType"] == "MemoryError"
    assert result("return os.environ.get('PYTEST_CURRENT_TEST')") is None
    assert result(LEAVING) == 1
    assert all_gone(before)
    assert list((ctx.platform.settings.home / "lambda" / "scratch").iterdir()) == []
