"""Heavy work as a test wants it; run in a child by `launchers/child.py`."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rocamadre.core.clock import SystemClock
from rocamadre.core.errors import InvalidRequest
from rocamadre.jobs.runner import RunStopped


def run(folder):
    spec = folder.spec()
    with Path(folder.path, "starts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if spec.get("refuse"):
        raise InvalidRequest(spec["refuse"])
    if spec.get("crash"):
        os._exit(9)
    for step in range(len(folder.progress()), spec["steps"]):
        if folder.stop_requested():
            raise RunStopped
        time.sleep(spec.get("step_s", 0.0))
        folder.note(SystemClock(), {"step": step})
    return {"steps": len(folder.progress())}
