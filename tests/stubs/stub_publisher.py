"""A publisher without torch, for tests: the model it publishes is the fake engine."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from rocamadre.core.clock import SystemClock
from rocamadre.core.errors import InvalidRequest


def run(folder):
    spec = folder.spec()
    folder.note(SystemClock(), {"event": "publishing", "part": "load"})
    time.sleep(float(os.environ.get("STUB_STEP_S", "0")))
    if spec["name"].startswith("sabotaged"):
        raise InvalidRequest("the model is not published, since it would not answer as it was trained")
    destination = Path(spec["destination"])
    partial = destination.with_name(f".{destination.name}.partial")
    if not destination.exists():
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(spec["trained"], partial)
        partial.rename(destination)
    return {
        "engine": "fake",
        "path": str(destination / "weights"),
        "options": {},
        "size_bytes": 10,
        "parameters": 100,
        "context_length": 4096,
        "certificate": {"passed": True, "prompts": len(spec["prompts"])},
    }
