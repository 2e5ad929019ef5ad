"""The worker's keeper, with a child that does as it is told."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from rocamadre.core.clock import SystemClock
from rocamadre.core.settings import load_settings
from rocamadre.jobs.queue import QueuedJobs
from rocamadre.jobs.runner import JobSpec
from rocamadre.server import keeper
from rocamadre.server.keeper import WorkerKeeper
from rocamadre.server.worker import read_settings
from rocamadre.store.sql.database import open_database


@dataclass
class Child:
    """Stands for the worker's process."""

    code: asyncio.Future
    stdin: None = None

    async def wait(self):
        return await asyncio.shield(self.code)


@pytest.fixture
def platform(tmp_path):
    settings = load_settings(home=tmp_path)
    sql = open_database(tmp_path)
    yield SimpleNamespace(settings=settings, sql=sql, clock=SystemClock())
    sql.dispose()


@pytest.fixture
def make(platform, monkeypatch):
    """A keeper whose children are in the list."""
    monkeypatch.setattr(keeper, "LONGEST_PAUSE_S", 0.01)

    def build():
        made = WorkerKeeper(platform, Path("/nowhere"))
        children = []

        async def start():
            children.append(Child(asyncio.get_running_loop().create_future()))
            return children[-1]

        made._start = start
        return made, children

    return build


async def until(found):
    async with asyncio.timeout(20):
        while not found():
            await asyncio.sleep(0.005)


async def end(task, children):
    task.cancel()
    for child in children:
        if not child.code.done():
            child.code.set_result(0)
    await asyncio.gather(task, return_exceptions=True)


async def test_it_starts_with_the_first_wish_and_again_after_each_death(make):
    made, children = make()
    task = asyncio.create_task(made.run())
    await asyncio.sleep(0.05)
    assert children == []
    await asyncio.to_thread(made.need)
    await until(lambda: len(children) == 1)
    for count in range(1, 5):
        children[-1].code.set_result(-9)
        await until(lambda count=count: len(children) == count + 1)
    made.need()
    await asyncio.sleep(0.05)
    assert len(children) == 5
    await end(task, children)


async def test_what_was_left_undone_starts_it(make, platform):
    with platform.sql.begin() as tx:
        QueuedJobs(platform.sql, platform.clock).enqueue(tx, JobSpec("any", "run"))
    made, children = make()
    task = asyncio.create_task(made.run())
    await until(lambda: children)
    await end(task, children)


def test_the_settings_reach_the_worker_as_they_are(tmp_path, monkeypatch):
    settings = load_settings(home=tmp_path, server={"port": 4711, "allowed_hosts": ["a"]}, batch={"max_records": 7})
    monkeypatch.setenv("ROCA_SERVER__PORT", "1")
    assert read_settings(settings.model_dump(mode="json")) == settings


def test_the_server_does_not_import_the_durable_engine():
    code = "import sys, rocamadre.server.__main__; print([n for n in ('dbos', 'psycopg') if n in sys.modules])"
    found = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
