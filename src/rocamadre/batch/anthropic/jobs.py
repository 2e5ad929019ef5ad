"""A message batch's steps: ask for every request, then write the results. The requests were checked when they came."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import Connection

from rocamadre.batch.anthropic.folders import (
    REQUESTS,
    RESULTS,
    batch_dir,
    most_params_bytes,
    read_requests,
    run_dir,
    write_lines,
)
from rocamadre.batch.anthropic.operations import KIND as KIND_NAME
from rocamadre.batch.anthropic.records import read_record, unanswered_line
from rocamadre.batch.anthropic.tables import end_batch, select_batch
from rocamadre.batch.anthropic.types import End, MessageBatch
from rocamadre.batch.jobs import run_records
from rocamadre.batch.progress import Progress
from rocamadre.batch.running import Job, Source, concurrency
from rocamadre.core.errors import NotFound
from rocamadre.jobs.runner import JobKind, Outcome, Step, Work

_ENDS: dict[str, End] = {"finished": "completed", "stopped": "canceled", "timed_out": "expired"}


def ask(work: Work) -> dict[str, Any]:
    """Ask for every request that is not done."""
    batch, settings = _batch(work), work.platform.settings
    source = Source(
        0, partial(read_requests, settings, batch.id), partial(read_record, most_bytes=most_params_bytes(settings))
    )
    job = Job(
        work,
        batch.account,
        batch.region,
        (source,),
        batch.expires_at.timestamp(),
        concurrency(settings),
        _tell_nobody,
    )
    folder = run_dir(settings, batch.id)
    folder.begin({"batch": batch.id})
    with folder.held(), Progress(folder.work / "done", 1) as progress:
        return {"end": _ENDS[run_records(job, progress)]}


def publish(work: Work) -> dict[str, int]:
    """Write the results: a line for every request, answered or not, in their order."""
    batch, settings, end = _batch(work), work.platform.settings, work.results["ask"]["end"]
    folder = run_dir(settings, batch.id)
    with folder.held(), Progress(folder.work / "done", 1) as progress:
        write_lines(batch_dir(settings, batch.id) / RESULTS, _results(work, batch, progress, end))
        counts = progress.counts
        found = {"succeeded": counts.good, "errored": counts.bad}
        left = batch.total - counts.done
    return found | {end: left} if left else found


def tidy(work: Work) -> None:
    """Remove what was only needed on the way."""
    batch, settings = _batch(work), work.platform.settings
    (batch_dir(settings, batch.id) / REQUESTS).unlink(missing_ok=True)
    run_dir(settings, batch.id).discard()


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Write how the batch ended; one that could not be brought to its end has errors only."""
    counts = work.results.get("publish")
    end: End = work.results["ask"]["end"] if counts else "failed"
    if counts is None:
        batch = select_batch(tx, work.run_id)
        counts = {"errored": batch.total if batch else 0}
    end_batch(tx, work.run_id, end, now=work.platform.clock.now(), **counts)


KIND = JobKind(KIND_NAME, (Step("ask", ask), Step("publish", publish), Step("tidy", tidy)), settle)


def _results(work: Work, batch: MessageBatch, progress: Progress, end: End) -> Iterator[bytes]:
    done = progress.lines(0)
    for line in read_requests(work.platform.settings, batch.id):
        yield next(done) if progress.has(0, line.place) else unanswered_line(line, end)


def _batch(work: Work) -> MessageBatch:
    with work.platform.sql.connect() as connection:
        batch = select_batch(connection, work.run_id)
    if batch is None:
        raise NotFound(f"{work.run_id} is gone")
    return batch


def _tell_nobody(progress: Progress) -> None:
    """Anthropic tells counts of requests when a batch has ended, and not before."""
