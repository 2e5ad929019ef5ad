"""Making, finding and stopping customization jobs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.operations import resolve
from rocamadre.catalog.types import Resolved
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.core.ids import short_id
from rocamadre.customization.data import data_sources, forgetting_sets
from rocamadre.customization.hyperparameters import OURS, read
from rocamadre.customization.models import check_name_free, custom_model_arn
from rocamadre.customization.progress import begin_again, run_dir
from rocamadre.customization.tables import insert_job, move, reopen, select_by_arn, select_by_name, select_jobs
from rocamadre.customization.types import OVER, PARTS, Job, NewJob, PartDetails, Source, Wire
from rocamadre.jobs.runner import JobSpec
from rocamadre.store.objects.protocol import parse_uri
from rocamadre.store.sql.tags import add_tags

KIND = "customization"
ARN_KIND = "model-customization-job"
_NAMELESS_BASE = "rocamadre.imported-v1:0"
"""Stands in ARNs for the foundation model of a model that has none."""


def create_job(ctx: Context, wish: NewJob) -> Job:
    """Record a customization job and queue its run: both or neither.

    Raises:
        NotFound: the base, the teacher or a bucket is not here.
        Conflict: a job, or a custom model, already has this name.
        InvalidRequest: the base cannot be customized in this way, a hyperparameter is wrong, or a URI is none.
        TooManyTags: over 50.
    """
    base = _base(ctx, wish)
    # Ranges are of the family that was named; the OpenAI wire has names of its own, which come as ours.
    family = base.base_id if wish.wire == "bedrock" else OURS
    settings = read(family, wish.type, wish.hyperparameters, context_length=base.model.context_length)
    _check_places(ctx, wish, forgetting_sets(settings.model_dump()))
    now = ctx.platform.clock.now()
    job_id = short_id(12)
    base_id = base.base_id if "." in base.base_id else _NAMELESS_BASE
    job = Job(
        arn=make_arn("bedrock", ctx.region, ctx.account, f"{ARN_KIND}/{base_id}/{job_id}"),
        account=ctx.account,
        region=ctx.region,
        id=job_id,
        wire=wish.wire,
        name=wish.name,
        model_name=wish.model_name,
        model_arn=custom_model_arn(ctx.account, ctx.region, base.base_id),
        role_arn=wish.role_arn,
        base_id=base_id,
        base_arn=base.model_arn or make_arn("bedrock", ctx.region, "", f"foundation-model/{base_id}"),
        local_id=base.model.id,
        type=wish.type,
        training=wish.training,
        validation=wish.validation,
        output_uri=wish.output_uri,
        hyperparameters=wish.hyperparameters,
        settings=settings.model_dump(mode="json"),
        teacher=wish.teacher,
        echoed=wish.echoed,
        model_tags=wish.model_tags,
        status="InProgress",
        message="",
        parts={part: PartDetails("NotStarted", now.isoformat(), now.isoformat()) for part in PARTS},
        facts={},
        created_at=now,
        modified_at=now,
    )
    _insert(ctx, job, wish)
    return job


def get_job(ctx: Context, name_or_arn: str, *, wire: Wire = "bedrock") -> Job:
    """One job by name or ARN.

    Raises:
        NotFound: none of it is in this account and region.
    """
    with ctx.platform.sql.connect() as connection:
        if name_or_arn.startswith("arn:"):
            job = select_by_arn(connection, name_or_arn)
        else:
            job = select_by_name(connection, ctx.account, ctx.region, wire, name_or_arn)
    if job is None or (job.account, job.region, job.wire) != (ctx.account, ctx.region, wire):
        raise NotFound(
            f"no model customization job {name_or_arn[:200]!r} in account {ctx.account}, region {ctx.region}; "
            "ListModelCustomizationJobs shows what exists"
        )
    return job


def list_jobs(
    ctx: Context,
    *,
    wire: Wire | None = "bedrock",
    status: str | None = None,
    name_contains: str = "",
    after: datetime | None = None,
    before: datetime | None = None,
    newest_first: bool = True,
) -> list[Job]:
    """The account's jobs in this region.

    Args:
        ctx: Whose.
        wire: By which they were made; None for all.
        status: Only those in this state.
        name_contains: Only those whose name holds this.
        after: Only those created later.
        before: Only those created earlier.
        newest_first: Order by time of creation.
    """
    with ctx.platform.sql.connect() as connection:
        jobs = select_jobs(connection, ctx.account, ctx.region, wire)
    if newest_first:
        jobs.reverse()
    return [
        job
        for job in jobs
        if (status is None or job.status == status)
        and name_contains in job.name
        and (after is None or job.created_at > after)
        and (before is None or job.created_at < before)
    ]


def stop_job(ctx: Context, name_or_arn: str, *, wire: Wire = "bedrock") -> Job:
    """Ask a job to stop; the trainer finishes its step, saves, and leaves. One asked before is left as it is.

    Raises:
        NotFound: no job has this name.
        Conflict: it is over.
    """
    job = get_job(ctx, name_or_arn, wire=wire)
    now = ctx.platform.clock.now()
    with ctx.platform.sql.begin() as tx:
        # The row is moved first: from then on the run cannot leave the state that we find.
        moved = move(tx, job.arn, "Stopping", now=now)
        state = ctx.platform.jobs.request_stop(tx, job.run_id) if moved else None
        if state is not None and state.state == "stopped":
            move(tx, job.arn, "Stopped", now=now)
    job = get_job(ctx, job.arn, wire=wire)
    if not moved and job.status in OVER:
        raise Conflict(f"{job.arn} is {job.status}; only a job that is not over can be stopped")
    return job


def resume_job(ctx: Context, name_or_arn: str, *, wire: Wire = "bedrock") -> Job:
    """Let a job that was stopped, or has failed, go on from its newest checkpoint, with the data that it had.

    Raises:
        NotFound: no job has this name.
        Conflict: it is neither; or a model has taken its model's name meanwhile.
    """
    job = get_job(ctx, name_or_arn, wire=wire)
    if job.status not in ("Stopped", "Failed"):
        raise Conflict(f"{job.arn} is {job.status}; only a job that was stopped, or has failed, can be resumed")
    begin_again(run_dir(ctx.platform.settings.home, job.arn))
    with ctx.platform.sql.begin() as tx:
        check_name_free(tx, job.account, job.region, job.model_name)
        if not reopen(tx, job, now=ctx.platform.clock.now()):
            raise Conflict(f"{job.arn} was resumed by somebody else just now")
        again = select_by_arn(tx, job.arn)
        assert again is not None
        ctx.platform.jobs.enqueue(tx, JobSpec(KIND, again.run_id))
    return again


def _base(ctx: Context, wish: NewJob) -> Resolved:
    """What is trained.

    Raises:
        NotFound: nothing has this name.
        InvalidRequest: its weights are not here, or it does not write text.
    """
    try:
        base = resolve(ctx, wish.base)
        if wish.teacher is not None:
            teacher = resolve(ctx, wish.teacher.model_id).model
            if teacher.embeds:
                raise InvalidRequest(f"the teacher {teacher.id} makes embeddings; it must be a model that writes")
    except UnknownModel as error:
        raise NotFound(error.message) from error
    model = base.model
    if wish.type not in model.customizations or model.path is None:
        able = ", ".join(model.customizations) or "no customization at all"
        raise InvalidRequest(
            f"{model.id} takes {able}, and {wish.type} was asked for; models that write text and whose "
            "weights are on this machine can be customized (ListFoundationModels with byCustomizationType shows them)"
        )
    return base


def _check_places(ctx: Context, wish: NewJob, others: Iterable[str]) -> None:
    """See that there is something at each URI that is read, and a bucket where is written."""
    store = ctx.platform.objects.of(ctx.account)
    for source in (wish.training, *wish.validation, *map(Source, others)):
        try:
            if not source.logs:
                data_sources(ctx.platform, ctx.account, ctx.region, source.uri)
            elif next(store.list(*parse_uri(source.uri)), None) is None:
                raise NotFound("there is nothing below it")
        except NotFound as error:
            raise InvalidRequest(f"{source.uri}: {error.message}") from error
    if wish.output_uri:
        bucket, _ = parse_uri(wish.output_uri)
        try:
            next(store.list(bucket), None)
        except NotFound as error:
            raise InvalidRequest(f"{wish.output_uri}: {error.message}") from error


def _insert(ctx: Context, job: Job, wish: NewJob) -> None:
    try:
        with ctx.platform.sql.begin() as tx:
            check_name_free(tx, job.account, job.region, job.model_name)
            insert_job(tx, job)
            add_tags(tx, job.arn, wish.tags)
            ctx.platform.jobs.enqueue(tx, JobSpec(KIND, job.run_id))
    except IntegrityError as error:
        with ctx.platform.sql.connect() as connection:
            there = select_by_name(connection, job.account, job.region, job.wire, job.name)
        raise Conflict(
            f"the job name {job.name!r} is taken by {there.arn if there else 'another job'}; choose another"
        ) from error


def is_job_arn(text: str) -> bool:
    """Whether an ARN is that of a customization job."""
    return text.startswith("arn:") and Arn.parse(text).kind == ARN_KIND
