"""Model import jobs (create, get, list), and the models that they brought here (get, list, delete)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.core.context import Context
from rocamadre.customization.imports import (
    create_import_job,
    delete_imported_model,
    get_import_job,
    get_imported_model,
    list_import_jobs,
    list_imported_models,
)
from rocamadre.customization.model_types import ImportedModel, ImportJob

TAGGABLE["model-import-job"] = get_import_job
TAGGABLE["imported-model"] = get_imported_model
_ECHOED = ("vpcConfig", "importedModelKmsKeyId")
_UNITS = {"customModelUnitsPerModelCopy": 1, "customModelUnitsVersion": "v1.0"}


@handles(
    "bedrock",
    "CreateModelImportJob",
    missing=("roleArn, vpcConfig, importedModelKmsKeyId: stored, the first two shown; not enforced",),
)
async def create_job(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Bring a model here from a folder in S3: safetensors with what belongs to them, or one GGUF file."""
    make = partial(
        create_import_job,
        ctx,
        name=request["jobName"],
        model_name=request["importedModelName"],
        role_arn=request["roleArn"],
        source_uri=request["modelDataSource"]["s3DataSource"]["s3Uri"],
        tags=tags_by_key(request.get("jobTags", [])),
        model_tags=tags_by_key(request.get("importedModelTags", [])),
        echoed={name: request[name] for name in _ECHOED if name in request},
    )
    return {"jobArn": (await asyncio.to_thread(make)).arn}


@handles("bedrock", "GetModelImportJob")
async def get_job(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One job by name or ARN."""
    job = await asyncio.to_thread(get_import_job, ctx, request["jobIdentifier"])
    answer = {**_job(job), "roleArn": job.role_arn, "modelDataSource": {"s3DataSource": {"s3Uri": job.source_uri}}}
    if job.message:
        answer["failureMessage"] = job.message
    return answer | {name: job.echoed[name] for name in ("vpcConfig",) if name in job.echoed}


@handles("bedrock", "ListModelImportJobs")
async def list_jobs(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's jobs, newest first."""
    find = partial(
        list_import_jobs,
        ctx,
        after=request.get("creationTimeAfter"),
        before=request.get("creationTimeBefore"),
        status=request.get("statusEquals", ""),
        name_contains=request.get("nameContains", ""),
        newest_first=request.get("sortOrder") != "Ascending",
    )
    jobs = await asyncio.to_thread(find)
    shown, token = page(ctx, jobs, request=request, operation="ListModelImportJobs", key=lambda item: item.arn)
    answer: dict[str, Any] = {"modelImportJobSummaries": [_job(job) for job in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "GetImportedModel")
async def get_model(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One imported model by name or ARN."""
    model = await asyncio.to_thread(get_imported_model, ctx, request["modelIdentifier"])
    return {
        **_model(model),
        "jobName": model.job_name,
        "jobArn": model.job_arn,
        "modelDataSource": {"s3DataSource": {"s3Uri": model.source_uri}},
        "customModelUnits": _UNITS,
    }


@handles("bedrock", "ListImportedModels")
async def list_models(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's imported models, newest first."""
    find = partial(
        list_imported_models,
        ctx,
        after=request.get("creationTimeAfter"),
        before=request.get("creationTimeBefore"),
        name_contains=request.get("nameContains", ""),
        newest_first=request.get("sortOrder") != "Ascending",
    )
    models = await asyncio.to_thread(find)
    shown, token = page(ctx, models, request=request, operation="ListImportedModels", key=lambda item: item.arn)
    answer: dict[str, Any] = {"modelSummaries": [_model(model) for model in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "DeleteImportedModel")
async def delete_model(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The model, its tags and its weights."""
    model = await asyncio.to_thread(delete_imported_model, ctx, request["modelIdentifier"])
    await ctx.platform.engines.unload(model.arn)
    return {}


def _job(job: ImportJob) -> dict[str, Any]:
    facts = {
        "jobArn": job.arn,
        "jobName": job.name,
        "importedModelName": job.model_name,
        "status": job.status,
        "creationTime": job.created_at,
        "lastModifiedTime": job.updated_at,
    }
    if job.status == "Completed":
        facts["importedModelArn"] = job.model_arn
    if job.ended_at is not None:
        facts["endTime"] = job.ended_at
    return facts


def _model(model: ImportedModel) -> dict[str, Any]:
    return {
        "modelArn": model.arn,
        "modelName": model.name,
        "creationTime": model.created_at,
        "modelArchitecture": model.architecture,
        "instructSupported": model.instruct,
    }
