"""kill -9 of engine processes under load: the requests in flight get the declared error, the next ones work."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import uvloop

from rocamadre.core.errors import ModelFailure
from rocamadre.core.messages import Finish, GenerationRequest, Sampling
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.pool import EnginePool
from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.tiny import tiny_bert, tiny_gguf

KILLS = 5
CLIENTS = 6


async def generate(engine, index):
    request = GenerationRequest(prompt=f"number {index}", sampling=Sampling(max_tokens=60, temperature=0))
    events = [event async for event in engine.converse(request)]
    assert isinstance(events[-1], Finish)
    return len(events)


async def embed(engine, index):
    made = await engine.embed([f"number {index}"] * 4)
    assert len(made.vectors) == 4


def specs(folder):
    return {
        "llama": (LoadSpec("test.tiny-v1:0", "llama", tiny_gguf(folder / "tiny.gguf"), 128), generate),
        "embed": (LoadSpec("test.bert-v1:0", "embed", tiny_bert(folder / "bert"), 32), embed),
    }


def in_pool(body, home, **settings):
    async def run():
        pool = EnginePool(EngineSettings(threads=1, **settings), home)
        try:
            return await asyncio.wait_for(body(pool), 100)
        finally:
            await pool.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the server's
        result = runner.run(run())
    assert not psutil.Process().children(recursive=True)
    return result


@pytest.mark.parametrize("kind", ["llama", "embed"])
def test_kills_under_load(kind, tmp_path):
    spec, ask = specs(tmp_path)[kind]

    async def body(pool):
        engine = await pool.engine(spec)
        await ask(engine, 0)
        files = psutil.Process().num_fds()
        outcomes = {"served": 0, "failed": 0}
        stop = asyncio.Event()

        async def client(index):
            while not stop.is_set():
                try:
                    await asyncio.wait_for(ask(engine, index), 30)
                    outcomes["served"] += 1
                except ModelFailure:
                    outcomes["failed"] += 1
                await asyncio.sleep(0)

        clients = [asyncio.create_task(client(index)) for index in range(CLIENTS)]
        seen = set()
        for _ in range(KILLS):
            served = outcomes["served"]
            while outcomes["served"] < served + 5:
                await asyncio.sleep(0.01)
            while not (ready := [line.pid for line in pool.status() if line.state == "ready" and line.pid not in seen]):
                await asyncio.sleep(0.01)
            (pid,) = ready
            seen.add(pid)
            os.kill(pid, signal.SIGKILL)
        served = outcomes["served"]
        while outcomes["served"] < served + 5:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*clients)
        assert len(seen) == KILLS
        assert engine.active == 0
        assert psutil.Process().num_fds() <= files + 1
        return outcomes

    outcomes = in_pool(body, tmp_path, slots=4)
    assert outcomes["failed"] <= KILLS * CLIENTS


def test_crash_loop_of_a_real_child_is_held_back(tmp_path):
    """A child that always dies while it loads."""
    spec, _ = specs(tmp_path)["embed"]

    others = set(psutil.Process().children())  # Of other tests of this process: parsers, say.

    async def body(pool):
        for attempt in range(5):
            loading = asyncio.create_task(pool.engine(spec))
            if attempt < 3:
                while not (children := set(psutil.Process().children()) - others):
                    await asyncio.sleep(0.005)
                os.kill(children.pop().pid, signal.SIGKILL)
            with pytest.raises(ModelFailure, match="SIGKILL"):
                await loading
        (line,) = pool.status()
        assert (line.state, line.pid) == ("backoff", None)

    in_pool(body, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["llama", "embed"])
def test_children_die_with_a_killed_server(kind, tmp_path):
    spec, _ = specs(tmp_path)[kind]
    program = f"""
import asyncio
from pathlib import Path
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.pool import EnginePool
from rocamadre.engines.protocol import LoadSpec

async def main():
    pool = EnginePool(EngineSettings(threads=1), Path({str(tmp_path)!r}))
    await pool.engine(LoadSpec("m", {kind!r}, Path({str(spec.path)!r}), 64))
    print(pool.status()[0].pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as server:
        pid = int(server.stdout.readline())
        assert psutil.pid_exists(pid)
        server.kill()
    deadline = time.monotonic() + 5
    while _alive(pid):
        assert time.monotonic() < deadline, "the child outlived its server"
        time.sleep(0.02)


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_unloading_leaves_no_process_and_no_socket(tmp_path):
    async def body(pool):
        for spec, ask in specs(tmp_path).values():
            await ask(await pool.engine(spec), 0)
        await pool.unload("test.tiny-v1:0")

    in_pool(body, tmp_path, replicas=2)
    assert list(Path(tmp_path / "sock").glob("*")) == []
