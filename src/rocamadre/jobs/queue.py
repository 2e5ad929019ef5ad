"""Runs in SQL: left in the caller's own transaction, and moved from state to state by whoever runs them.

The table is all that the server needs. It never imports the durable engine: the worker takes new rows from here and
hands them to it under the same run id, so that a hand-over that was cut off is made again without doubling anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update
from sqlalchemy import Engine as SqlEngine

from rocamadre.core.clock import Clock
from rocamadre.core.errors import InvalidRequest
from rocamadre.jobs.runner import JOBS_VERSION, OVER, JobSpec, JobState, Outcome
from rocamadre.jobs.tables import RUNS

MOST_ARGUMENT_BYTES = 65_536
_STATE = (RUNS.c.run_id, RUNS.c.kind, RUNS.c.state, RUNS.c.reason, RUNS.c.stop_requested)


class QueuedJobs:
    """See `JobRunner`.

    Attributes:
        wake: Called after each wish, from any thread and before its transaction ends; starts the worker in a server.
    """

    def __init__(self, sql: SqlEngine, clock: Clock) -> None:
        self._sql = sql
        self._clock = clock
        self.wake: Callable[[], None] = _nobody

    def enqueue(self, tx: Connection, spec: JobSpec) -> None:
        """See `JobRunner.enqueue`."""
        arguments = _encoded(spec)
        if tx.execute(select(RUNS.c.run_id).where(RUNS.c.run_id == spec.run_id)).first() is None:
            row = {
                "run_id": spec.run_id,
                "kind": spec.kind,
                "arguments": arguments,
                "state": "queued",
                "reason": "",
                "stop_requested": False,
                "handed_over": False,
                "version": JOBS_VERSION,
                "tries": 0,
                "created_at": self._clock.now().isoformat(),
                "ended_at": "",
            }
            tx.execute(insert(RUNS).values(row))
        self.wake()

    def request_stop(self, tx: Connection, run_id: str) -> JobState | None:
        """See `JobRunner.request_stop`."""
        stopped = {"state": "stopped", "stop_requested": True, "ended_at": self._clock.now().isoformat()}
        mine = RUNS.c.run_id == run_id
        if not tx.execute(update(RUNS).where(mine, RUNS.c.state == "queued").values(stopped)).rowcount:
            tx.execute(update(RUNS).where(mine, RUNS.c.state == "running").values(stop_requested=True))
        return find_run(tx, run_id)

    def state(self, run_id: str) -> JobState | None:
        """See `JobRunner.state`."""
        with self._sql.connect() as connection:
            return find_run(connection, run_id)


def _nobody() -> None:
    """Nobody is to be woken."""


def _encoded(spec: JobSpec) -> str:
    try:
        encoded = msgspec.json.encode(spec.arguments)
        plain = msgspec.json.decode(encoded) == spec.arguments
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"the arguments of a {spec.kind} job must be plain JSON: {error}") from error
    if not plain:
        raise InvalidRequest(f"the arguments of a {spec.kind} job must be plain JSON that reads back as it was")
    if len(encoded) > MOST_ARGUMENT_BYTES:
        raise InvalidRequest(
            f"the arguments of a {spec.kind} job have {len(encoded)} bytes, at most {MOST_ARGUMENT_BYTES} are taken; "
            "store them and pass an id"
        )
    return encoded.decode()


def find_run(tx: Connection, run_id: str) -> JobState | None:
    """A run's state."""
    row = tx.execute(select(*_STATE).where(RUNS.c.run_id == run_id)).one_or_none()
    return None if row is None else JobState(*row)


def unfinished(sql: SqlEngine) -> bool:
    """Whether any run is not over."""
    with sql.connect() as connection:
        return connection.execute(select(RUNS.c.run_id).where(RUNS.c.state.not_in(OVER)).limit(1)).first() is not None


def new_runs(sql: SqlEngine, most: int = 100) -> list[tuple[str, str]]:
    """Run ids and kinds that nobody has taken yet, oldest first."""
    query = select(RUNS.c.run_id, RUNS.c.kind).where(RUNS.c.state == "queued", RUNS.c.handed_over.is_(False))
    with sql.connect() as connection:
        return [(row.run_id, row.kind) for row in connection.execute(query.order_by(RUNS.c.created_at).limit(most))]


def mark_handed_over(sql: SqlEngine, run_id: str) -> None:
    """The durable engine has it."""
    with sql.begin() as tx:
        tx.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(handed_over=True))


def foreign_runs(sql: SqlEngine) -> list[tuple[str, str, int]]:
    """Runs that another version of the jobs began and left: run id, kind, version."""
    query = select(RUNS.c.run_id, RUNS.c.kind, RUNS.c.version).where(
        RUNS.c.state == "running", RUNS.c.version != JOBS_VERSION
    )
    with sql.connect() as connection:
        return [(row.run_id, row.kind, row.version) for row in connection.execute(query)]


def begin_run(sql: SqlEngine, run_id: str) -> dict[str, Any] | None:
    """Move a run from queued to running; safe to repeat.

    Returns:
        Its arguments; None when it is over, or is not there, and nothing is to be done.
    """
    mine = RUNS.c.run_id == run_id
    with sql.begin() as tx:
        tx.execute(update(RUNS).where(mine, RUNS.c.state == "queued").values(state="running", version=JOBS_VERSION))
        row = tx.execute(select(RUNS.c.arguments, RUNS.c.state).where(mine)).one_or_none()
    if row is None or row.state != "running":
        return None
    arguments: dict[str, Any] = msgspec.json.decode(row.arguments)
    return arguments


def arguments_of(tx: Connection, run_id: str) -> dict[str, Any]:
    """What was asked of a run; empty when it is not there."""
    text = tx.execute(select(RUNS.c.arguments).where(RUNS.c.run_id == run_id)).scalar()
    arguments: dict[str, Any] = msgspec.json.decode(text) if text else {}
    return arguments


def count_try(sql: SqlEngine, run_id: str) -> int:
    """Count one more start of the present step; returns how many there were."""
    with sql.begin() as tx:
        tx.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(tries=RUNS.c.tries + 1))
        return tx.execute(select(RUNS.c.tries).where(RUNS.c.run_id == run_id)).scalar() or 0


def forget_tries(sql: SqlEngine, run_id: str) -> None:
    """The step came to an end."""
    with sql.begin() as tx:
        tx.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(tries=0))


def end_run(tx: Connection, run_id: str, outcome: Outcome, *, now: str) -> None:
    """Move a run to its end; safe to repeat."""
    values = {"state": outcome.end, "reason": outcome.reason, "ended_at": now}
    tx.execute(update(RUNS).where(RUNS.c.run_id == run_id, RUNS.c.state == "running").values(values))


def stop_requested(sql: SqlEngine, run_id: str) -> bool:
    """Whether somebody asked the run to stop."""
    with sql.connect() as connection:
        return bool(connection.execute(select(RUNS.c.stop_requested).where(RUNS.c.run_id == run_id)).scalar())
