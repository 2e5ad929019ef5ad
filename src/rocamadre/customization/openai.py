"""Customization jobs as the OpenAI wire sees them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict
from rocamadre.core.ids import ALPHABET, short_id
from rocamadre.customization.models import fine_tuned_name
from rocamadre.customization.operations import get_job, list_jobs, resume_job, stop_job
from rocamadre.customization.progress import run_dir
from rocamadre.customization.tables import write_facts
from rocamadre.customization.types import OVER, Job
from rocamadre.training.progress import curves

Status: TypeAlias = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled", "paused"]
RESULTS = "fine-tune-results"
"""Purpose of the file of metrics."""

_LONGEST_NAME = 40
_ID_LENGTH = 24


class _Said(NamedTuple):
    at: datetime
    message: str
    level: str = "info"
    data: Mapping[str, Any] | None = None


def get(ctx: Context, name: str) -> Job:
    """One job of this wire by its id.

    Raises:
        NotFound: there is none.
    """
    return get_job(ctx, name, wire="openai")


def list_all(ctx: Context) -> list[Job]:
    """The account's jobs of this wire, newest first."""
    return list_jobs(ctx, wire="openai")


def cancel(ctx: Context, name: str) -> Job:
    """Stop a job for good.

    Raises:
        NotFound: there is none.
        Conflict: it is over.
    """
    job = get(ctx, name)
    if status_of(job) == "paused":
        return _mark(ctx, job, paused=False)
    return _stop(ctx, job, paused=False)


def pause(ctx: Context, name: str) -> Job:
    """Stop a job until it is resumed.

    Raises:
        NotFound: there is none.
        Conflict: it is over.
    """
    return _stop(ctx, get(ctx, name), paused=True)


def resume(ctx: Context, name: str) -> Job:
    """Let a job that was paused go on from its newest checkpoint.

    Raises:
        NotFound: there is none.
        Conflict: it was not paused, or is still leaving.
    """
    job = get(ctx, name)
    if status_of(job) != "paused":
        raise Conflict(f"Cannot resume a job with status '{status_of(job)}'.")
    return resume_job(ctx, job.name, wire="openai")


def status_of(job: Job) -> Status:
    """A job's status in this wire's words; one that is being stopped still runs."""
    if job.status == "Completed":
        return "succeeded"
    if job.status == "Failed":
        return "failed"
    if job.status == "Stopped":
        return "paused" if job.facts.get("paused") else "cancelled"
    if job.parts["validation"].status == "NotStarted":
        return "queued"
    return "validating_files" if job.parts["training"].status == "NotStarted" else "running"


def model_name(base_name: str, suffix: str) -> str:
    """A name for the model, as Bedrock's forms demand it, that nobody has."""
    told = re.sub(r"[^0-9a-zA-Z]+", "-", suffix or base_name).strip("-")[:_LONGEST_NAME].strip("-") or "model"
    return f"ft-{told}-{short_id(8)}"


def fine_tuned_model(job: Job) -> str:
    """By which the model is asked on this wire."""
    suffix = re.sub(r"[^0-9a-zA-Z]+", "-", str(job.echoed.get("suffix", ""))).strip("-")
    return fine_tuned_name(job.model_arn, str(job.echoed.get("base_name", "")), suffix)


def result_file_id(job: Job) -> str:
    """The id of its file of metrics, the same when it is written again."""
    number = int.from_bytes(hashlib.sha256(job.arn.encode()).digest(), "big")
    letters = []
    for _ in range(_ID_LENGTH):
        number, index = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[index])
    return f"file-{''.join(letters)}"


def result_lines(progress: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    """The file of metrics."""
    steps, validations = curves(progress)
    validated = {event["step"]: event["loss"] for event in validations}
    yield b"step,train_loss,valid_loss\n"
    for event in steps:
        valid = validated.get(event["step"])
        yield f"{event['step']},{_figure(event['loss'])},{_figure(valid)}\n".encode()


def events(home: Path, job: Job) -> list[dict[str, Any]]:
    """What happened, newest first."""
    said = sorted(_said(home, job), key=lambda each: each.at)
    found = [
        {
            "id": f"ftevent-{hashlib.sha256(f'{job.arn} {number}'.encode()).hexdigest()[:_ID_LENGTH]}",
            "object": "fine_tuning.job.event",
            "created_at": int(each.at.timestamp()),
            "level": each.level,
            "message": each.message,
            "type": "metrics" if each.data else "message",
            "data": dict(each.data or {}),
        }
        for number, each in enumerate(said)
    ]
    return found[::-1]


def checkpoints(home: Path, job: Job) -> list[dict[str, Any]]:
    """The model itself, once it is there; those on the way cannot be asked."""
    if job.status != "Completed":
        return []
    steps, validations = curves(run_dir(home, job.arn).progress())
    last = steps[-1] if steps else {}
    return [
        {
            "id": f"ftckpt_{job.id}{last.get('step', 0)}",
            "object": "fine_tuning.job.checkpoint",
            "created_at": int((job.ended_at or job.modified_at).timestamp()),
            "fine_tuned_model_checkpoint": fine_tuned_model(job),
            "fine_tuning_job_id": job.name,
            "step_number": last.get("step", 0),
            "metrics": {
                "step": last.get("step", 0),
                "train_loss": last.get("loss"),
                "full_valid_loss": validations[-1]["loss"] if validations else None,
            },
        }
    ]


def _stop(ctx: Context, job: Job, *, paused: bool) -> Job:
    if job.status in OVER:
        raise Conflict(f"Cannot {'pause' if paused else 'cancel'} a job with status '{status_of(job)}'.")
    _mark(ctx, job, paused=paused)
    return stop_job(ctx, job.name, wire="openai")


def _mark(ctx: Context, job: Job, *, paused: bool) -> Job:
    with ctx.platform.sql.begin() as tx:
        write_facts(tx, job.arn, {"paused": paused}, now=ctx.platform.clock.now())
    return get(ctx, job.name)


def _said(home: Path, job: Job) -> Iterator[_Said]:
    yield _Said(job.created_at, f"Created fine-tuning job: {job.name}")
    parts = {name: part for name, part in job.parts.items() if part.status != "NotStarted"}
    if "validation" in parts:
        began = datetime.fromisoformat(parts["validation"].created_at)
        yield _Said(began, f"Validating training file: {job.training.uri}")
    if "training" in parts:
        yield _Said(datetime.fromisoformat(parts["training"].created_at), "Fine-tuning job started")
    yield from _of_run(run_dir(home, job.arn).progress())
    if job.ended_at is None:
        return
    if job.status == "Completed":
        yield _Said(job.ended_at, f"New fine-tuned model created: {fine_tuned_model(job)}")
        yield _Said(job.ended_at, "The job has successfully completed")
    elif job.status == "Failed":
        yield _Said(job.ended_at, f"The job failed: {job.message}", "error")
    else:
        yield _Said(job.ended_at, f"Fine-tuning job {status_of(job)}")


def _of_run(progress: Iterable[Mapping[str, Any]]) -> Iterator[_Said]:
    lines = list(progress)
    total = next((line["steps"] for line in reversed(lines) if "steps" in line), 0)
    steps, validations = curves(lines)
    validated = {event["step"]: event["loss"] for event in validations}
    for event in steps:
        step, loss = event["step"], event["loss"]
        data = {"step": step, "total_steps": total, "train_loss": loss}
        message = f"Step {step}/{total}: training loss={_figure(loss)}"
        if step in validated:
            data["full_valid_loss"] = validated[step]
            message += f", full validation loss={_figure(validated[step])}"
        yield _Said(datetime.fromisoformat(event["at"]), message, data=data)
    for line in lines:
        if line.get("event") == "warning":
            yield _Said(datetime.fromisoformat(line["at"]), str(line["message"]), "warn")
        elif line.get("event") == "paused":
            yield _Said(datetime.fromisoformat(line["at"]), f"Waiting: {line['reason']}", "warn")


def _figure(loss: float | None) -> str:
    return "" if loss is None else f"{loss:.4f}"
