"""kill -9 of a training run at any moment: it goes on, and its losses and weights are those of one left alone.

Runs are made by forks of one process that has torch in memory already: starting Python anew for each takes minutes.
Calls that a run makes are wrapped so that one of them, before or after, kills the process.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RECORDS = 24
SETTINGS = {
    "epochs": 2,
    "batch_size": 2,
    "accumulation": 2,
    "max_length": 96,
    "learning_rate": 0.01,
    "checkpoint_every": 2,
    "evaluate_every": 3,
    "weight_decay": 0.1,
    "precision": "fp32",
    "threads": 1,
}
CASES = {
    "full": {"method": "full", "packing": True},
    "lora": {"method": "lora", "method_settings": {"rank": 4, "dropout": 0.2}},
}
ALL = ("note", "fsync", "replace", "rename", "save_file", "write_whole", "np.save", "rmtree", "step")
KINDS = {"full": (*ALL, "moment"), "lora": ("note", "save_file", "moment")}
"""What a killed process was about to do, or had just done; `moment` is any."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Everything is run once, in one process; tests look at what came of it."""
    folder = tmp_path_factory.mktemp("kills")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    with (folder / "log").open("wb") as log:
        done = subprocess.run(
            [sys.executable, __file__, str(folder)], env=environment, stderr=log, timeout=390, check=False
        )
    assert done.returncode == 0, (folder / "log").read_text()[-3000:]
    return json.loads((folder / "outcomes.json").read_text())


pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize(("case", "kind"), [(case, kind) for case, kinds in KINDS.items() for kind in kinds])
def test_a_killed_run_ends_as_if_nothing_had_happened(outcomes, case, kind):
    alone, killed = outcomes[f"{case}/alone"], outcomes[f"{case}/{kind}"]
    assert killed["kills"] >= (2 if kind != "np.save" else 1)
    assert killed["losses"] == alone["losses"]
    assert killed["validations"] == alone["validations"]
    assert killed["weights"] == alone["weights"]
    assert killed["result"] == alone["result"]
    assert killed["left"] == []


def test_the_loss_falls_at_all(outcomes):
    losses = [loss for _, loss in outcomes["full/alone"]["losses"]]
    assert losses[-1] < losses[0] - 0.5


@pytest.mark.parametrize("name", ["truncated", "stopped", "no room", "a write without room"])
def test_what_else_happens_to_runs(outcomes, name):
    alone, other = outcomes["full/alone"], outcomes[name]
    assert other["losses"] == alone["losses"]
    assert other["weights"] == alone["weights"]
    events = other["events"]
    if name == "truncated":
        assert any("checkpoint 4 is damaged" in message for message in other["warnings"])
        assert other["resumed"] == [3]
    elif name == "stopped":
        assert other["first"] == {"stopped": True}
        assert other["resumed"] == [4]
    else:
        assert "paused" in events
        assert "continued" in events
        assert any("the disk is full" in reason for reason in other["reasons"])


# What follows is run by `outcomes`, in a process of its own.


def work(folder: Path) -> None:
    """Do all runs and write `outcomes.json`."""
    import rocamadre.training.methods.lora
    import rocamadre.training.run  # noqa: F401  (before the forks)
    from rocamadre.datasets import canonical
    from rocamadre.datasets.types import Chat, Turn
    from rocamadre.testing.tiny import tiny_llama

    base = tiny_llama(folder / "base")
    for name, first in (("train", 0), ("validation", 100)):
        chats = [
            Chat((Turn("user", f"What is {n} and {n}?"), Turn("assistant", f"It is {2 * n}." + " Yes." * (n % 5))))
            for n in range(first, first + (RECORDS if name == "train" else 6))
        ]
        canonical.write(folder / f"{name}.jsonl", chats)

    def begin(name: str, case: str) -> Path:
        from rocamadre.jobs.rundir import RunDir

        run = RunDir(folder / name.replace("/", "-"))
        files = {"train": [str(folder / "train.jsonl")], "validation": [str(folder / "validation.jsonl")]}
        run.begin({"base": str(base), "objective": "chat", **files, "settings": SETTINGS | CASES[case]})
        return run.path

    found = {}
    for case in CASES:
        path = begin(f"{case}/alone", case)
        counts = path / "counts.json"
        attempt(path, lambda counts=counts: count_calls(counts))
        calls = json.loads(counts.read_text())
        counts.unlink()
        found[f"{case}/alone"] = outcome(path, 0)
        for kind in KINDS[case]:
            dice = random.Random(f"{case}{kind}")
            path, kills = begin(f"{case}/{kind}", case), 0
            while kills < 3:
                if kind == "moment":
                    killed = attempt(path, lambda: None, kill_after=dice.randrange(14))
                else:
                    number, when = dice.randrange(max(1, calls[kind] // 2)), dice.choice(["before", "after"])
                    killed = attempt(path, lambda k=kind, n=number, w=when: kill_at(k, n, w))
                if not killed:
                    break
                kills += 1
            attempt(path, lambda: None)
            found[f"{case}/{kind}"] = outcome(path, kills)
    others(begin, found)
    (folder / "outcomes.json").write_text(json.dumps(found))


def others(begin, found) -> None:
    path = begin("truncated", "full")
    attempt(path, lambda: kill_at("step", 5, "before"))
    weights = path / "checkpoints" / "4" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    attempt(path, lambda: None)
    found["truncated"] = outcome(path, 1)
    path = begin("stopped", "full")
    attempt(path, lambda: act_at("step", 3, (path / "stop").touch))
    first = json.loads((path / "result.json").read_text())
    (path / "result.json").unlink()
    (path / "stop").unlink()
    attempt(path, lambda: None)
    found["stopped"] = outcome(path, 0) | {"first": first}
    path = begin("no room", "full")
    attempt(path, lambda: no_room(3))
    found["no room"] = outcome(path, 0)
    path = begin("a write without room", "full")
    attempt(path, lambda: full_disk(3))
    found["a write without room"] = outcome(path, 0)


def attempt(path: Path, prepare, kill_after: int | None = None) -> bool:
    """Run in a fork, killed after some more events or not at all; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            from rocamadre.jobs.launchers.child import main
            from rocamadre.training import loop

            loop._PAUSE_S = 0.01
            prepare()
            os._exit(main("rocamadre.training.run", str(path)))
        except BaseException:
            __import__("traceback").print_exc()
            os._exit(9)
    if kill_after is not None:
        progress, begun = path / "progress.jsonl", None
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            events = progress.read_bytes().count(b"\n") if progress.exists() else 0
            begun = events if begun is None else begun
            if events > begun + kill_after:
                time.sleep(kill_after * 0.003)
                os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.001)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, path
    return False


def outcome(path: Path, kills: int) -> dict:
    from rocamadre.jobs.rundir import RunDir
    from rocamadre.training.progress import curves

    run = RunDir(path)
    lines = run.progress()
    steps, validations = curves(lines)
    result = run.result()
    assert "done" in result, result
    keep = ("form", "method", "steps", "loss", "validation_loss", "best_step", "tokens")
    weights = sorted((run.work / "model").glob("*.safetensors"))
    return {
        "kills": kills,
        "losses": [(each["step"], each["loss"]) for each in steps],
        "validations": [(each["step"], each["loss"]) for each in validations],
        "weights": [__import__("hashlib").sha256(each.read_bytes()).hexdigest() for each in weights],
        "result": {name: result["done"][name] for name in keep},
        "left": [str(each) for each in path.rglob("*partial*")],
        "events": [line["event"] for line in lines],
        "resumed": [line["step"] for line in lines if line["event"] == "resumed"],
        "warnings": [line["message"] for line in lines if line["event"] == "warning"],
        "reasons": [line["reason"] for line in lines if line["event"] == "paused"],
    }


def wrap(kind: str, make) -> None:
    """Put `make(original)` in the place of what `kind` names."""
    import numpy as np
    import torch

    import rocamadre.jobs.rundir as rundir
    from rocamadre.training import checkpoints

    owner, name = {
        "note": (rundir.RunDir, "note"),
        "fsync": (os, "fsync"),
        "replace": (Path, "replace"),
        "rename": (Path, "rename"),
        "save_file": (checkpoints, "save_file"),
        "write_whole": (rundir, "write_whole"),
        "np.save": (np, "save"),
        "rmtree": (shutil, "rmtree"),
        "step": (torch.optim.AdamW, "step"),
    }[kind]
    setattr(owner, name, make(getattr(owner, name)))


def count_calls(path: Path) -> None:
    counts = dict.fromkeys(ALL, 0)

    def counted(kind):
        def make(original):
            def call(*given, **named):
                counts[kind] += 1
                if kind != "write_whole" or "counts" not in str(given[0]):
                    path.write_text(json.dumps(counts))
                return original(*given, **named)

            return call

        return make

    for kind in ALL:
        wrap(kind, counted(kind))


def act_at(kind: str, number: int, act, *, when: str = "before") -> None:
    seen = [0]

    def make(original):
        def call(*given, **named):
            seen[0] += 1
            if seen[0] == number + 1 and when == "before":
                act()
            result = original(*given, **named)
            if seen[0] == number + 1 and when == "after":
                act()
            return result

        return call

    wrap(kind, make)


def kill_at(kind: str, number: int, when: str) -> None:
    act_at(kind, number, lambda: os.kill(os.getpid(), signal.SIGKILL), when=when)


def no_room(times: int) -> None:
    """The disk is full for the first looks at it."""
    from rocamadre.training import memory

    left = [times]

    def free(_):
        left[0] -= 1
        return 0 if left[0] >= 0 else 1 << 40

    memory.free_disk_bytes = free


def full_disk(times: int) -> None:
    """There seems to be room, but writes fail."""
    left = [times]

    def make(original):
        def call(*given, **named):
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(*given, **named)

        return call

    wrap("save_file", make)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
