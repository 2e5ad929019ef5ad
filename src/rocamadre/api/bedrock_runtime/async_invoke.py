"""StartAsyncInvoke, GetAsyncInvoke, ListAsyncInvokes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from rocamadre.api.bedrock.tags import TAGGABLE, tags_by_key
from rocamadre.api.handlers import handles
from rocamadre.api.inference.generation import resolve_model
from rocamadre.api.wire.paging import page
from rocamadre.async_invokes.operations import KIND, get_invoke, list_invokes, start_invoke
from rocamadre.async_invokes.types import AsyncInvoke, NewAsyncInvoke
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest

_TARGET = "s3OutputDataConfig"

TAGGABLE[KIND] = get_invoke


@handles(
    "bedrock-runtime",
    "StartAsyncInvoke",
    missing=(
        "modelId: Nova multimodal embeddings and TwelveLabs Marengo; models that make videos are refused",
        "modelInput: text, inline or (Nova) in S3 up to 64 MB; images, sounds and videos are refused",
        "outputDataConfig: kmsKeyId is remembered, nothing is encrypted with it; bucketOwner must be the account's own",
    ),
)
async def start_async_invoke(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Queue a call; its answer goes to S3."""
    target = request["outputDataConfig"].get(_TARGET)
    if target is None:
        raise InvalidRequest(f"outputDataConfig needs {_TARGET}")
    if not isinstance(request["modelInput"], dict):
        raise InvalidRequest("modelInput must be a JSON object")
    resolve_model(ctx, request["modelId"])  # Says in the answer which model will run.
    wish = NewAsyncInvoke(
        model_id=request["modelId"],
        model_input=request["modelInput"],
        output_uri=target["s3Uri"],
        token=request.get("clientRequestToken", ""),
        kms_key_id=target.get("kmsKeyId", ""),
        bucket_owner=target.get("bucketOwner", ""),
        tags=tags_by_key(request.get("tags", [])),
    )
    invoke = await asyncio.to_thread(start_invoke, ctx, wish)
    return {"invocationArn": invoke.arn}


@handles("bedrock-runtime", "GetAsyncInvoke")
async def get_async_invoke(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One call, and where its output is."""
    return _facts(await asyncio.to_thread(get_invoke, ctx, request["invocationArn"]))


@handles("bedrock-runtime", "ListAsyncInvokes")
async def list_async_invokes(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The account's calls, newest first unless asked otherwise."""
    find = partial(
        list_invokes,
        ctx,
        status=request.get("statusEquals"),
        after=request.get("submitTimeAfter"),
        before=request.get("submitTimeBefore"),
        newest_first=request.get("sortOrder", "Descending") == "Descending",
    )
    invokes = await asyncio.to_thread(find)
    shown, token = page(ctx, invokes, request=request, operation="ListAsyncInvokes", key=lambda invoke: invoke.arn)
    answer: dict[str, Any] = {"asyncInvokeSummaries": [_facts(invoke) for invoke in shown]}
    return answer if token is None else {**answer, "nextToken": token}


def _facts(invoke: AsyncInvoke) -> dict[str, Any]:
    target = {"s3Uri": invoke.folder_uri, "kmsKeyId": invoke.kms_key_id, "bucketOwner": invoke.bucket_owner}
    facts: dict[str, Any] = {
        "invocationArn": invoke.arn,
        "modelArn": invoke.model_arn,
        "status": invoke.status,
        "submitTime": invoke.submitted_at,
        "lastModifiedTime": invoke.modified_at,
        "outputDataConfig": {_TARGET: {name: value for name, value in target.items() if value}},
    }
    optional = {
        "clientRequestToken": invoke.token,
        "failureMessage": invoke.message,
        "endTime": invoke.ended_at,
    }
    return facts | {name: value for name, value in optional.items() if value}
