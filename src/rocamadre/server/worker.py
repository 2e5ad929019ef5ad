"""`python -m rocamadre.server.worker`: does the jobs that the server was asked for.

One process beside the server, started by it and ended with it. It reads one line of JSON from its standard input: the
settings, and where the server listens for it. It loads no model and nothing heavy: models are asked through the server,
and heavy work runs in processes of its own (`jobs/launchers`).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

import msgspec

from rocamadre.core.clock import SystemClock
from rocamadre.core.settings import Settings
from rocamadre.jobs.dbos import DbosWorker
from rocamadre.jobs.http_api import HttpApi
from rocamadre.jobs.launchers.process import PROCESS_FILE, end_processes
from rocamadre.jobs.rundir import RunDir
from rocamadre.jobs.runner import JobPlatform
from rocamadre.observability.logging import Logs, configure_logging
from rocamadre.server.kinds import JOB_KINDS
from rocamadre.store.objects.registry import open_objects
from rocamadre.store.sql.database import open_database

_PR_SET_PDEATHSIG = 1
_LOCK_POLL_S = 0.05


def main() -> None:
    """Work until the server says that it is enough, or is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    line = sys.stdin.buffer.readline()
    if not line:
        return
    wish = msgspec.json.decode(line)
    settings = read_settings(wish["settings"])
    logs = configure_logging(level=settings.log.level, folder=settings.home / "logs" / "worker")
    # The worker before this one may still be dying; two would do the same jobs.
    with (settings.home / "worker.lock").open("w") as lock:
        _hold(lock)
        worker = DbosWorker(JOB_KINDS, job_platform(settings, Path(wish["socket"])))
        worker.start()
        signal.signal(signal.SIGTERM, lambda *_: os.close(0))
        _leave(settings.home, logs, stopped=_wait_for_end())


def read_settings(values: dict[str, Any]) -> Settings:
    """The server's settings as they were handed over; neither the environment nor a file adds to them."""
    return Settings.model_validate(values)


def job_platform(settings: Settings, socket: Path) -> JobPlatform:
    """What the steps of jobs work with."""
    return JobPlatform(
        settings=settings,
        sql=open_database(settings.home, settings.database),
        objects=open_objects(settings),
        clock=SystemClock(),
        api=HttpApi(socket, timeout_s=settings.server.request_timeout_s + 5),
    )


def _hold(lock: IO[str]) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(_LOCK_POLL_S)


def _wait_for_end() -> bool:
    """Whether somebody stopped us, with a word on our standard input or by signal; otherwise the server has died."""
    try:
        return bool(os.read(0, 1))
    except OSError:
        return True


def _leave(home: Path, logs: Logs, *, stopped: bool) -> None:
    """End at once: whatever was being done goes on from its last trace the next time, as after a kill.

    Processes of heavy work end with a platform that is stopped. They outlive one that died: the next worker finds them.
    """
    if not stopped:
        os._exit(0)
    # A run may have a second process in a folder of its own below the first's.
    found = [*home.glob(f"runs/*/{PROCESS_FILE}"), *home.glob(f"runs/*/*/{PROCESS_FILE}")]
    end_processes([RunDir(path.parent) for path in found])
    logs.close()
    os._exit(0)


if __name__ == "__main__":
    main()
