"""PutModelInvocationLoggingConfiguration, and Get and Delete."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.core.context import Context
from rocamadre.invocations.operations import delete_config, get_config, put_config
from rocamadre.invocations.types import LoggingConfig, LogsDestination, S3Destination

_FLAGS = {
    "textDataDeliveryEnabled": "text",
    "imageDataDeliveryEnabled": "image",
    "embeddingDataDeliveryEnabled": "embedding",
    "videoDataDeliveryEnabled": "video",
    "audioDataDeliveryEnabled": "audio",
}


@handles(
    "bedrock",
    "PutModelInvocationLoggingConfiguration",
    missing=("loggingConfig: cloudWatchConfig.roleArn is stored and shown; no role is assumed",),
)
async def put_model_invocation_logging_configuration(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Have invocations written down from now on; replaces what was configured before."""
    await asyncio.to_thread(put_config, ctx, _read(request["loggingConfig"]))
    return {}


@handles("bedrock", "GetModelInvocationLoggingConfiguration")
async def get_model_invocation_logging_configuration(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """What is configured; nothing at first."""
    config = await asyncio.to_thread(get_config, ctx)
    return {} if config is None else {"loggingConfig": _write(config)}


@handles("bedrock", "DeleteModelInvocationLoggingConfiguration")
async def delete_model_invocation_logging_configuration(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Write nothing down from now on."""
    await asyncio.to_thread(delete_config, ctx)
    return {}


def _read(given: Mapping[str, Any]) -> LoggingConfig:
    logs = given.get("cloudWatchConfig")
    return LoggingConfig(
        s3=_destination(given.get("s3Config")),
        logs=logs
        and LogsDestination(logs["logGroupName"], logs["roleArn"], _destination(logs.get("largeDataDeliveryS3Config"))),
        **{name: given.get(member, True) for member, name in _FLAGS.items()},
    )


def _destination(given: Mapping[str, Any] | None) -> S3Destination | None:
    return S3Destination(given["bucketName"], given.get("keyPrefix", "")) if given else None


def _write(config: LoggingConfig) -> dict[str, Any]:
    shown: dict[str, Any] = {member: getattr(config, name) for member, name in _FLAGS.items()}
    if config.s3 is not None:
        shown["s3Config"] = _place(config.s3)
    if config.logs is not None:
        shown["cloudWatchConfig"] = {"logGroupName": config.logs.group, "roleArn": config.logs.role_arn}
        if config.logs.large is not None:
            shown["cloudWatchConfig"]["largeDataDeliveryS3Config"] = _place(config.logs.large)
    return shown


def _place(destination: S3Destination) -> dict[str, str]:
    return {"bucketName": destination.bucket} | ({"keyPrefix": destination.prefix} if destination.prefix else {})
