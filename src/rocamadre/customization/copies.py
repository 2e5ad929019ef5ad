"""Copies of custom models: to another region of the account, or under another name.

Weights are linked, not copied, where the file system can; deleting either model leaves the other whole. Across accounts
nothing is copied: on AWS an owner shares a model first, and there is no sharing here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from rocamadre.catalog.targets import select_target
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import AccessDenied, NotFound
from rocamadre.core.ids import short_id
from rocamadre.customization.cards import card_of, lineage_of, write_card
from rocamadre.customization.listing import in_time
from rocamadre.customization.model_tables import (
    change_row,
    insert_row,
    note_removals,
    select_all,
    select_one,
    select_row,
)
from rocamadre.customization.model_types import CopyJob, CustomModel
from rocamadre.customization.models import (
    KIND as MODEL_KIND,
)
from rocamadre.customization.models import (
    announce_custom_model,
    custom_model_arn,
    fail_custom_model,
    register_custom_model,
    runnable_model,
)
from rocamadre.jobs.runner import JobKind, JobSpec, Outcome, RunStopped, Step, Work
from rocamadre.store.sql.tags import add_tags

JOB_KIND = "model-copy"
ARN_KIND = "model-copy-job"


def create_copy_job(
    ctx: Context,
    *,
    source_arn: str,
    target_name: str,
    tags: Mapping[str, str] | None = None,
    echoed: Mapping[str, Any] | None = None,
) -> CopyJob:
    """Begin to copy a custom model of any region into the caller's.

    Raises:
        NotFound: it is no custom model that is there.
        AccessDenied: it belongs to another account.
        Conflict: the name is taken in this region.
        InvalidRequest: the model is not Active.
        TooManyTags: over 50.
    """
    parsed = Arn.parse(source_arn)
    if parsed.kind != MODEL_KIND:
        raise NotFound(f"{source_arn[:200]!r} is no custom model; only custom models are copied")
    if parsed.account != ctx.account:
        raise AccessDenied(
            f"{source_arn[:200]!r} belongs to another account; models are copied between regions of one account, since "
            "there is no sharing between accounts"
        )
    now = ctx.platform.clock.now()
    with ctx.platform.sql.begin() as tx:
        source = runnable_model(tx, ctx.account, parsed.region, source_arn)
        arn = custom_model_arn(ctx.account, ctx.region, source.base_model_id)
        copy = replace(
            source,
            arn=arn,
            region=ctx.region,
            id=arn.rpartition("/")[2],
            name=target_name,
            status="Creating",
            folder="",
            created_at=now,
            base_model_arn=_moved(source.base_model_arn, ctx.region, source, arn),
            foundation_arn=_moved(source.foundation_arn, ctx.region, source, arn),
            facts={},
        )
        job_id = short_id(12)
        job = CopyJob(
            arn=make_arn("bedrock", ctx.region, ctx.account, f"{ARN_KIND}/{job_id}"),
            account=ctx.account,
            region=ctx.region,
            id=job_id,
            source_arn=source_arn,
            source_name=source.name,
            target_arn=arn,
            target_name=target_name,
            status="InProgress",
            message="",
            created_at=now,
            echoed=dict(echoed or {}),
        )
        announce_custom_model(tx, copy)
        insert_row(tx, job)
        add_tags(tx, arn, tags or {})
        ctx.platform.jobs.enqueue(tx, JobSpec(JOB_KIND, job.arn))
    return job


def get_copy_job(ctx: Context, arn: str) -> CopyJob:
    """One copy job by its ARN.

    Raises:
        NotFound: the account has none of this ARN in this region.
    """
    with ctx.platform.sql.connect() as connection:
        job = select_one(connection, CopyJob, ctx.account, ctx.region, arn=arn)
    if job is None:
        raise NotFound(
            f"no model copy job {arn[:200]!r} in account {ctx.account}, region {ctx.region}; ListModelCopyJobs shows "
            "what exists"
        )
    return job


def list_copy_jobs(
    ctx: Context,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    status: str = "",
    source_account: str = "",
    source_arn: str = "",
    name_contains: str = "",
    newest_first: bool = True,
) -> list[CopyJob]:
    """The account's copy jobs in this region."""
    with ctx.platform.sql.connect() as connection:
        jobs = select_all(connection, CopyJob, ctx.account, ctx.region)
    return [
        job
        for job in in_time(jobs, after=after, before=before, newest_first=newest_first)
        if status in ("", job.status)
        and source_account in ("", job.account)
        and source_arn in ("", job.source_arn)
        and name_contains in job.target_name
    ]


def link(work: Work) -> dict[str, str]:
    """Give the copy a folder of its own with the same files."""
    with work.platform.sql.connect() as connection:
        job = select_row(connection, CopyJob, work.run_id)
        if job is None:
            raise RunStopped
        source = select_row(connection, CustomModel, job.source_arn)
        copy = select_row(connection, CustomModel, job.target_arn)
        lineage = lineage_of(connection, copy) if copy is not None else []
    if source is None or copy is None:
        raise NotFound(f"{job.target_arn if source else job.source_arn} was deleted while it was copied")
    models = work.platform.settings.home / "models"
    folder = folder_of(job)
    if not (models / folder).is_dir():
        staged = models / f".{folder}.part"
        shutil.rmtree(staged, ignore_errors=True)
        _link_tree(models / source.folder, staged)
        write_card(staged, card_of(replace(copy, facts=_facts(source)), lineage))
        staged.rename(models / folder)
    return {"folder": folder}


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Register the copy, or say why there is none."""
    job = select_row(tx, CopyJob, work.run_id)
    if job is None or job.status != "InProgress":
        return
    copy = select_row(tx, CustomModel, job.target_arn)
    source = select_row(tx, CustomModel, job.source_arn)
    target = select_target(tx, job.account, Arn.parse(job.source_arn).region, job.source_arn)
    reason = "" if outcome.end == "completed" else outcome.reason or "it was stopped"
    if not reason and (source is None or target is None or target.facts is None):
        reason = f"{job.source_arn} was deleted while it was copied"
    if not reason and copy is None:
        reason = "the copy was deleted while it was made"
    if reason:
        fail_custom_model(tx, job.target_arn, reason)
        note_removals(tx, [folder_of(job)])
        change_row(tx, CopyJob, job.arn, status="Failed", message=reason[:2048])
        return
    assert copy is not None
    assert source is not None
    assert target is not None
    assert target.facts is not None
    facts = target.facts
    register_custom_model(
        tx,
        account=job.account,
        region=job.region,
        name=copy.name,
        arn=copy.arn,
        base_model_id=copy.base_model_id,
        base_model_arn=copy.base_model_arn,
        foundation_arn=copy.foundation_arn,
        customization_type=copy.customization_type,
        job_arn=copy.job_arn,
        folder=work.results["link"]["folder"],
        file=facts.file,
        engine=facts.engine,
        options=facts.options,
        size_bytes=facts.size_bytes,
        parameters=facts.parameters,
        context_length=facts.context_length,
        output_modalities=facts.output_modalities,
        dimensions=facts.dimensions,
        facts=_facts(source),
        created_at=copy.created_at,
    )
    change_row(tx, CopyJob, job.arn, status="Completed")


KIND = JobKind(JOB_KIND, (Step("link", link),), settle)


def folder_of(job: CopyJob) -> str:
    """Where the copy's weights go, below `<home>/models`."""
    return f"custom-{job.target_arn.rpartition('/')[2]}"


def _facts(source: CustomModel) -> dict[str, Any]:
    return {**source.facts, "copied_from": source.arn}


def _moved(base_arn: str, region: str, source: CustomModel, own_arn: str) -> str:
    """A base's ARN as a copy in a region names it; custom models stay where they are."""
    if base_arn == source.arn:
        return own_arn
    if not base_arn or Arn.parse(base_arn).kind != "foundation-model":
        return base_arn
    return str(Arn.parse(base_arn)._replace(region=region))


def _link_tree(source: Path, target: Path) -> None:
    """A folder with the same files; linked where that is possible."""
    shutil.copytree(source, target, copy_function=_link_file, symlinks=True)


def _link_file(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
    return target
