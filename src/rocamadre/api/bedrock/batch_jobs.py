"""CreateModelInvocationJob, GetModelInvocationJob, ListModelInvocationJobs, StopModelInvocationJob."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.batch.operations import create_job, get_job, list_jobs, stop_job
from rocamadre.batch.types import BatchJob, NewBatchJob
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest

DEFAULT_TIMEOUT_HOURS = 24

TAGGABLE["model-invocation-job"] = get_job

_INPUT, _OUTPUT = "s3InputDataConfig", "s3OutputDataConfig"
_ECHOED = ("vpcConfig", "clientRequestToken")


@handles(
    "bedrock",
    "CreateModelInvocationJob",
    missing=(
        "roleArn: remembered, not assumed; the job reads and writes the buckets of its own account",
        "vpcConfig: remembered, not enforced",
        "outputDataConfig: s3EncryptionKeyId is remembered, nothing is encrypted with it; s3BucketOwner must be the "
        "account itself",
    ),
)
async def create_model_invocation_job(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Queue a batch job."""
    source, target = request["inputDataConfig"].get(_INPUT), request["outputDataConfig"].get(_OUTPUT)
    if source is None or target is None:
        raise InvalidRequest(f"inputDataConfig needs {_INPUT}, and outputDataConfig needs {_OUTPUT}")
    for name, config in (("inputDataConfig", source), ("outputDataConfig", target)):
        if config.get("s3BucketOwner", ctx.account) != ctx.account:
            raise InvalidRequest(f"{name}: s3BucketOwner {config['s3BucketOwner']} is not this account, {ctx.account}")
    wish = NewBatchJob(
        name=request["jobName"],
        role_arn=request["roleArn"],
        model_id=request["modelId"],
        invocation_type=request.get("modelInvocationType", "InvokeModel"),
        input_uri=source["s3Uri"],
        output_uri=target["s3Uri"],
        timeout_hours=request.get("timeoutDurationInHours", DEFAULT_TIMEOUT_HOURS),
        echoed={name: request[name] for name in _ECHOED if request.get(name)} | {"input": source, "output": target},
        tags=tags_by_key(request.get("tags", [])),
    )
    job = await asyncio.to_thread(create_job, ctx, wish)
    return {"jobArn": job.arn}


@handles("bedrock", "GetModelInvocationJob")
async def get_model_invocation_job(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One job, with how far it is."""
    return _facts(await asyncio.to_thread(get_job, ctx, request["jobIdentifier"]))


@handles("bedrock", "ListModelInvocationJobs")
async def list_model_invocation_jobs(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's jobs, newest first unless asked otherwise."""
    find = partial(
        list_jobs,
        ctx,
        status=request.get("statusEquals"),
        name_contains=request.get("nameContains", ""),
        after=request.get("submitTimeAfter"),
        before=request.get("submitTimeBefore"),
        newest_first=request.get("sortOrder", "Descending") == "Descending",
    )
    jobs = await asyncio.to_thread(find)
    shown, token = page(
        ctx, jobs, request=_plain(request), operation="ListModelInvocationJobs", key=lambda job: job.arn
    )
    answer: dict[str, Any] = {"invocationJobSummaries": [_facts(job) for job in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "StopModelInvocationJob")
async def stop_model_invocation_job(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Stop a job; the records done so far are written to its output."""
    await asyncio.to_thread(stop_job, ctx, request["jobIdentifier"])
    return {}


def _plain(request: dict[str, Any]) -> dict[str, Any]:
    """The request with its times as text, for the page's token."""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in request.items()}


def _facts(job: BatchJob) -> dict[str, Any]:
    echoed = job.echoed
    facts: dict[str, Any] = {
        "jobArn": job.arn,
        "jobName": job.name,
        "modelId": job.model_id,
        "roleArn": job.role_arn,
        "status": job.status,
        "submitTime": job.submitted_at,
        "lastModifiedTime": job.modified_at,
        "inputDataConfig": {_INPUT: echoed["input"]},
        "outputDataConfig": {_OUTPUT: echoed["output"]},
        "timeoutDurationInHours": job.timeout_hours,
        "jobExpirationTime": job.expires_at,
        "modelInvocationType": job.invocation_type,
        **{name: echoed[name] for name in _ECHOED if name in echoed},
    }
    if job.message:
        facts["message"] = job.message
    if job.ended_at is not None:
        facts["endTime"] = job.ended_at
    if job.total_records is not None:
        facts |= {
            "totalRecordCount": job.total_records,
            "processedRecordCount": job.good_records + job.bad_records,
            "successRecordCount": job.good_records,
            "errorRecordCount": job.bad_records,
        }
    return facts
