"""CreateCustomModel, GetCustomModel, ListCustomModels, DeleteCustomModel."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.catalog.targets import IMPORTED
from rocamadre.core.arn import Arn
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.customization.imports import create_custom_model
from rocamadre.customization.model_types import CustomModel
from rocamadre.customization.models import delete_custom_model, get_custom_model, list_custom_models
from rocamadre.customization.tables import select_by_arn
from rocamadre.customization.types import Job, Source

TAGGABLE["custom-model"] = get_custom_model
_ECHOED = ("modelKmsKeyArn", "roleArn")


@handles(
    "bedrock",
    "CreateCustomModel",
    missing=(
        "modelSourceConfig: models are brought from S3; SageMaker's model packages are refused",
        "modelKmsKeyArn, roleArn: stored and shown, not enforced",
    ),
)
async def create(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """A custom model from a folder in S3; `Creating` until it has answered."""
    if request.get("customModelDataSource"):
        raise NotBuilt("customModelDataSource: there are no SageMaker model packages here; give modelSourceConfig")
    source = request.get("modelSourceConfig")
    if not source:
        raise InvalidRequest("modelSourceConfig: give s3DataSource with the s3Uri of the folder that holds the model")
    make = partial(
        create_custom_model,
        ctx,
        name=request["modelName"],
        source_uri=source["s3DataSource"]["s3Uri"],
        role_arn=request.get("roleArn", ""),
        tags=tags_by_key(request.get("modelTags", [])),
        echoed={name: request[name] for name in _ECHOED if name in request},
    )
    return {"modelArn": (await asyncio.to_thread(make)).arn}


@handles("bedrock", "GetCustomModel")
async def get(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One custom model by name or ARN, with the job that made it."""
    return await asyncio.to_thread(_described, ctx, request["modelIdentifier"])


@handles("bedrock", "ListCustomModels")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's custom models, newest first; nothing is shared between accounts."""
    find = partial(
        list_custom_models,
        ctx,
        after=request.get("creationTimeAfter"),
        before=request.get("creationTimeBefore"),
        name_contains=request.get("nameContains", ""),
        base_model_arn=request.get("baseModelArnEquals", ""),
        foundation_arn=request.get("foundationModelArnEquals", ""),
        owned=request.get("isOwned"),
        status=request.get("modelStatus", ""),
        newest_first=request.get("sortOrder") != "Ascending",
    )
    models = await asyncio.to_thread(find)
    shown, token = page(ctx, models, request=request, operation="ListCustomModels", key=lambda item: item.arn)
    answer: dict[str, Any] = {"modelSummaries": [_summary(model) for model in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock", "DeleteCustomModel")
async def delete(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The model, its tags and its weights; refused while something runs it."""
    model = await asyncio.to_thread(delete_custom_model, ctx, request["modelIdentifier"])
    await ctx.platform.engines.unload(model.arn)
    return {}


def _summary(model: CustomModel) -> dict[str, Any]:
    return {
        "modelArn": model.arn,
        "modelName": model.name,
        "creationTime": model.created_at,
        "baseModelArn": model.base_model_arn,
        "baseModelName": _base_name(model),
        "customizationType": model.customization_type,
        "ownerAccountId": model.account,
        "modelStatus": model.status,
    }


def _base_name(model: CustomModel) -> str:
    """`owner.name`, as the member's pattern wants it."""
    base = model.base_model_id.partition(":")[0]
    return base if base.count(".") == 1 and base != IMPORTED else f"{IMPORTED}.{model.id}"


def _described(ctx: Context, id_or_arn: str) -> dict[str, Any]:
    model = get_custom_model(ctx, id_or_arn)
    answer = {
        "modelArn": model.arn,
        "modelName": model.name,
        "baseModelArn": model.base_model_arn,
        "customizationType": model.customization_type,
        "creationTime": model.created_at,
        "modelStatus": model.status,
    }
    if model.message:
        answer["failureMessage"] = model.message
    if model.job_arn:
        with ctx.platform.sql.connect() as connection:
            job = select_by_arn(connection, model.job_arn)
        if job is not None:
            answer |= _of_job(job)
    return answer


def _of_job(job: Job) -> dict[str, Any]:
    """What the model's job was asked, and what it measured."""
    answer: dict[str, Any] = {}
    if Arn.parse(job.arn).kind == "model-customization-job" and job.wire == "bedrock":
        answer |= {"jobArn": job.arn, "jobName": job.name, "trainingDataConfig": _training(job.training)}
        if job.validation:
            answer["validationDataConfig"] = {"validators": [{"s3Uri": each.uri} for each in job.validation]}
    answer |= {name: job.echoed[name] for name in ("modelKmsKeyArn",) if name in job.echoed}
    if job.hyperparameters:
        answer["hyperParameters"] = dict(job.hyperparameters)
    if job.output_uri:
        answer["outputDataConfig"] = {"s3Uri": job.output_uri}
    if job.teacher is not None:
        teacher = {
            "teacherModelIdentifier": job.teacher.model_id,
            "maxResponseLengthForInference": job.teacher.max_tokens,
        }
        answer["customizationConfig"] = {"distillationConfig": {"teacherModelConfig": teacher}}
    if isinstance(loss := job.facts.get("training_loss"), int | float):
        answer["trainingMetrics"] = {"trainingLoss": float(loss)}
    if losses := job.facts.get("validation_losses"):
        answer["validationMetrics"] = [{"validationLoss": float(each)} for each in losses if each is not None]
    return answer


def _training(source: Source) -> dict[str, Any]:
    if not source.logs:
        return {"s3Uri": source.uri}
    logs: dict[str, Any] = {
        "usePromptResponse": source.use_answers,
        "invocationLogSource": {"s3Uri": source.uri},
    }
    if source.filters:
        logs["requestMetadataFilters"] = dict(source.filters)
    return {"invocationLogsConfig": logs}
