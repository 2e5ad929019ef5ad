"""kill -9 while a model is published: nothing half done is ever under its name, and the next start finishes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from rocamadre.jobs.rundir import RunDir
from rocamadre.testing.tuned import gguf_base, tune
from rocamadre.training import publish

PATIENCE_S = 250


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    base = gguf_base(folder)
    return base, tune(base, folder / "model", "lora", {"rank": 2, "alpha": 8})


def start(folder):
    command = [sys.executable, "-m", "rocamadre.jobs.launchers.child", "rocamadre.training.publish", str(folder.path)]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True)


@pytest.mark.timeout(900)
def test_killed_when_nearly_done_it_is_published_once(tmp_path, trained):
    base, model = trained
    folder, destination = RunDir(tmp_path / "run"), tmp_path / "models" / "custom-1"
    destination.parent.mkdir()
    folder.begin({"base": str(base), "trained": str(model), "method": "lora", "destination": str(destination)})
    process = start(folder)
    deadline = time.monotonic() + PATIENCE_S
    while "ask the served model" not in [event["part"] for event in folder.progress()]:
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert [path.name for path in destination.parent.iterdir()] == [".custom-1.partial"]
    assert folder.result() is None
    result = publish.run(folder)
    assert [path.name for path in destination.parent.iterdir()] == ["custom-1"]
    assert json.loads((destination / "publication.json").read_text()) == result
    # Killed after the name was given and before the result was written: what is there is the result.
    before = (destination / "model-f16.gguf").stat().st_ino
    assert publish.run(folder) == result
    assert (destination / "model-f16.gguf").stat().st_ino == before
