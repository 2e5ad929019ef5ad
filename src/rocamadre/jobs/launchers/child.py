"""`python -m rocamadre.jobs.launchers.child MODULE RUN_DIR`: the child's half of `process.py`."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

import psutil

from rocamadre.core.errors import Conflict, RocamadreError
from rocamadre.jobs.launchers.process import PROCESS_FILE
from rocamadre.jobs.rundir import RunDir, write_json
from rocamadre.jobs.runner import RunStopped

BUSY = 3
"""Exit status when another process holds the folder."""


def main(module: str, path: str) -> int:
    """Hold the folder, say who we are, work, write the result last."""
    folder = RunDir(Path(path))
    try:
        with folder.held():
            write_json(folder.path / PROCESS_FILE, {"pid": os.getpid(), "started_at": psutil.Process().create_time()})
            if folder.result() is None:
                folder.finish(_result(module, folder))
    except Conflict:
        return BUSY
    return 0


def _result(module: str, folder: RunDir) -> dict[str, object]:
    try:
        return {"done": dict(import_module(module).run(folder))}
    except RunStopped:
        return {"stopped": True}
    except RocamadreError as error:
        return {"failed": error.message}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
