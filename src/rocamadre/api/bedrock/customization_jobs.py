"""CreateModelCustomizationJob, GetModelCustomizationJob, ListModelCustomizationJobs, StopModelCustomizationJob."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.core.arn import make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.customization.operations import ARN_KIND, create_job, get_job, list_jobs, stop_job
from rocamadre.customization.types import Job, NewJob, Source, Teacher

DEFAULT_ANSWER_TOKENS = 1000
_MOST_ANSWER_TOKENS = 4096
_LATER = {
    "REINFORCEMENT_FINE_TUNING": "reinforcement fine-tuning",
    "IMPORTED": "jobs of the type IMPORTED; CreateCustomModel and CreateModelImportJob bring models here",
}
_ECHOED = ("clientRequestToken", "customModelKmsKeyId", "vpcConfig", "customizationConfig")

TAGGABLE[ARN_KIND] = get_job


@handles(
    "bedrock",
    "CreateModelCustomizationJob",
    missing=(
        "customizationType: REINFORCEMENT_FINE_TUNING is refused, Rocamadre does not have it yet; IMPORTED is refused, "
        "CreateCustomModel and CreateModelImportJob do that",
        "customizationConfig: rftConfig is refused",
        "roleArn: remembered, not assumed; the job reads and writes the buckets of its own account",
        "customModelKmsKeyId: remembered, nothing is encrypted with it",
        "vpcConfig: remembered, not enforced",
    ),
)
async def create_model_customization_job(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Queue a job that trains."""
    kind = request.get("customizationType", "FINE_TUNING")
    config = request.get("customizationConfig", {})
    if kind in _LATER:
        raise NotBuilt(f"customizationType {kind}: Rocamadre does not have {_LATER[kind]}")
    if "rftConfig" in config:
        raise NotBuilt("customizationConfig.rftConfig: Rocamadre does not have reinforcement fine-tuning yet")
    hyperparameters = request.get("hyperParameters", {})
    wish = NewJob(
        name=request["jobName"],
        model_name=request["customModelName"],
        role_arn=request["roleArn"],
        base=request["baseModelIdentifier"],
        type=kind,
        training=_source(request["trainingDataConfig"], kind),
        validation=tuple(
            Source(each["s3Uri"]) for each in request.get("validationDataConfig", {}).get("validators", [])
        ),
        output_uri=request["outputDataConfig"]["s3Uri"],
        hyperparameters=hyperparameters,
        teacher=_teacher(config, kind),
        echoed={name: request[name] for name in _ECHOED if request.get(name)}
        | {"training": request["trainingDataConfig"]},
        tags=tags_by_key(request.get("jobTags", [])),
        model_tags=tags_by_key(request.get("customModelTags", [])),
    )
    job = await asyncio.to_thread(create_job, ctx, wish)
    return {"jobArn": job.arn}


@handles("bedrock", "GetModelCustomizationJob")
async def get_model_customization_job(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One job, with how far it is."""
    job = await asyncio.to_thread(get_job, ctx, request["jobIdentifier"])
    echoed = job.echoed
    facts = _common(job) | {
        "outputModelName": job.model_name,
        "roleArn": job.role_arn,
        # Amazon names the foundation model here, also where a custom model was customized further.
        "baseModelArn": make_arn("bedrock", job.region, "", f"foundation-model/{job.base_id}"),
        "hyperParameters": dict(job.hyperparameters),
        "trainingDataConfig": echoed["training"],
        "validationDataConfig": {"validators": [{"s3Uri": each.uri} for each in job.validation]},
        "outputDataConfig": {"s3Uri": job.output_uri},
    }
    for name in ("clientRequestToken", "vpcConfig", "customizationConfig"):
        if name in echoed:
            facts[name] = echoed[name]
    key = echoed.get("customModelKmsKeyId", "")
    if key.startswith("arn:") and ":key/" in key:  # The answer's form holds no alias and no bare id.
        facts["outputModelKmsKeyArn"] = key
    if job.status == "Completed":
        facts["outputModelArn"] = job.model_arn
    if job.message:
        facts["failureMessage"] = job.message
    if "training_loss" in job.facts:
        facts["trainingMetrics"] = {"trainingLoss": job.facts["training_loss"]}
    if job.facts.get("validation_losses"):
        facts["validationMetrics"] = [{"validationLoss": loss} for loss in job.facts["validation_losses"]]
    return facts


@handles("bedrock", "ListModelCustomizationJobs")
async def list_model_customization_jobs(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's jobs, newest first unless asked otherwise."""
    find = partial(
        list_jobs,
        ctx,
        status=request.get("statusEquals"),
        name_contains=request.get("nameContains", ""),
        after=request.get("creationTimeAfter"),
        before=request.get("creationTimeBefore"),
        newest_first=request.get("sortOrder", "Descending") == "Descending",
    )
    jobs = await asyncio.to_thread(find)
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in request.items()}
    shown, token = page(ctx, jobs, request=plain, operation="ListModelCustomizationJobs", key=lambda job: job.arn)
    answer: dict[str, Any] = {"modelCustomizationJobSummaries": [_summary(job) for job in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "StopModelCustomizationJob")
async def stop_model_customization_job(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Stop a job; no model comes of it."""
    await asyncio.to_thread(stop_job, ctx, request["jobIdentifier"])
    return {}


def _source(config: Mapping[str, Any], kind: str) -> Source:
    logs = config.get("invocationLogsConfig")
    if logs is None:
        if "s3Uri" not in config:
            raise InvalidRequest("trainingDataConfig needs s3Uri, or invocationLogsConfig with DISTILLATION")
        return Source(config["s3Uri"])
    if "s3Uri" in config:
        raise InvalidRequest("trainingDataConfig has both s3Uri and invocationLogsConfig; give one of them")
    if kind != "DISTILLATION":
        raise InvalidRequest(f"invocationLogsConfig goes with customizationType DISTILLATION, not with {kind}")
    uri = logs["invocationLogSource"].get("s3Uri")
    if uri is None:
        raise InvalidRequest("invocationLogsConfig.invocationLogSource needs s3Uri")
    return Source(
        uri,
        logs=True,
        use_answers=logs.get("usePromptResponse", False),
        filters=logs.get("requestMetadataFilters", {}),
    )


def _teacher(config: Mapping[str, Any], kind: str) -> Teacher | None:
    found = config.get("distillationConfig")
    if (found is None) == (kind == "DISTILLATION"):
        raise InvalidRequest(
            "customizationConfig.distillationConfig names the teacher of a job with customizationType DISTILLATION, "
            f"and of no other; this one is {kind}"
        )
    if found is None:
        return None
    teacher = found["teacherModelConfig"]
    tokens = teacher.get("maxResponseLengthForInference", DEFAULT_ANSWER_TOKENS)
    if not 1 <= tokens <= _MOST_ANSWER_TOKENS:
        raise InvalidRequest(f"maxResponseLengthForInference is {tokens}; it is from 1 to {_MOST_ANSWER_TOKENS}")
    return Teacher(teacher["teacherModelIdentifier"], tokens)


def _summary(job: Job) -> dict[str, Any]:
    facts = _common(job) | {"baseModelArn": job.base_arn, "customModelName": job.model_name}
    if job.status == "Completed":
        facts["customModelArn"] = job.model_arn
    return facts


def _common(job: Job) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "jobArn": job.arn,
        "jobName": job.name,
        "status": job.status,
        "statusDetails": {
            f"{name}Details": {
                "status": part.status,
                "creationTime": datetime.fromisoformat(part.created_at),
                "lastModifiedTime": datetime.fromisoformat(part.modified_at),
            }
            for name, part in job.parts.items()
        },
        "creationTime": job.created_at,
        "lastModifiedTime": job.modified_at,
        "customizationType": job.type,
    }
    if job.ended_at is not None:
        facts["endTime"] = job.ended_at
    return facts
