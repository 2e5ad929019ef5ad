"""One run from its beginning to its end, whatever engine remembers which steps are done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from rocamadre.core.errors import RocamadreError
from rocamadre.core.registry import Registry
from rocamadre.jobs.queue import arguments_of, begin_run, count_try, end_run, forget_tries, stop_requested
from rocamadre.jobs.runner import JobKind, JobPlatform, Outcome, RunStopped, Step, Work

logger = logging.getLogger(__name__)

MOST_TRIES = 100
"""Times that the worker may die in the same step of a run before the run is given up."""

Durable: TypeAlias = Callable[[str, Callable[[], Any]], Any]
"""`durable(name, work)` runs some work, or returns what it returned when it was done before."""
Kinds: TypeAlias = Registry[JobKind]


def execute(kinds: Kinds, kind_name: str, run_id: str, platform: JobPlatform, durable: Durable) -> None:
    """Take a run through its steps.

    What passes through `durable` is small JSON and never an exception: how a step ended is part of its result. The body
    itself reads nothing and decides by those results alone, so that it goes the same way when it is run again.
    """
    arguments = durable("begin", partial(begin_run, platform.sql, run_id))
    if arguments is None:
        return
    kind = kinds.load(kind_name)
    results: dict[str, Any] = {}
    end = ["completed", ""]
    for step in kind.steps:
        work = _work(run_id, arguments, results, platform)
        answer = durable(step.name, partial(_attempt, step, work))
        if answer["end"] is not None:
            end = answer["end"]
            break
        results = {**results, step.name: answer["result"]}
    work = _work(run_id, arguments, results, platform)
    durable("end", partial(_end, kind, work, end))


def give_up(kinds: Kinds, kind_name: str, run_id: str, platform: JobPlatform, reason: str) -> None:
    """End a run that cannot go on."""
    with platform.sql.connect() as connection:
        arguments = arguments_of(connection, run_id)
    _end(kinds.load(kind_name), _work(run_id, arguments, {}, platform), ["failed", reason])


def _work(run_id: str, arguments: dict[str, Any], results: dict[str, Any], platform: JobPlatform) -> Work:
    return Work(run_id, arguments, results, platform, partial(stop_requested, platform.sql, run_id))


def _attempt(step: Step, work: Work) -> dict[str, Any]:
    """Run a step; here is the worker's edge, where every exception becomes an end."""
    sql = work.platform.sql
    tries = count_try(sql, work.run_id)
    if tries > MOST_TRIES:
        return _ended("failed", f"the worker died {MOST_TRIES} times in step {step.name!r}; its log says more")
    try:
        result = step.run(work)
    except RunStopped:
        return _ended("stopped")
    except RocamadreError as error:
        logger.info("job.refused", extra={"run": work.run_id, "step": step.name, "error": type(error).__name__})
        return _ended("failed", error.message)
    except OSError as error:
        logger.exception("job.crashed", extra={"run": work.run_id, "step": step.name})
        return _ended("failed", f"step {step.name!r} failed: {error.strerror or type(error).__name__}")
    except Exception as error:
        logger.exception("job.crashed", extra={"run": work.run_id, "step": step.name})
        return _ended("failed", f"step {step.name!r} failed ({type(error).__name__}); the worker's log says more")
    forget_tries(sql, work.run_id)
    return {"end": None, "result": result}


def _ended(end: str, reason: str = "") -> dict[str, Any]:
    return {"end": [end, reason], "result": None}


def _end(kind: JobKind, work: Work, end: list[str]) -> None:
    outcome = Outcome(*end)  # type: ignore[arg-type]  # one of the three words, as written above
    with work.platform.sql.begin() as tx:
        end_run(tx, work.run_id, outcome, now=work.platform.clock.now().isoformat())
        kind.settle(tx, work, outcome)
    logger.info("job.ended", extra={"run": work.run_id, "kind": kind.name, "end": outcome.end})
