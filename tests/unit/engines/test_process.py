import asyncio
import os
import signal

import pytest
import uvloop

from rocamadre.core.errors import ModelFailure
from rocamadre.engines.memory import available_bytes, resident_bytes
from rocamadre.engines.process import ChildProcess, child_environment, default_threads


def test_children_get_no_secrets(monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "OPENAI_API_KEY", "HF_TOKEN", "ROCA_HOME", "DB_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("HARMLESS", "kept")
    environment = child_environment(3)
    assert "secret" not in environment.values()
    assert (environment["HARMLESS"], environment["OMP_NUM_THREADS"]) == ("kept", "3")
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_threads_leave_a_core_free():
    assert default_threads(5) == 5
    assert default_threads(0) >= 1


def test_a_child_that_cannot_start_says_why(tmp_path):
    async def body():
        with pytest.raises(ModelFailure, match=r"status 1.*No module named"):
            await ChildProcess.launch("rocamadre.no_such_module", {}, home=tmp_path, name="a/b c", threads=1)

    asyncio.run(body())


def test_a_child_that_says_something_else_is_a_failure(tmp_path):
    async def body():
        with pytest.raises(ModelFailure):
            await asyncio.wait_for(ChildProcess.launch("this", {}, home=tmp_path, name="zen", threads=1), 20)

    asyncio.run(body())


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_child_killed_before_it_is_told_anything_is_a_failure(factory, tmp_path, monkeypatch):
    """The two event loops answer differently to what is written to a pipe that has closed."""
    start = asyncio.create_subprocess_exec

    async def killed(*arguments, **options):
        process = await start(*arguments, **options)
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        while not process.stdin.is_closing():
            await asyncio.sleep(0.001)
        return process

    async def body():
        monkeypatch.setattr(asyncio, "create_subprocess_exec", killed)
        with pytest.raises(ModelFailure, match="SIGKILL"):
            await asyncio.wait_for(ChildProcess.launch("this", {}, home=tmp_path, name="zen", threads=1), 20)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(body())


def test_memory_figures():
    assert available_bytes() > 0
    assert resident_bytes(None) == 0
    assert resident_bytes(2**22 + 1) == 0
