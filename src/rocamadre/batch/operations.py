"""Making, finding and stopping Bedrock's batch jobs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError

from rocamadre.batch.tables import insert_job, move, select_by_name, select_job, select_jobs
from rocamadre.batch.types import OVER, BatchJob, NewBatchJob
from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.operations import resolve
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.core.ids import short_id
from rocamadre.jobs.runner import JobSpec
from rocamadre.store.objects.protocol import parse_uri
from rocamadre.store.sql.tags import add_tags

KIND = "batch-inference"


def create_job(ctx: Context, wish: NewBatchJob) -> BatchJob:
    """Record a batch job and queue its run: both or neither.

    Raises:
        Conflict: a job already has this name.
        NotFound: the model is not here.
        InvalidRequest: it cannot be asked in this way.
        TooManyTags: over 50.
    """
    _check_model(ctx, wish)
    parse_uri(wish.input_uri)
    parse_uri(wish.output_uri)
    now = ctx.platform.clock.now()
    job_id = short_id(12)
    job = BatchJob(
        arn=make_arn("bedrock", ctx.region, ctx.account, f"model-invocation-job/{job_id}"),
        account=ctx.account,
        region=ctx.region,
        id=job_id,
        name=wish.name,
        role_arn=wish.role_arn,
        model_id=wish.model_id,
        invocation_type=wish.invocation_type,
        input_uri=wish.input_uri,
        output_uri=wish.output_uri,
        timeout_hours=wish.timeout_hours,
        echoed=wish.echoed,
        status="Submitted",
        message="",
        submitted_at=now,
        modified_at=now,
    )
    try:
        with ctx.platform.sql.begin() as tx:
            insert_job(tx, job)
            add_tags(tx, job.arn, wish.tags)
            ctx.platform.jobs.enqueue(tx, JobSpec(KIND, job.arn))
    except IntegrityError as error:
        with ctx.platform.sql.connect() as connection:
            there = select_by_name(connection, ctx.account, ctx.region, wish.name)
        raise Conflict(f"the job name {wish.name!r} is taken by {there}; choose another") from error
    return job


def get_job(ctx: Context, id_or_arn: str) -> BatchJob:
    """One job by id or ARN.

    Raises:
        NotFound: no job has this name in this account and region.
    """
    with ctx.platform.sql.connect() as connection:
        job = select_job(connection, ctx.account, ctx.region, _id(ctx, id_or_arn))
    if job is None:
        raise _absent(ctx, id_or_arn)
    return job


def list_jobs(
    ctx: Context,
    *,
    status: str | None = None,
    name_contains: str = "",
    after: datetime | None = None,
    before: datetime | None = None,
    newest_first: bool = True,
) -> list[BatchJob]:
    """The account's jobs in this region.

    Args:
        ctx: Whose.
        status: Only those in this state.
        name_contains: Only those whose name holds this.
        after: Only those submitted later.
        before: Only those submitted earlier.
        newest_first: Order by time of submission.
    """
    with ctx.platform.sql.connect() as connection:
        jobs = select_jobs(connection, ctx.account, ctx.region)
    if newest_first:
        jobs.reverse()
    return [
        job
        for job in jobs
        if (status is None or job.status == status)
        and name_contains in job.name
        and (after is None or job.submitted_at > after)
        and (before is None or job.submitted_at < before)
    ]


def stop_job(ctx: Context, id_or_arn: str) -> BatchJob:
    """Ask a job to stop; what was answered so far is still written. One that was asked before is left as it is.

    Raises:
        NotFound: no job has this name.
        Conflict: it is over.
    """
    job = get_job(ctx, id_or_arn)
    now = ctx.platform.clock.now()
    with ctx.platform.sql.begin() as tx:
        # The row is moved first: from then on the run cannot leave the state that we find.
        moved = move(tx, job.arn, "Stopping", now=now)
        state = ctx.platform.jobs.request_stop(tx, job.arn) if moved else None
        if state is not None and state.state == "stopped":
            move(tx, job.arn, "Stopped", now=now)
    job = get_job(ctx, id_or_arn)
    if not moved and job.status in OVER:
        raise Conflict(f"{job.arn} is {job.status}; only a job that is not over can be stopped")
    return job


def _check_model(ctx: Context, wish: NewBatchJob) -> None:
    try:
        model = resolve(ctx, wish.model_id).model
    except UnknownModel as error:
        raise NotFound(error.message) from error
    if wish.invocation_type == "Converse" and model.embeds:
        raise InvalidRequest(f"{model.id} makes embeddings; Converse needs a model that writes: choose InvokeModel")


def _id(ctx: Context, id_or_arn: str) -> str:
    if not id_or_arn.startswith("arn:"):
        return id_or_arn
    arn = Arn.parse(id_or_arn)
    if (arn.account, arn.region, arn.kind) != (ctx.account, ctx.region, "model-invocation-job"):
        raise _absent(ctx, id_or_arn)
    return arn.id


def _absent(ctx: Context, name: str) -> NotFound:
    return NotFound(
        f"no model invocation job {name[:100]!r} in account {ctx.account}, region {ctx.region}; "
        "ListModelInvocationJobs shows what exists"
    )
