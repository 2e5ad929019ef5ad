"""How far a job is, read from its run's folder: by the API, the command and the console, while it runs and after."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rocamadre.customization.types import OVER, Job
from rocamadre.jobs.rundir import RunDir
from rocamadre.training.progress import curves

PUBLISH = "publish"
"""The folder of the second child's run, in the job's."""

Points: TypeAlias = tuple[tuple[int, float], ...]
State: TypeAlias = Literal["queued", "preparing", "training", "paused", "publishing", "over"]

_BEGINNINGS = ("started", "resumed")
_MOST_POINTS = 500
_MOST_WARNINGS = 20
_RECENT_STEPS = 50


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is.

    Attributes:
        reason: Why it is paused or waits, or why it failed; empty otherwise.
        step: Of optimiser steps done.
        steps: Of optimiser steps in all; 0 before that is known.
        loss: Of the last step, in nats per token.
        validation_loss: The last one.
        eta_s: Seconds until the training ends, at the pace of the last steps; None where there is none.
        losses: Step and loss; of a long run every n-th, as in those that follow.
        validation_losses: Step and loss.
        learning_rates: Step and rate.
        gradient_norms: Step and norm.
    """

    state: State
    reason: str
    step: int
    steps: int
    epoch: float
    loss: float | None
    validation_loss: float | None
    tokens_per_s: float | None
    eta_s: float | None
    warnings: tuple[str, ...]
    losses: Points
    validation_losses: Points
    learning_rates: Points
    gradient_norms: Points


def run_dir(home: Path, job_arn: str) -> RunDir:
    """Where a job keeps what it has done."""
    return RunDir(home / "runs" / f"customization-{hashlib.sha256(job_arn.encode()).hexdigest()[:16]}")


def begin_again(folder: RunDir) -> None:
    """Forget how a run ended, so that it goes on from what it left."""
    folder.clear_stop()
    (folder.path / "result.json").unlink(missing_ok=True)
    RunDir(folder.path / PUBLISH).discard()


def progress_of(home: Path, job: Job) -> JobProgress:
    """How far a job is; also when it is over."""
    folder = run_dir(home, job.arn)
    events = folder.progress()
    steps, validations = curves(events)
    last: Mapping[str, Any] = steps[-1] if steps else {}
    begun: Mapping[str, Any] = next((event for event in reversed(events) if event.get("event") in _BEGINNINGS), {})
    total = int(begun.get("steps", 0))
    state, reason = _state(job, folder, events)
    return JobProgress(
        state=state,
        reason=reason,
        step=int(last.get("step", 0)),
        steps=total,
        epoch=float(last.get("epoch", 0.0)),
        loss=last.get("loss"),
        validation_loss=validations[-1]["loss"] if validations else None,
        tokens_per_s=last.get("tokens_per_s"),
        eta_s=_eta_s(events, total) if state == "training" else None,
        warnings=tuple(str(event["message"]) for event in events if event.get("event") == "warning")[-_MOST_WARNINGS:],
        losses=_points(steps, "loss"),
        validation_losses=_points(validations, "loss"),
        learning_rates=_points(steps, "learning_rate"),
        gradient_norms=_points(steps, "gradient_norm"),
    )


def _state(job: Job, folder: RunDir, events: Sequence[Mapping[str, Any]]) -> tuple[State, str]:
    if job.status in OVER:
        return "over", job.message
    if job.parts["validation"].status == "NotStarted":
        return "queued", ""
    if job.parts["training"].status == "NotStarted":
        return "preparing", ""
    if (folder.path / PUBLISH / "spec.json").exists():
        return "publishing", ""
    # What a run says while it works on ends its pause.
    last: Mapping[str, Any] = next(
        (event for event in reversed(events) if event.get("event") not in ("warning", "checkpoint")), {}
    )
    if last.get("event") == "paused":
        return "paused", str(last.get("reason", ""))
    return "training", ""


def _eta_s(events: Sequence[Mapping[str, Any]], total: int) -> float | None:
    """At the pace of the last steps without a break in between."""
    recent: list[Mapping[str, Any]] = []
    for event in reversed(events):
        if event.get("event") in (*_BEGINNINGS, "paused"):
            break
        if event.get("event") == "step":
            recent.append(event)
            if len(recent) > _RECENT_STEPS:
                break
    if len(recent) < 2:
        return None
    newest, oldest = recent[0], recent[-1]
    steps = int(newest["step"]) - int(oldest["step"])
    passed_s = (datetime.fromisoformat(newest["at"]) - datetime.fromisoformat(oldest["at"])).total_seconds()
    return max(0.0, (total - int(newest["step"])) * passed_s / steps) if steps > 0 else None


def _points(events: Iterable[Mapping[str, Any]], name: str) -> Points:
    points = [(int(event["step"]), float(event[name])) for event in events if event.get(name) is not None]
    stride = max(1, -(-len(points) // _MOST_POINTS))
    kept = list(points[::stride])
    if points and kept[-1] != points[-1]:
        kept.append(points[-1])
    return tuple(kept)
