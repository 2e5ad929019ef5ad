"""Heavy work in a child process: started once, found again, begun again where it left off."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.jobs.launchers.process import PROCESS_FILE, ProcessLauncher, end_processes, process_of
from rocamadre.jobs.rundir import RunDir, write_json
from rocamadre.jobs.runner import RunStopped

LONGEST_S = 60.0


def never():
    return False


@pytest.fixture
def launcher():
    here = str(Path(__file__).parent)
    return ProcessLauncher(os.environ | {"PYTHONPATH": here}, poll_s=0.01)


@pytest.fixture
def begin(tmp_path):
    made = []

    def make(**spec):
        folder = RunDir(tmp_path / "run")
        folder.begin(spec)
        made.append(folder)
        return folder

    yield make
    end_processes(made)


def starts(folder):
    return Path(folder.path, "starts").read_text().split()


def wait(found):
    deadline = time.monotonic() + LONGEST_S
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


class Watcher:
    """A worker's step that waits for the child, in a thread."""

    def __init__(self, launcher, folder, stop_requested=never):
        self.result = self.error = None
        self._run = lambda: launcher.run("heavy", folder, stop_requested=stop_requested)
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        try:
            self.result = self._run()
        except (RocamadreError, RunStopped) as error:
            self.error = error

    def join(self):
        self.thread.join(LONGEST_S)
        assert not self.thread.is_alive()
        return self


def test_it_runs_once_and_its_result_is_kept(launcher, begin):
    folder = begin(steps=3)
    assert launcher.run("heavy", folder, stop_requested=never) == {"steps": 3}
    assert launcher.run("heavy", folder, stop_requested=never) == {"steps": 3}
    assert len(starts(folder)) == 1


def test_what_it_refuses_comes_through(launcher, begin):
    folder = begin(refuse="there are no rows")
    with pytest.raises(InvalidRequest, match="there are no rows"):
        launcher.run("heavy", folder, stop_requested=never)


def test_a_child_that_always_dies_is_given_up(launcher, begin):
    folder = begin(crash=True)
    with pytest.raises(RocamadreError, match="3 times"):
        launcher.run("heavy", folder, stop_requested=never)
    assert len(starts(folder)) == 3


def test_a_killed_child_goes_on_where_it_was(launcher, begin):
    folder = begin(steps=40, step_s=0.02)
    watcher = Watcher(launcher, folder)
    for kill in range(3):
        wait(lambda kill=kill: len(folder.progress()) > 5 * kill + 2 and process_of(folder))
        process_of(folder).kill()
        wait(lambda kill=kill: len(starts(folder)) == kill + 2)
    assert watcher.join().result == {"steps": 40}
    assert [line["step"] for line in folder.progress()] == list(range(40))
    assert len(starts(folder)) == 4


def test_a_second_worker_finds_the_child_of_the_first(launcher, begin):
    folder = begin(steps=40, step_s=0.02)
    first = Watcher(launcher, folder)
    wait(folder.progress)
    second = Watcher(launcher, folder)
    assert first.join().result == second.join().result == {"steps": 40}
    assert len(starts(folder)) == 1


def test_stop(launcher, begin):
    folder = begin(steps=10_000, step_s=0.02)
    watcher = Watcher(launcher, folder, stop_requested=lambda: len(folder.progress()) > 2)
    assert isinstance(watcher.join().error, RunStopped)
    assert process_of(folder) is None


def test_the_platforms_end_ends_the_child_and_the_next_goes_on(launcher, begin):
    folder = begin(steps=30, step_s=0.02)
    program = f"""
import os
from pathlib import Path
from rocamadre.jobs.launchers.process import ProcessLauncher
from rocamadre.jobs.rundir import RunDir
ProcessLauncher(os.environ).run("heavy", RunDir(Path({str(folder.path)!r})), stop_requested=lambda: False)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as worker:
        wait(folder.progress)
        worker.kill()  # With its child still at work.
    assert process_of(folder) is not None
    end_processes([folder])
    assert process_of(folder) is None
    assert launcher.run("heavy", folder, stop_requested=never) == {"steps": 30}


def test_another_process_under_the_same_pid_is_not_the_child(begin):
    folder = begin(steps=1)
    write_json(folder.path / PROCESS_FILE, {"pid": os.getpid(), "started_at": psutil.Process().create_time() - 5})
    assert process_of(folder) is None
