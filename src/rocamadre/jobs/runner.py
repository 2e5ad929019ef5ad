"""Durable work: what a job is, and what runs it.

A job kind is a short list of steps. Each step may run twice, since the worker may be killed at any moment; a step that
finished is not run again, and its result, small JSON, is handed to those after it. What a run needs to know travels as
ids and small JSON; everything else is read where it lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy import Engine as SqlEngine

    from rocamadre.core.clock import Clock
    from rocamadre.core.settings import Settings
    from rocamadre.jobs.api import PlatformApi
    from rocamadre.store.objects.protocol import ObjectStores

JOBS_VERSION = 1
"""Raised when the steps of a kind change so that a run begun by the program before cannot go on."""

State: TypeAlias = Literal["queued", "running", "completed", "stopped", "failed"]
End: TypeAlias = Literal["completed", "stopped", "failed"]
OVER: tuple[State, ...] = ("completed", "stopped", "failed")


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A wish that something be done.

    Attributes:
        kind: A name in the registry of job kinds.
        run_id: The ARN (or id) of the resource that it works for; a second wish with the same id is the first one.
        arguments: Small JSON.
    """

    kind: str
    run_id: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobState:
    """How far a run is.

    Attributes:
        reason: Why it failed, as a sentence; empty otherwise.
        stop_requested: Somebody asked it to stop.
    """

    run_id: str
    kind: str
    state: State
    reason: str
    stop_requested: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        reason: Why it failed, as a sentence that its owner may read; empty otherwise.
    """

    end: End
    reason: str = ""


class RunStopped(Exception):
    """Raised by a step that was asked to stop, and did."""


@dataclass(frozen=True, slots=True)
class JobPlatform:
    """What steps work with. Models are asked through the server, which owns them.

    Attributes:
        api: The server's own interface.
    """

    settings: Settings
    sql: SqlEngine
    objects: ObjectStores
    clock: Clock
    api: PlatformApi


@dataclass(frozen=True, slots=True)
class Work:
    """One run, as its steps see it.

    Attributes:
        arguments: Of its spec.
        results: Of the steps before this one, by name.
        stop_requested: Asks whether somebody wants it to stop; costs a look into the database.
    """

    run_id: str
    arguments: Mapping[str, Any]
    results: Mapping[str, Any]
    platform: JobPlatform
    stop_requested: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a job.

    Attributes:
        name: Of this kind's steps, the only one.
        run: Returns small JSON. Raises `RunStopped` when it stopped because it was asked to, and `RocamadreError`
            when the run has failed; the message becomes the reason.
    """

    name: str
    run: Callable[[Work], Any]


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job.

    Attributes:
        steps: In order.
        settle: Writes the end into the area's own row, in the transaction that ends the run; may be called twice.
        heavy: It takes much of the machine: only so many of these run at a time (setting `jobs.heavy`), the oldest
            first, and the rest stay queued without holding up other jobs.
    """

    name: str
    steps: tuple[Step, ...]
    settle: Callable[[Connection, Work, Outcome], None]
    heavy: bool = False


class JobRunner(Protocol):
    """Where jobs are left to be done."""

    def enqueue(self, tx: Connection, spec: JobSpec) -> None:
        """Record a wish in the caller's transaction: if that rolls back, nothing was wished.

        Raises:
            InvalidRequest: the arguments are no small JSON.
        """
        ...

    def request_stop(self, tx: Connection, run_id: str) -> JobState | None:
        """Ask a run to stop, in the caller's transaction; None when there is no such run.

        One that has not begun is stopped at once: the state says `stopped`, and the caller settles its own row.
        """
        ...

    def state(self, run_id: str) -> JobState | None:
        """How far a run is; None when there is no such run."""
        ...
