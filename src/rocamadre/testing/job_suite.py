"""What every executor of jobs must do, as tests. To check one of your own:

```python
class TestMine(JobSuite):
    @staticmethod
    def executor(kinds, platform):
        return MyWorker(kinds, platform)  # with start() and close()
```
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from rocamadre.core.clock import SystemClock
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry
from rocamadre.core.settings import load_settings
from rocamadre.jobs.queue import QueuedJobs
from rocamadre.jobs.runner import OVER, JobKind, JobPlatform, JobSpec, JobState, Outcome, RunStopped, Step, Work
from rocamadre.store.sql.database import open_database

LONGEST_S = 30.0
T = TypeVar("T")


@dataclass
class Bench:
    """A queue, an executor, and a kind of job whose steps the test supplies.

    Attributes:
        settled: How runs ended, in order: run id and outcome.
        ran: Names of steps as they were begun.
    """

    jobs: QueuedJobs
    platform: JobPlatform
    executor: Any
    settled: list[tuple[str, Outcome]] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    started: bool = False

    def enqueue(self, run_id: str, kind: str = "test", **arguments: Any) -> None:
        """Leave a run in a transaction of its own."""
        with self.platform.sql.begin() as tx:
            self.jobs.enqueue(tx, JobSpec(kind, run_id, arguments))

    def start(self) -> None:
        """Start the executor."""
        self.started = True
        self.executor.start()

    def over(self, run_id: str) -> JobState:
        """Wait until a run is over."""

        def ended() -> JobState | None:
            state = self.jobs.state(run_id)
            return state if state is not None and state.state in OVER else None

        return self.wait(ended)

    def wait(self, found: Callable[[], T | None]) -> T:
        """Wait until something is so, within a time limit."""
        deadline = time.monotonic() + LONGEST_S
        while not (value := found()):
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.01)
        return value


_STEPS: dict[str, Callable[[Work], Any]] = {}
"""What the steps of the kind `test` do; set by each test."""
_BENCH: list[Bench] = []


def _run(name: str) -> Callable[[Work], Any]:
    def run(work: Work) -> Any:
        _BENCH[-1].ran.append(name)
        step = _STEPS.get(name)
        return None if step is None else step(work)

    return run


def _settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    _BENCH[-1].settled.append((work.run_id, outcome))


TEST_KIND = JobKind("test", (Step("first", _run("first")), Step("second", _run("second"))), _settle)

HEAVY_KIND = JobKind("heavy", TEST_KIND.steps, _settle, heavy=True)


class JobSuite:
    """What every executor must do."""

    @staticmethod
    def executor(kinds: Registry[JobKind], platform: JobPlatform) -> Any:
        """The executor under test, with `start()` and `close()`."""
        raise NotImplementedError

    @staticmethod
    def database(home: Path) -> str:
        """SQLAlchemy URL; empty for SQLite in the home."""
        return ""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        """A fresh queue and executor."""
        settings = load_settings(home=tmp_path, database=self.database(tmp_path))
        sql = open_database(settings.home, settings.database)
        nothing: Any = None  # These jobs need neither objects nor models.
        platform = JobPlatform(settings, sql, nothing, SystemClock(), nothing)
        kinds: Registry[JobKind] = Registry(
            "job",
            {name: f"rocamadre.testing.job_suite:{name.upper()}_KIND" for name in ("test", "heavy")},
        )
        made = Bench(QueuedJobs(sql, platform.clock), platform, self.executor(kinds, platform))
        _STEPS.clear()
        _BENCH.append(made)
        yield made
        if made.started:
            made.executor.close()
        _BENCH.pop()
        sql.dispose()

    def test_steps_run_in_order_and_hand_on_their_results(self, bench: Bench) -> None:
        """The arguments and the results before reach each step; the end is settled."""
        seen: list[Any] = []
        _STEPS["first"] = lambda work: {"doubled": 2 * work.arguments["number"]}
        _STEPS["second"] = lambda work: seen.append((work.run_id, dict(work.results)))
        bench.start()
        bench.enqueue("arn:run/one", number=21)
        assert bench.over("arn:run/one") == JobState("arn:run/one", "test", "completed", "", False)
        assert bench.ran == ["first", "second"]
        assert seen == [("arn:run/one", {"first": {"doubled": 42}})]
        assert bench.settled == [("arn:run/one", Outcome("completed"))]

    def test_what_is_rolled_back_was_never_asked(self, bench: Bench) -> None:
        """The row and the wish are one transaction."""
        with bench.platform.sql.connect() as tx:
            bench.jobs.enqueue(tx, JobSpec("test", "arn:run/undone"))
            tx.rollback()
        bench.start()
        bench.enqueue("arn:run/done")
        bench.over("arn:run/done")
        assert bench.jobs.state("arn:run/undone") is None
        assert bench.ran == ["first", "second"]

    def test_a_repeat_attaches(self, bench: Bench) -> None:
        """One id, one run, whether the first still waits or is over."""
        bench.enqueue("arn:run/same")
        bench.enqueue("arn:run/same")
        bench.start()
        bench.over("arn:run/same")
        bench.enqueue("arn:run/same")
        bench.enqueue("arn:run/after")
        bench.over("arn:run/after")
        assert [run_id for run_id, _ in bench.settled] == ["arn:run/same", "arn:run/after"]

    def test_what_a_step_refuses_is_the_reason(self, bench: Bench) -> None:
        """The steps after it do not run."""

        def refuse(work: Work) -> Any:
            raise InvalidRequest("there is no such bucket")

        _STEPS["first"] = refuse
        bench.start()
        bench.enqueue("arn:run/refused")
        state = bench.over("arn:run/refused")
        assert (state.state, state.reason) == ("failed", "there is no such bucket")
        assert bench.ran == ["first"]
        assert bench.settled == [("arn:run/refused", Outcome("failed", "there is no such bucket"))]

    def test_a_crash_is_told_without_its_words(self, bench: Bench) -> None:
        """An exception of a library may repeat what it was given."""

        def crash(work: Work) -> Any:
            raise KeyError("a secret")

        _STEPS["second"] = crash
        bench.start()
        bench.enqueue("arn:run/crashed")
        state = bench.over("arn:run/crashed")
        assert state.state == "failed"
        assert "second" in state.reason
        assert "KeyError" in state.reason
        assert "secret" not in state.reason

    def test_stop_before_it_begins(self, bench: Bench) -> None:
        """It is over at once, and never begins."""
        bench.enqueue("arn:run/early")
        with bench.platform.sql.begin() as tx:
            state = bench.jobs.request_stop(tx, "arn:run/early")
        assert state is not None
        assert state.state == "stopped"
        bench.start()
        bench.enqueue("arn:run/next")
        bench.over("arn:run/next")
        assert bench.ran == ["first", "second"]
        assert [run_id for run_id, _ in bench.settled] == ["arn:run/next"]

    def test_stop_while_it_runs(self, bench: Bench) -> None:
        """The step sees it, and leaves."""
        began = threading.Event()

        def patient(work: Work) -> Any:
            began.set()
            bench.wait(work.stop_requested)
            raise RunStopped

        _STEPS["first"] = patient
        bench.start()
        bench.enqueue("arn:run/long")
        assert began.wait(LONGEST_S)
        with bench.platform.sql.begin() as tx:
            state = bench.jobs.request_stop(tx, "arn:run/long")
        assert state is not None
        assert (state.state, state.stop_requested) == ("running", True)
        assert bench.over("arn:run/long").state == "stopped"
        assert bench.ran == ["first"]
        assert bench.settled == [("arn:run/long", Outcome("stopped"))]

    def test_several_at_once(self, bench: Bench) -> None:
        """A long run does not hold up another."""
        both = threading.Barrier(2, timeout=LONGEST_S)
        _STEPS["first"] = lambda work: both.wait() and None
        bench.start()
        bench.enqueue("arn:run/left")
        bench.enqueue("arn:run/right")
        assert {bench.over("arn:run/left").state, bench.over("arn:run/right").state} == {"completed"}

    def test_heavy_runs_wait_for_each_other(self, bench: Bench) -> None:
        """One at a time; those that wait are still queued, can be stopped, and hold up nobody else."""
        go = threading.Event()
        running: list[str] = []

        def patient(work: Work) -> Any:
            if work.run_id.startswith("arn:heavy/"):
                running.append(work.run_id)
                assert len(running) == 1, "two at once"
                bench.wait(go.is_set)
                running.remove(work.run_id)

        _STEPS["first"] = patient
        bench.start()
        for name in ("one", "two", "three"):
            bench.enqueue(f"arn:heavy/{name}", "heavy")
        bench.wait(lambda: running)
        for name in ("left", "right"):
            bench.enqueue(f"arn:run/{name}")
            assert bench.over(f"arn:run/{name}").state == "completed"
        waiting = [name for name in ("one", "two", "three") if f"arn:heavy/{name}" not in running]
        states = [bench.jobs.state(f"arn:heavy/{name}") for name in waiting]
        assert [state.state for state in states if state] == ["queued", "queued"]
        with bench.platform.sql.begin() as tx:
            stopped = bench.jobs.request_stop(tx, f"arn:heavy/{waiting[0]}")
        assert stopped is not None
        assert stopped.state == "stopped"
        go.set()
        ends = {name: bench.over(f"arn:heavy/{name}").state for name in ("one", "two", "three")}
        assert ends.pop(waiting[0]) == "stopped"
        assert set(ends.values()) == {"completed"}

    @pytest.mark.parametrize("arguments", [{"key": b"bytes"}, {"key": {1: 2}}, {"key": "x" * 70_000}, {"key": (1,)}])
    def test_arguments_are_small_json(self, bench: Bench, arguments: dict[str, Any]) -> None:
        """What would not read back as it was is refused, and nothing is left behind."""
        with pytest.raises(InvalidRequest, match=r"JSON|at most"):
            bench.enqueue("arn:run/odd", **arguments)
        assert bench.jobs.state("arn:run/odd") is None

    def test_nobody_knows_an_unknown_run(self, bench: Bench) -> None:
        """Neither its state nor how to stop it."""
        assert bench.jobs.state("arn:run/none") is None
        with bench.platform.sql.begin() as tx:
            assert bench.jobs.request_stop(tx, "arn:run/none") is None
