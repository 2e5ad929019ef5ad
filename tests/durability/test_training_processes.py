"""Two processes share a run: the losses of one, also when one of them is killed, and nothing that only seems so."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets import canonical
from rocamadre.datasets.types import Chat, Turn
from rocamadre.jobs.rundir import RunDir
from rocamadre.testing.tiny import tiny_llama
from rocamadre.training import parallel
from rocamadre.training.progress import curves
from rocamadre.training.settings import TrainingSettings

pytestmark = pytest.mark.timeout(400)
SETTINGS = {
    "method": "full",
    "epochs": 2,
    "batch_size": 2,
    "max_length": 96,
    "packing": True,
    "learning_rate": 0.01,
    "precision": "fp32",
    "threads": 1,
    "checkpoint_every": 2,
}
SHARED = {"single": {"accumulation": 2}, "ddp": {"processes": 2}, "fsdp": {"processes": 2}}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("processes")
    tiny_llama(home / "base")
    chats = [
        Chat((Turn("user", f"What is {n} and {n}?"), Turn("assistant", f"It is {2 * n}." + " Yes." * (n % 5))))
        for n in range(24)
    ]
    canonical.write(home / "train.jsonl", chats)
    canonical.write(home / "validation.jsonl", chats[:6])
    return home


def begin(home, name, strategy):
    run = RunDir(home / name)
    files = {"train": [str(home / "train.jsonl")], "validation": [str(home / "validation.jsonl")]}
    settings = SETTINGS | SHARED[strategy] | {"strategy": strategy}
    run.begin({"base": str(home / "base"), "objective": "chat", **files, "settings": settings})
    return run


def start(run):
    command = [sys.executable, "-m", "rocamadre.jobs.launchers.child", "rocamadre.training.run", str(run.path)]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})


def outcome(run):
    steps, validations = curves(run.progress())
    weights = next((run.work / "model").glob("*.safetensors")).read_bytes()
    return [each["loss"] for each in steps], [each["loss"] for each in validations], weights


@pytest.fixture(scope="module")
def single(home):
    run = begin(home, "single", "single")
    assert start(run).wait() == 0
    return outcome(run)


def test_ddp_is_one_process_to_the_last_bit_and_survives_a_kill(home, single):
    run = begin(home, "ddp", "ddp")
    first = start(run)
    while not (run.path / "checkpoints" / "2").exists():
        assert first.poll() is None
        time.sleep(0.01)
    other = psutil.Process(first.pid).children()
    assert len(other) == 1
    os.kill(other[0].pid, signal.SIGKILL)  # The first process notices, and ends without a result.
    assert first.wait() != 0
    assert run.result() is None
    assert start(run).wait() == 0
    assert "resumed" in {line["event"] for line in run.progress()}
    assert outcome(run) == single
    assert not psutil.pid_exists(other[0].pid)


def test_fsdp_is_one_process_within_rounding(home, single):
    run = begin(home, "fsdp", "fsdp")
    assert start(run).wait() == 0
    losses, validations, weights = outcome(run)
    assert losses == pytest.approx(single[0], abs=1e-4)
    assert validations == pytest.approx(single[1], abs=1e-4)
    assert len(weights) == len(single[2])
    assert [line["layout"] for line in run.progress() if line["event"] == "started"] == ["sharded"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"processes": 2}, "set strategy to ddp or fsdp"),
        ({"strategy": "ddp"}, "at least 2 processes"),
        ({"strategy": "fsdp", "processes": 2, "method": "qlora"}, "for 'qlora' take ddp or single"),
        ({"strategy": "fsdp", "processes": 2, "method": "full", "gradient_checkpointing": True}, "does not go with"),
    ],
)
def test_what_would_not_do_what_it_says_is_refused(settings, message):
    with pytest.raises(InvalidRequest, match=message):
        parallel.check(TrainingSettings(**settings))
