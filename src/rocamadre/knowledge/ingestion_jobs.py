"""Starting, finding and stopping ingestion jobs. `ingestion` does the work."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.jobs.runner import JobSpec
from rocamadre.knowledge.data_sources import check_idle, get_data_source
from rocamadre.knowledge.ingestion.types import KIND_NAME, Request, Statistics
from rocamadre.knowledge.operations import list_knowledge_bases, new_id
from rocamadre.knowledge.tables import insert_job, move_job, select_job, select_jobs
from rocamadre.knowledge.types import OVER, IngestionJob

SortBy: TypeAlias = Literal["STATUS", "STARTED_AT"]


def start_ingestion(ctx: Context, base_id: str, source_id: str, *, description: str = "") -> IngestionJob:
    """Record an ingestion job and queue its run: both or neither.

    Raises:
        NotFound: the data source does not exist.
        Conflict: another job of this data source runs.
        InvalidRequest: it is one of type CUSTOM without a loader, whose documents come one by one.
    """
    source = get_data_source(ctx, base_id, source_id)
    if source.type == "CUSTOM" and not source.loader:
        raise InvalidRequest(
            f"data source {source.id} is of type CUSTOM: there is nothing to read; bring its documents with "
            "IngestKnowledgeBaseDocuments"
        )
    now = ctx.platform.clock.now()
    request = Request(ctx.account, ctx.region, source.knowledge_base, source.id, new_id())
    job = IngestionJob(
        arn=request.run_id,
        id=request.ingestion_job,
        knowledge_base=source.knowledge_base,
        data_source=source.id,
        account=ctx.account,
        region=ctx.region,
        description=description,
        status="STARTING",
        statistics=Statistics(),
        failures=(),
        started_at=now,
        updated_at=now,
    )
    with ctx.platform.sql.begin() as tx:
        check_idle(tx, source)
        insert_job(tx, job)
        ctx.platform.jobs.enqueue(tx, JobSpec(KIND_NAME, request.run_id, request.arguments()))
    return job


def get_ingestion(ctx: Context, base_id: str, source_id: str, job_id: str) -> IngestionJob:
    """One job.

    Raises:
        NotFound: it, its data source or its knowledge base does not exist.
    """
    source = get_data_source(ctx, base_id, source_id)
    arn = Request(ctx.account, ctx.region, source.knowledge_base, source.id, job_id).run_id
    with ctx.platform.sql.connect() as connection:
        job = select_job(connection, arn)
    if job is None:
        raise NotFound(
            f"IngestionJob with id {job_id} does not exist for data source {source_id}; ListIngestionJobs shows what "
            "exists"
        )
    return job


def list_ingestions(
    ctx: Context,
    base_id: str,
    source_id: str,
    *,
    statuses: Collection[str] | None = None,
    sort_by: SortBy = "STARTED_AT",
    descending: bool = True,
) -> list[IngestionJob]:
    """A data source's jobs.

    Args:
        ctx: Whose.
        base_id: The knowledge base.
        source_id: The data source.
        statuses: Only those in one of these states; None for all.
        sort_by: What the order goes by; jobs of the same status stand newest first.
        descending: Newest, or last in the alphabet, first.

    Raises:
        NotFound: the data source does not exist.
    """
    source = get_data_source(ctx, base_id, source_id)
    with ctx.platform.sql.connect() as connection:
        jobs = select_jobs(connection, source.knowledge_base, source.id)
    if statuses is not None:
        jobs = [job for job in jobs if job.status in statuses]
    if sort_by == "STATUS":
        return sorted(jobs, key=lambda job: job.status, reverse=descending)
    return jobs if descending else jobs[::-1]


def list_all_ingestions(ctx: Context) -> list[IngestionJob]:
    """The jobs of all of an account's knowledge bases in its region."""
    bases = list_knowledge_bases(ctx)
    with ctx.platform.sql.connect() as connection:
        return [job for base in bases for job in select_jobs(connection, base.id)]


def stop_ingestion(ctx: Context, base_id: str, source_id: str, job_id: str) -> IngestionJob:
    """Ask a job to stop; what it has brought in stays. One that was asked before is left as it is.

    Raises:
        NotFound: it does not exist.
        Conflict: it is over.
    """
    job = get_ingestion(ctx, base_id, source_id, job_id)
    now = ctx.platform.clock.now()
    with ctx.platform.sql.begin() as tx:
        # The row is moved first: from then on the run cannot leave the state that we find.
        moved = move_job(tx, job.arn, "STOPPING", now=now)
        state = ctx.platform.jobs.request_stop(tx, job.arn) if moved else None
        if state is not None and state.state == "stopped":
            move_job(tx, job.arn, "STOPPED", now=now)
    job = get_ingestion(ctx, base_id, source_id, job_id)
    if not moved and job.status in OVER:
        raise Conflict(f"ingestion job {job.id} is {job.status}; only a job that is not over can be stopped")
    return job
