"""Import jobs: asked for, found, listed; and the models that they brought here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from rocamadre.catalog.host import Host
from rocamadre.catalog.snapshot import forget
from rocamadre.catalog.targets import IMPORTED as NO_BASE
from rocamadre.catalog.targets import delete_target, select_leaning, select_users
from rocamadre.core.arn import make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, NotFound
from rocamadre.core.ids import short_id
from rocamadre.customization.listing import in_time
from rocamadre.customization.model_tables import delete_row, insert_row, note_removals, select_all, select_one
from rocamadre.customization.model_types import CustomModel, ImportedModel, ImportJob
from rocamadre.customization.models import KIND as CUSTOM_KIND
from rocamadre.customization.models import announce_custom_model, custom_model_arn, insert_named, sweep
from rocamadre.jobs.runner import JobSpec
from rocamadre.store.objects.protocol import parse_uri
from rocamadre.store.sql.tags import add_tags, forget_tags

KIND = "imported-model"
ARN_KIND = "model-import-job"
JOB_KIND = "model-import"


def create_import_job(
    ctx: Context,
    *,
    name: str,
    model_name: str,
    role_arn: str,
    source_uri: str,
    tags: Mapping[str, str] | None = None,
    model_tags: Mapping[str, str] | None = None,
    echoed: Mapping[str, Any] | None = None,
) -> ImportJob:
    """Begin to bring a model here.

    Args:
        ctx: Whose it will be.
        name: Of the job; unique.
        model_name: Of the model; unique among imported ones.
        role_arn: Stored and shown.
        source_uri: A folder of objects: safetensors with what belongs to them, or one GGUF file.
        tags: Of the job.
        model_tags: Of the model.
        echoed: Stored and shown.

    Raises:
        Conflict: the job's or the model's name is taken.
        InvalidRequest: the source is no S3 URI.
        TooManyTags: over 50.
    """
    model_arn = make_arn("bedrock", ctx.region, ctx.account, f"{KIND}/{short_id(12)}")
    job = _job(
        ctx,
        name=name,
        model_name=model_name,
        model_arn=model_arn,
        kind=KIND,
        role_arn=role_arn,
        source_uri=source_uri,
        echoed=echoed or {},
    )
    with ctx.platform.sql.begin() as tx:
        _check_model_name(tx, ctx.account, ctx.region, model_name)
        insert_named(tx, job, "model import job")
        add_tags(tx, job.arn, tags or {})
        add_tags(tx, model_arn, model_tags or {})
        ctx.platform.jobs.enqueue(tx, JobSpec(JOB_KIND, job.arn))
    return job


def create_custom_model(
    ctx: Context,
    *,
    name: str,
    source_uri: str,
    role_arn: str = "",
    tags: Mapping[str, str] | None = None,
    echoed: Mapping[str, Any] | None = None,
) -> CustomModel:
    """Begin to bring a model here as a custom model without a base; it is shown as `Creating` meanwhile.

    Raises:
        Conflict: the name is taken.
        InvalidRequest: the source is no S3 URI.
        TooManyTags: over 50.
    """
    arn = custom_model_arn(ctx.account, ctx.region, NO_BASE)
    model_id = arn.rpartition("/")[2]
    job = _job(
        ctx,
        name=f"create-custom-model-{model_id}",
        model_name=name,
        model_arn=arn,
        kind=CUSTOM_KIND,
        role_arn=role_arn,
        source_uri=source_uri,
        echoed=echoed or {},
    )
    model = CustomModel(
        arn=arn,
        account=ctx.account,
        region=ctx.region,
        id=model_id,
        name=name,
        status="Creating",
        message="",
        base_model_id=NO_BASE,
        base_model_arn=arn,
        foundation_arn="",
        customization_type="IMPORTED",
        job_arn="",
        folder="",
        created_at=job.created_at,
    )
    with ctx.platform.sql.begin() as tx:
        announce_custom_model(tx, model)
        insert_row(tx, job)
        add_tags(tx, arn, tags or {})
        ctx.platform.jobs.enqueue(tx, JobSpec(JOB_KIND, job.arn))
    return model


def get_import_job(ctx: Context, id_or_arn: str) -> ImportJob:
    """One import job by name or ARN.

    Raises:
        NotFound: the account has none of this name in this region.
    """
    named = {"arn": id_or_arn} if id_or_arn.startswith("arn:") else {"name": id_or_arn}
    with ctx.platform.sql.connect() as connection:
        job = select_one(connection, ImportJob, ctx.account, ctx.region, **named)
    if job is None or job.kind != KIND:
        raise _absent(ctx, "model import job", id_or_arn, "ListModelImportJobs")
    return job


def list_import_jobs(
    ctx: Context,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    status: str = "",
    name_contains: str = "",
    newest_first: bool = True,
) -> list[ImportJob]:
    """The account's import jobs in this region."""
    with ctx.platform.sql.connect() as connection:
        jobs = select_all(connection, ImportJob, ctx.account, ctx.region)
    return [
        job
        for job in in_time(jobs, after=after, before=before, newest_first=newest_first)
        if job.kind == KIND and status in ("", job.status) and name_contains in job.name
    ]


def get_imported_model(ctx: Context, id_or_arn: str) -> ImportedModel:
    """One imported model by name or ARN.

    Raises:
        NotFound: the account has none of this name in this region.
    """
    named = {"arn": id_or_arn} if id_or_arn.startswith("arn:") else {"name": id_or_arn}
    with ctx.platform.sql.connect() as connection:
        model = select_one(connection, ImportedModel, ctx.account, ctx.region, **named)
    if model is None:
        raise _absent(ctx, "imported model", id_or_arn, "ListImportedModels")
    return model


def list_imported_models(
    ctx: Context,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    name_contains: str = "",
    newest_first: bool = True,
) -> list[ImportedModel]:
    """The account's imported models in this region."""
    with ctx.platform.sql.connect() as connection:
        models = select_all(connection, ImportedModel, ctx.account, ctx.region)
    return [
        model
        for model in in_time(models, after=after, before=before, newest_first=newest_first)
        if name_contains in model.name
    ]


def delete_imported_model(ctx: Context, id_or_arn: str) -> ImportedModel:
    """Delete an imported model, its tags and its weights.

    Raises:
        NotFound: the account has none of this name in this region.
        Conflict: something runs it.
    """
    model = remove_imported_model(ctx.platform, get_imported_model(ctx, id_or_arn))
    forget(ctx.platform)
    return model


def remove_imported_model(host: Host, model: ImportedModel) -> ImportedModel:
    """`delete_imported_model` for programs without a server; see `models.remove_custom_model`."""
    with host.sql.begin() as tx:
        if users := select_users(tx, model.arn) + select_leaning(tx, model.folder):
            raise Conflict(f"{model.name} is in use by {', '.join(users[:3])}; delete that first")
        if not delete_row(tx, ImportedModel, model.arn):
            raise NotFound(f"{model.name} was deleted meanwhile")
        delete_target(tx, model.arn)
        forget_tags(tx, model.arn)
        note_removals(tx, [model.folder])
    sweep(host)
    return model


def _job(
    ctx: Context,
    *,
    name: str,
    model_name: str,
    model_arn: str,
    kind: str,
    role_arn: str,
    source_uri: str,
    echoed: Mapping[str, Any],
) -> ImportJob:
    parse_uri(source_uri)
    now = ctx.platform.clock.now()
    job_id = short_id(12)
    return ImportJob(
        arn=make_arn("bedrock", ctx.region, ctx.account, f"{ARN_KIND}/{job_id}"),
        account=ctx.account,
        region=ctx.region,
        id=job_id,
        name=name,
        model_name=model_name,
        model_arn=model_arn,
        kind=kind,
        role_arn=role_arn,
        source_uri=source_uri,
        status="InProgress",
        message="",
        created_at=now,
        updated_at=now,
        echoed=dict(echoed),
    )


def _check_model_name(tx: Connection, account: str, region: str, name: str) -> None:
    """Refuse a name that an imported model has, or that a job will give one."""
    there = select_one(tx, ImportedModel, account, region, name=name)
    makers = [
        job.arn
        for job in select_all(tx, ImportJob, account, region)
        if job.model_name == name and job.kind == KIND and job.status == "InProgress"
    ]
    if there is not None or makers:
        taken = there.arn if there is not None else makers[0]
        raise Conflict(f"an imported model is called {name!r} already ({taken}); choose another name")


def _absent(ctx: Context, what: str, name: str, listing: str) -> NotFound:
    return NotFound(
        f"no {what} {name[:200]!r} in account {ctx.account}, region {ctx.region}; {listing} shows what exists"
    )
