"""Durable execution by DBOS, embedded in the worker: its tables lie in the platform's own database.

This is the only module that imports `dbos`, and only the worker imports this one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from rocamadre.jobs.execution import Kinds, execute, give_up
from rocamadre.jobs.queue import foreign_runs, mark_handed_over, new_runs
from rocamadre.jobs.runner import JOBS_VERSION, JobPlatform

logger = logging.getLogger(__name__)

APP_NAME = "rocamadre"
QUEUE = "jobs"
HEAVY_QUEUE = "heavy jobs"
WORKFLOW = "run"


class DbosWorker:
    """Works off the queue, durably. DBOS keeps its state in globals: one worker per process.

    Args:
        kinds: What it can do.
        platform: What the steps work with.
        executor_id: Stable over restarts: a worker takes up what the worker of this name left.
        poll_s: Seconds between looks at our own queue, which cost little. DBOS's look at its costs three times as much,
            and is taken more seldom: beside a job that computes on one core, each look is that job's time.
    """

    def __init__(
        self, kinds: Kinds, platform: JobPlatform, *, executor_id: str = "worker-0", poll_s: float = 0.3
    ) -> None:
        self._kinds = kinds
        self._platform = platform
        self._executor_id = executor_id
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._hand_over, name="job queue", daemon=True)

    def start(self) -> None:
        """Take up what was left, then what is new."""
        _send_logs_to_ours()
        config: DBOSConfig = {
            "name": APP_NAME,
            "system_database_url": self._platform.sql.url.render_as_string(hide_password=False),
            "executor_id": self._executor_id,
            "application_version": str(JOBS_VERSION),
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        DBOS(config=config)

        def run(run_id: str, kind: str) -> None:
            execute(self._kinds, kind, run_id, self._platform, _durable)

        DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)(run)
        for run_id, kind, version in foreign_runs(self._platform.sql):
            reason = (
                f"it was begun by version {version} of the jobs, and this program has {JOBS_VERSION}; create it again"
            )
            give_up(self._kinds, kind, run_id, self._platform, reason)
        DBOS.launch()
        jobs = self._platform.settings.jobs
        for queue, most, poll_s in (
            (QUEUE, jobs.concurrency, 1.5 * self._poll_s),
            (HEAVY_QUEUE, jobs.heavy, 5 * self._poll_s),
        ):
            DBOS.register_queue(queue, worker_concurrency=most, polling_interval_sec=poll_s)
        self._thread.start()

    def close(self) -> None:
        """Leave: what is being done is taken up by the next worker."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        DBOS.destroy(destroy_registry=True)

    def _hand_over(self) -> None:
        """Give DBOS each new row of the queue under its run id, which makes a repeat harmless."""
        while not self._stop.wait(self._poll_s):
            for run_id, kind in new_runs(self._platform.sql):
                DBOS.enqueue_workflow_with_options(
                    {
                        "workflow_name": WORKFLOW,
                        "queue_name": HEAVY_QUEUE if self._kinds.load(kind).heavy else QUEUE,
                        "workflow_id": run_id,
                        "app_version": str(JOBS_VERSION),
                    },
                    run_id,
                    kind,
                )
                mark_handed_over(self._platform.sql, run_id)
                logger.info("job.taken", extra={"run": run_id, "kind": kind})


def _durable(name: str, work: Callable[[], Any]) -> Any:
    # The steps' own failures are part of their results; what raises here is a busy or absent database.
    return DBOS.run_step({"name": name, "retries_allowed": True, "max_attempts": 10, "interval_seconds": 0.5}, work)


def _send_logs_to_ours() -> None:
    theirs = logging.getLogger("dbos")
    theirs.handlers.clear()
    theirs.propagate = True
