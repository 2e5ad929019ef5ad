"""A trainer without torch, for tests of the jobs around it: its losses follow from its data, and a kill costs it steps.

`method_settings.rank` of 997 crashes it, 998 refuses, 999 waits at each step for a file `go` beside the run's folder.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from pathlib import Path

from rocamadre.core.clock import SystemClock
from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets import canonical
from rocamadre.jobs.rundir import read_json, write_json
from rocamadre.jobs.runner import RunStopped

LONGEST_S = 300.0
CRASH, REFUSE, WAIT = 997, 998, 999
STEP_S = float(os.environ.get("STUB_STEP_S", "0"))


def run(folder):
    spec = folder.spec()
    settings = spec["settings"]
    rank = settings["method_settings"].get("rank", 0)
    with (folder.path / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    if rank == CRASH:
        os._exit(9)
    if rank == REFUSE:
        raise InvalidRequest("the stub refuses")
    (path,) = spec["train"]
    seed = zlib.crc32(b"".join(canonical.encode(example) for example in canonical.read(Path(path))))
    steps = settings["max_steps"] or 10
    checkpoints = folder.path / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    saved = read_json(checkpoints / "last.json")
    step, state = (saved["step"], saved["state"]) if saved else (0, seed)
    note = {
        "event": "resumed" if saved else "started",
        "step": step,
        "steps": steps,
        "trainable": 10,
        "parameters": 100,
    }
    folder.note(SystemClock(), note)
    deadline = time.monotonic() + LONGEST_S
    while step < steps:
        if folder.stop_requested():
            write_json(checkpoints / "last.json", {"step": step, "state": state})
            raise RunStopped
        while rank == WAIT and not (folder.path.parent / "go").exists():
            if folder.stop_requested() or not folder.path.exists() or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        time.sleep(STEP_S)
        state = zlib.crc32(json.dumps([state, step]).encode())
        step += 1
        fields = {"learning_rate": 1e-3, "gradient_norm": 1.0, "tokens": 8 * step, "tokens_per_s": 100.0}
        loss = 3.0 / step + state / 2**33
        folder.note(SystemClock(), {"event": "step", "step": step, "epoch": 2 * step / steps, "loss": loss, **fields})
        if spec["validation"]:
            folder.note(SystemClock(), {"event": "validation", "step": step, "loss": loss + 0.5})
        if step % 3 == 0:
            write_json(checkpoints / "last.json", {"step": step, "state": state})
    model = folder.work / "model"
    model.mkdir(exist_ok=True)
    (model / "weights").write_text(str(state))
    return {
        "model": "model",
        "form": "adapter",
        "method": settings["method"],
        "steps": steps,
        "loss": loss,
        "validation_loss": loss + 0.5 if spec["validation"] else None,
        "best_step": steps,
        "tokens": 8 * steps,
        "seconds": 0.5,
        "peak_memory_bytes": 1_000_000,
        **_forgetting(spec.get("forgetting", {})),
    }


def _forgetting(files):
    sizes = {name: len(list(canonical.read(Path(path)))) for name, path in files.items()}
    sets = [{"name": name, "before": size, "after": size + 0.5, "change": 0.5} for name, size in sizes.items()]
    return {"forgetting": {"sets": sets, "forgotten": list(sizes), "tolerance": 0.05}} if sets else {}
