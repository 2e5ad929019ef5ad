"""A batch job's steps: look at the input, ask for every record, put the output where it was wanted."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from rocamadre.batch.lines import Line, check_size, in_pieces, read_lines
from rocamadre.batch.operations import KIND as KIND_NAME
from rocamadre.batch.progress import Counts, Progress
from rocamadre.batch.records import read_record
from rocamadre.batch.running import Ended, Job, Source, concurrency, run
from rocamadre.batch.tables import move, select_by_arn, write_counts
from rocamadre.batch.types import BatchJob, Status
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.jobs.rundir import RunDir, read_json, write_json
from rocamadre.jobs.runner import JobKind, JobPlatform, Outcome, RunStopped, Step, Work
from rocamadre.store.objects.protocol import ObjectInfo, parse_uri

_CHECK_LINES = 10_000


class Input(msgspec.Struct, frozen=True):
    """One input file as it was when the job was validated.

    Attributes:
        name: Of its output, without the ending `.out`.
    """

    bucket: str
    key: str
    etag: str
    name: str


def validate(work: Work) -> dict[str, Any]:
    """Find the input files, count their records, and see that the output has somewhere to go.

    Raises:
        InvalidRequest: there are none, or too many or too much.
        NotFound: a bucket is not there.
    """
    job, platform = _job(work), work.platform
    _move(work, "Validating")
    inputs = find_inputs(platform, job)
    bucket, _ = parse_uri(job.output_uri)
    next(platform.objects.of(job.account).list(bucket, prefix=f"{job.id}/"), None)  # Raises where it is not there.
    total = 0
    for entry in inputs:
        for line in _lines(platform, job, entry):
            total += 1
            if line.place % _CHECK_LINES == 0 and work.stop_requested():
                raise RunStopped
    limits = platform.settings.batch
    if not limits.min_records <= total <= limits.max_records:
        raise InvalidRequest(
            f"{job.input_uri} holds {total} records; a job takes {limits.min_records} to {limits.max_records} "
            "(settings batch.min_records and batch.max_records)"
        )
    folder = run_dir(platform, job)
    folder.begin({"job": job.arn})
    write_json(folder.path / "inputs.json", [msgspec.to_builtins(entry) for entry in inputs])
    with platform.sql.begin() as tx:
        write_counts(tx, job.arn, now=platform.clock.now(), total_records=total)
    _move(work, "Scheduled")
    return {"total": total}


def ask(work: Work) -> dict[str, Any]:
    """Ask for every record that is not done.

    Raises:
        InvalidRequest: an input file was replaced meanwhile.
    """
    job, platform = _job(work), work.platform
    _move(work, "InProgress")
    folder, inputs = run_dir(platform, job), _inputs(work, job)
    for entry in inputs:
        found = platform.objects.of(job.account).head(entry.bucket, entry.key)
        if found.etag != entry.etag:
            raise InvalidRequest(f"s3://{entry.bucket}/{entry.key} was replaced while the job ran")
    most = platform.settings.batch.max_record_bytes
    sources = tuple(
        Source(
            number,
            partial(_lines, platform, job, entry),
            partial(_read, job, number, most),
        )
        for number, entry in enumerate(inputs)
    )
    wish = Job(
        work,
        job.account,
        job.region,
        sources,
        job.expires_at.timestamp(),
        concurrency(platform.settings),
        partial(_tell, work),
    )
    with folder.held(), Progress(folder.work / "done", len(inputs)) as progress:
        ended = run_records(wish, progress)
    return {"ended": ended}


def publish(work: Work) -> dict[str, Any]:
    """Put the output there, whole, and after it the manifest."""
    job, platform = _job(work), work.platform
    objects, inputs = platform.objects.of(job.account), _inputs(work, job)
    bucket, prefix = parse_uri(job.output_uri)
    prefix = f"{prefix.rstrip('/')}/{job.id}/".lstrip("/")
    folder = run_dir(platform, job)
    with folder.held(), Progress(folder.work / "done", len(inputs)) as progress:
        for number, entry in enumerate(inputs):
            key = f"{prefix}{entry.name}.out"
            objects.put(bucket, key, in_pieces(progress.lines(number)), content_type="application/jsonl")
        counts = progress.counts
        manifest = msgspec.json.encode(_manifest(work.results["validate"]["total"], counts))
        objects.put(bucket, f"{prefix}manifest.json.out", manifest, content_type="application/json")
    return {"good": counts.good, "bad": counts.bad}


def tidy(work: Work) -> None:
    """Remove what was only needed on the way."""
    run_dir(work.platform, _job(work)).discard()


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Write how the job ended."""
    now = work.platform.clock.now()
    counts = work.results.get("publish")
    status, message = _end(work, outcome)
    if counts:
        write_counts(tx, work.run_id, now=now, good_records=counts["good"], bad_records=counts["bad"])
    move(tx, work.run_id, status, now=now, message=message)


KIND = JobKind(
    KIND_NAME, (Step("validate", validate), Step("ask", ask), Step("publish", publish), Step("tidy", tidy)), settle
)


def find_inputs(platform: JobPlatform, job: BatchJob) -> list[Input]:
    """The input files: the object itself, or those below the prefix whose names end in `.jsonl`.

    Raises:
        InvalidRequest: there is none, or they are too large.
        NotFound: the bucket is not there.
    """
    limits, objects = platform.settings.batch, platform.objects.of(job.account)
    bucket, key = parse_uri(job.input_uri)
    found: list[tuple[ObjectInfo, str]] = []
    if key and not key.endswith("/"):
        try:
            info = objects.head(bucket, key)
            found = [(info, os.path.basename(key))]
        except NotFound:
            key += "/"
    if not found:
        found = [
            (info, info.key[len(key) :]) for info in objects.list(bucket, key) if info.key.lower().endswith(".jsonl")
        ]
    if not found:
        raise InvalidRequest(f"{job.input_uri} is no object, and no object below it has a name that ends in .jsonl")
    for info, _ in found:
        uri = f"s3://{info.bucket}/{info.key}"
        check_size(uri, info.size_bytes, limits.max_file_bytes, "batch.max_file_bytes")
    total = sum(info.size_bytes for info, _ in found)
    check_size(f"the input below {job.input_uri}", total, limits.max_job_bytes, "batch.max_job_bytes")
    return [Input(info.bucket, info.key, info.etag, name) for info, name in found]


def run_dir(platform: JobPlatform, job: BatchJob) -> RunDir:
    """Where the job keeps what it has done."""
    return RunDir(platform.settings.home / "runs" / f"batch-{hashlib.sha256(job.arn.encode()).hexdigest()[:16]}")


def run_records(job: Job, progress: Progress) -> Ended:
    """`run`, from a thread without an event loop; of several errors the first is raised."""
    try:
        return asyncio.run(run(job, progress))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group


def _end(work: Work, outcome: Outcome) -> tuple[Status, str]:
    ended = (work.results.get("ask") or {}).get("ended")
    if outcome.end == "failed":
        return "Failed", outcome.reason
    if outcome.end == "stopped" or ended == "stopped":
        return "Stopped", ""
    if ended == "timed_out":
        counts, total = work.results["publish"], work.results["validate"]["total"]
        done = counts["good"] + counts["bad"]
        message = f"the time ran out; {done} of {total} records were processed"
        return ("PartiallyCompleted" if done else "Expired"), message
    return "Completed", ""


def _job(work: Work) -> BatchJob:
    with work.platform.sql.connect() as connection:
        job = select_by_arn(connection, work.run_id)
    if job is None:
        raise NotFound(f"{work.run_id} is gone")
    return job


def _inputs(work: Work, job: BatchJob) -> list[Input]:
    return [msgspec.convert(entry, Input) for entry in read_json(run_dir(work.platform, job).path / "inputs.json")]


def _lines(platform: JobPlatform, job: BatchJob, entry: Input) -> Iterator[Line]:
    pieces = platform.objects.of(job.account).stream(entry.bucket, entry.key)
    return read_lines(pieces, most_bytes=platform.settings.batch.max_record_bytes)


def _read(job: BatchJob, number: int, most_bytes: int, line: Line) -> Any:
    return read_record(job, number, line, most_bytes=most_bytes)


def _move(work: Work, status: Status) -> None:
    with work.platform.sql.begin() as tx:
        move(tx, work.run_id, status, now=work.platform.clock.now())


def _tell(work: Work, progress: Progress) -> None:
    counts = progress.counts
    with work.platform.sql.begin() as tx:
        write_counts(tx, work.run_id, now=work.platform.clock.now(), good_records=counts.good, bad_records=counts.bad)


def _manifest(total: int, counts: Counts) -> dict[str, int]:
    return {
        "totalRecordCount": total,
        "processedRecordCount": counts.done,
        "successRecordCount": counts.good,
        "errorRecordCount": counts.bad,
        "inputTokenCount": counts.read,
        "outputTokenCount": counts.written,
    }
