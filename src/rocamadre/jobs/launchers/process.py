"""Heavy work in a process of its own, that outlives the worker: started once, found again by pid and start time.

```
python -m rocamadre.jobs.launchers.child MODULE RUN_DIR
```

runs `MODULE.run(RunDir)` while it holds the folder's lock. Before that it writes `process.json` (pid and start time),
so that a worker that was killed and restarted finds it. A child that is gone without a result is started again: the
module goes on from what it left in the folder.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import psutil

from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.jobs.rundir import RunDir, read_json
from rocamadre.jobs.runner import RunStopped

logger = logging.getLogger(__name__)

PROCESS_FILE = "process.json"
LOG_FILE = "process.log"
MOST_DEATHS = 3
"""Times in a row that a child may end without a result and without a line of progress in between."""

_POLL_S = 0.1


class ProcessLauncher:
    """Starts heavy work and waits for it.

    Args:
        environment: Of the children.
        poll_s: Seconds between looks at a child.
    """

    def __init__(self, environment: Mapping[str, str], *, poll_s: float = _POLL_S) -> None:
        self._environment = dict(environment)
        self._poll_s = poll_s

    def run(self, module: str, folder: RunDir, *, stop_requested: Callable[[], bool]) -> dict[str, Any]:
        """See that the work is done: start it, or wait for one that runs already.

        Args:
            module: Has a function `run(folder: RunDir) -> Mapping`, which returns when `folder.stop_requested()`.
            folder: Begun, with its `spec.json`.
            stop_requested: Asked now and then; once true, the folder is told.

        Returns:
            What the module returned.

        Raises:
            RunStopped: it was asked to stop and did.
            RocamadreError: the work failed; its own sentence.
        """
        deaths, seen, started = 0, -1, None
        while (result := folder.result()) is None:
            if stop_requested():
                folder.request_stop()
            if not running(folder, started):
                progress = len(folder.progress())
                deaths = 0 if progress > seen else deaths + 1
                seen = progress
                if deaths >= MOST_DEATHS:
                    raise RocamadreError(
                        f"the process of {module} ended {MOST_DEATHS} times without a result; {LOG_FILE} in the run's "
                        "folder says more"
                    )
                if folder.stop_requested() and started is None and process_of(folder) is None:
                    raise RunStopped
                started = self._start(module, folder)
            time.sleep(self._poll_s)
        if started is not None:
            started.wait()  # The result is its last act.
        if result.get("failed"):
            raise InvalidRequest(result["failed"])
        if result.get("stopped"):
            raise RunStopped
        found: dict[str, Any] = result["done"]
        return found

    def _start(self, module: str, folder: RunDir) -> subprocess.Popen[bytes]:
        with (folder.path / LOG_FILE).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rocamadre.jobs.launchers.child", module, str(folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        logger.info("job.process_started", extra={"program": module, "pid": process.pid})
        return process


def process_of(folder: RunDir) -> psutil.Process | None:
    """The process that wrote `process.json`, if it still lives: the same pid and the same start time."""
    known = read_json(folder.path / PROCESS_FILE)
    if known is None:
        return None
    try:
        process = psutil.Process(known["pid"])
        alive = process.create_time() == known["started_at"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if alive else None


def running(folder: RunDir, started: subprocess.Popen[bytes] | None) -> bool:
    """Whether a child is at work, be it ours or one that a worker before us started."""
    if started is not None and started.poll() is None:
        return True
    return process_of(folder) is not None


def end_processes(folders: list[RunDir], *, wait_s: float = 5.0) -> None:
    """Terminate what runs in these folders, when the platform is stopped; it goes on from there the next time."""
    processes = [process for folder in folders if (process := process_of(folder)) is not None]
    for process in processes:
        try:
            os.kill(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
    for process in psutil.wait_procs(processes, timeout=wait_s)[1]:
        process.kill()
