"""Jobs in this process, for tests: the same queue, no durable engine, the steps' results forgotten with the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rocamadre.jobs.execution import Kinds, execute
from rocamadre.jobs.queue import mark_handed_over, new_runs
from rocamadre.jobs.runner import JobPlatform


class InlineJobs:
    """Works off the queue, one run after the other or each in a thread of its own.

    Args:
        kinds: What it can do.
        platform: What the steps work with.
    """

    def __init__(self, kinds: Kinds, platform: JobPlatform) -> None:
        self._kinds = kinds
        self._platform = platform
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._heavy = threading.Semaphore(platform.settings.jobs.heavy)
        self._taker: threading.Thread | None = None

    def drain(self) -> int:
        """Do all that is queued, and what is queued meanwhile, here and now; returns how many runs there were."""
        count = 0
        while runs := new_runs(self._platform.sql):
            for run_id, kind in runs:
                mark_handed_over(self._platform.sql, run_id)
                self._execute(kind, run_id)
                count += 1
        return count

    def start(self) -> None:
        """Begin to do each run in a thread as it comes."""
        self._taker = threading.Thread(target=self._take, name="inline jobs", daemon=True)
        self._taker.start()

    def close(self) -> None:
        """Take no more runs, and wait for those that are being done."""
        self._stop.set()
        if self._taker is not None:
            self._taker.join()
        for thread in self._threads:
            thread.join()

    def _take(self) -> None:
        while not self._stop.wait(0.01):
            for run_id, kind in new_runs(self._platform.sql):
                mark_handed_over(self._platform.sql, run_id)
                thread = threading.Thread(target=self._execute_in_turn, args=(kind, run_id), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _execute_in_turn(self, kind: str, run_id: str) -> None:
        if not self._kinds.load(kind).heavy:
            self._execute(kind, run_id)
            return
        with self._heavy:
            self._execute(kind, run_id)

    def _execute(self, kind: str, run_id: str) -> None:
        execute(self._kinds, kind, run_id, self._platform, _at_once)


def _at_once(_name: str, work: Callable[[], Any]) -> Any:
    return work()
