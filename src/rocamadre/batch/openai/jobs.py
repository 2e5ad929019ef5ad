"""A batch's steps: look at the input, ask for every request, keep the output as files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Connection

from rocamadre.batch.jobs import run_records
from rocamadre.batch.lines import Line, in_pieces, read_lines
from rocamadre.batch.openai.operations import KIND as KIND_NAME
from rocamadre.batch.openai.records import Problem, check_line, expired_line, read_record
from rocamadre.batch.openai.tables import move, select_batch, write
from rocamadre.batch.openai.types import Batch, Status
from rocamadre.batch.progress import Progress
from rocamadre.batch.running import Job, Record, Source, concurrency
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.files.operations import get_file, read_file, write_file
from rocamadre.files.types import BATCH_OUTPUT
from rocamadre.jobs.rundir import RunDir
from rocamadre.jobs.runner import JobKind, JobPlatform, Outcome, RunStopped, Step, Work

_MOST_ERRORS = 20
_CHECK_LINES = 10_000


def validate(work: Work) -> dict[str, Any]:
    """Check every line, as OpenAI does before a batch begins.

    Raises:
        InvalidRequest: a line is no request; what is wrong is in the batch's `errors`.
        NotFound: the file was deleted.
    """
    batch, platform = _batch(work), work.platform
    limits = platform.settings.batch
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    total = 0
    for line in _lines(platform, batch):
        total += 1
        if line.place % _CHECK_LINES == 0 and work.stop_requested():
            raise RunStopped
        try:
            custom_id = check_line(batch, line, most_bytes=limits.max_record_bytes)
            if custom_id in seen:
                raise Problem("duplicate_custom_id", f"The custom_id {custom_id[:100]!r} is used twice.", "custom_id")
            seen.add(custom_id)
        except Problem as problem:
            errors.append(_error(problem, line.number))
            if len(errors) == _MOST_ERRORS:
                break
    if not total:
        errors.append(_error(Problem("empty_file", "The input file is empty."), None))
    if total > limits.max_records:
        message = f"The input file has {total} requests; at most {limits.max_records} are taken (batch.max_records)."
        errors.append(_error(Problem("too_many_requests", message), None))
    if errors:
        with platform.sql.begin() as tx:
            write(tx, batch.id, errors=msgspec.json.encode(errors).decode())
        raise InvalidRequest(errors[0]["message"])
    run_dir(platform, batch).begin({"batch": batch.id})
    with platform.sql.begin() as tx:
        move(tx, batch.id, "in_progress", now=platform.clock.now(), total=total)
    return {"total": total}


def ask(work: Work) -> dict[str, Any]:
    """Ask for every request that is not done."""
    batch, platform = _batch(work), work.platform
    source = Source(0, partial(_lines, platform, batch), partial(_read, platform, batch))
    job = Job(
        work,
        batch.account,
        batch.region,
        (source,),
        batch.expires_at.timestamp(),
        concurrency(platform.settings),
        partial(_tell, work),
    )
    folder = run_dir(platform, batch)
    with folder.held(), Progress(folder.work / "done", 1) as progress:
        return {"ended": run_records(job, progress)}


def publish(work: Work) -> dict[str, Any]:
    """Keep what was answered as one file, and what was not as another; a file without lines is not kept."""
    batch, platform = _batch(work), work.platform
    with platform.sql.begin() as tx:
        move(tx, batch.id, "finalizing", now=platform.clock.now())
    folder = run_dir(platform, batch)
    with folder.held(), Progress(folder.work / "done", 1) as progress:
        errors = progress.lines(0, good=False)
        late = 0
        if work.results["ask"]["ended"] == "timed_out":
            late = work.results["validate"]["total"] - progress.counts.done
            errors = chain(errors, _expired(platform, batch, progress))
        counts = progress.counts
        output_id = _keep(platform, batch, "output", progress.lines(0, good=True)) if counts.good else ""
        error_id = _keep(platform, batch, "error", errors) if counts.bad + late else ""
        return {
            "output_file_id": output_id,
            "error_file_id": error_id,
            "good": counts.good,
            "bad": counts.bad + late,
            "read": counts.read,
            "written": counts.written,
        }


def tidy(work: Work) -> None:
    """Remove what was only needed on the way."""
    run_dir(work.platform, _batch(work)).discard()


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Write how the batch ended."""
    values: dict[str, Any] = dict(work.results.get("publish") or {})
    status = _status(work, outcome)
    if status == "failed":
        batch = select_batch(tx, work.run_id)
        if batch is not None and not batch.errors:
            values["errors"] = msgspec.json.encode([_error(Problem("batch_failed", outcome.reason), None)]).decode()
    move(tx, work.run_id, status, now=work.platform.clock.now(), **values)


KIND = JobKind(
    KIND_NAME, (Step("validate", validate), Step("ask", ask), Step("publish", publish), Step("tidy", tidy)), settle
)


def run_dir(platform: JobPlatform, batch: Batch) -> RunDir:
    """Where the batch keeps what it has done."""
    return RunDir(platform.settings.home / "runs" / f"openai-{hashlib.sha256(batch.id.encode()).hexdigest()[:16]}")


def _status(work: Work, outcome: Outcome) -> Status:
    ended = (work.results.get("ask") or {}).get("ended")
    if outcome.end == "failed":
        return "failed"
    if outcome.end == "stopped" or ended == "stopped":
        return "cancelled"
    return "expired" if ended == "timed_out" else "completed"


def _batch(work: Work) -> Batch:
    with work.platform.sql.connect() as connection:
        batch = select_batch(connection, work.run_id)
    if batch is None:
        raise NotFound(f"{work.run_id} is gone")
    return batch


def _lines(platform: JobPlatform, batch: Batch) -> Iterator[Line]:
    file = get_file(platform, batch.account, batch.region, batch.input_file_id)
    return read_lines(read_file(platform, file), most_bytes=platform.settings.batch.max_record_bytes)


def _read(platform: JobPlatform, batch: Batch, line: Line) -> Record:
    return read_record(batch, line, most_bytes=platform.settings.batch.max_record_bytes)


def _expired(platform: JobPlatform, batch: Batch, progress: Progress) -> Iterator[bytes]:
    most_bytes = platform.settings.batch.max_record_bytes
    for line in _lines(platform, batch):
        if not progress.has(0, line.place):
            yield expired_line(batch, line, most_bytes=most_bytes)


def _keep(platform: JobPlatform, batch: Batch, sort: str, lines: Iterator[bytes]) -> str:
    expires = platform.clock.now() + timedelta(seconds=batch.output_expires_s) if batch.output_expires_s else None
    made = hashlib.sha256(f"{batch.id} {sort}".encode()).hexdigest()[:24]
    file = write_file(
        platform,
        in_pieces(lines),
        account=batch.account,
        region=batch.region,
        name=f"{batch.id}_{sort}.jsonl",
        purpose=BATCH_OUTPUT,
        file_id=f"file-{made}",
        expires_at=expires,
    )
    return file.id


def _tell(work: Work, progress: Progress) -> None:
    counts = progress.counts
    values = {"good": counts.good, "bad": counts.bad, "read": counts.read, "written": counts.written}
    with work.platform.sql.begin() as tx:
        write(tx, work.run_id, **values)


def _error(problem: Problem, line: int | None) -> dict[str, Any]:
    return {"code": problem.code, "message": problem.message, "line": line, "param": problem.param}
