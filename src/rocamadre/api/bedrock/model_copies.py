"""CreateModelCopyJob, GetModelCopyJob, ListModelCopyJobs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.core.context import Context
from rocamadre.customization.copies import create_copy_job, get_copy_job, list_copy_jobs
from rocamadre.customization.model_types import CopyJob
from rocamadre.store.sql.tags import read_tags

TAGGABLE["model-copy-job"] = get_copy_job


@handles(
    "bedrock",
    "CreateModelCopyJob",
    missing=(
        "sourceModelArn: of the caller's own account, from any region; nothing is shared between accounts",
        "modelKmsKeyId: stored, not enforced",
    ),
)
async def create(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Copy a custom model into the caller's region."""
    make = partial(
        create_copy_job,
        ctx,
        source_arn=request["sourceModelArn"],
        target_name=request["targetModelName"],
        tags=tags_by_key(request.get("targetModelTags", [])),
        echoed={name: request[name] for name in ("modelKmsKeyId",) if name in request},
    )
    return {"jobArn": (await asyncio.to_thread(make)).arn}


@handles("bedrock", "GetModelCopyJob")
async def get(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One job by its ARN."""
    return await asyncio.to_thread(_described, ctx, request["jobArn"])


@handles("bedrock", "ListModelCopyJobs")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's jobs in this region, newest first."""
    find = partial(
        list_copy_jobs,
        ctx,
        after=request.get("creationTimeAfter"),
        before=request.get("creationTimeBefore"),
        status=request.get("statusEquals", ""),
        source_account=request.get("sourceAccountEquals", ""),
        source_arn=request.get("sourceModelArnEquals", ""),
        name_contains=request.get("targetModelNameContains", ""),
        newest_first=request.get("sortOrder") != "Ascending",
    )
    jobs = await asyncio.to_thread(find)
    shown, token = page(ctx, jobs, request=request, operation="ListModelCopyJobs", key=lambda item: item.arn)
    answer: dict[str, Any] = {"modelCopyJobSummaries": [_facts(job) for job in shown]}
    return answer if token is None else {**answer, "nextToken": token}


def _described(ctx: Context, arn: str) -> dict[str, Any]:
    job = get_copy_job(ctx, arn)
    with ctx.platform.sql.connect() as connection:
        tags = read_tags(connection, job.target_arn)
    answer = _facts(job)
    if tags:
        answer["targetModelTags"] = [{"key": key, "value": value} for key, value in tags.items()]
    return answer


def _facts(job: CopyJob) -> dict[str, Any]:
    facts = {
        "jobArn": job.arn,
        "status": job.status,
        "creationTime": job.created_at,
        "targetModelArn": job.target_arn,
        "targetModelName": job.target_name,
        "sourceAccountId": job.account,
        "sourceModelArn": job.source_arn,
        "sourceModelName": job.source_name,
    }
    return facts | ({"failureMessage": job.message} if job.message else {})
