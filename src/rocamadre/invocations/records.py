"""One invocation in AWS's schema: `ModelInvocationLog`, version 1.0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import msgspec

from rocamadre.invocations.types import Invocation, LoggingConfig

Json: TypeAlias = dict[str, Any]

LEFT_OUT = "[left out: {}DataDeliveryEnabled is false]"
"""Stands where an image, a video or a sound was."""

_KINDS = ("image", "video", "audio")
_CONTENT = ("bytes", "data", "base64", "url", "base64String")
_KEYS = {
    "image": ("image", "images", "inputImage", "init_image", "mask_image", "image_url", "conditionImage"),
    "video": ("video", "videos", "video_url"),
    "audio": ("audio", "audios", "input_audio"),
}


class _Counts(NamedTuple):
    read: int | None
    written: int | None
    from_cache: int
    into_cache: int


def model_of(call: Invocation) -> str:
    """The model that a call names, in the path or in the body."""
    if call.model_id:
        return call.model_id
    body = parse(call.input)
    named = body.get("model") if isinstance(body, dict) else None
    return named if isinstance(named, str) else ""


def build_record(call: Invocation, config: LoggingConfig, *, embeds: bool, identity_arn: str, model_id: str) -> Json:
    """The record of a call.

    Args:
        call: What happened.
        config: What is to be delivered of it.
        embeds: Whether its answer is vectors.
        identity_arn: Of who asked.
        model_id: What is named as the model: an id, or the ARN of the inference profile that was asked for.
    """
    said, answered = parse(call.input), parse(call.output)
    metadata: Any = parse(call.metadata.encode()) if call.metadata else None
    if isinstance(said, dict) and call.operation.startswith("Converse"):
        metadata = said.pop("requestMetadata", None)  # It has a place of its own in the record.
    counts = _counts(call, answered)
    record: Json = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": call.began.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "accountId": call.account,
        "identity": {"arn": identity_arn},
        "region": call.region,
        "requestId": call.request_id,
        "operation": call.operation,
        "modelId": model_id,
        "input": {"inputContentType": call.input_type},
        "output": {"outputContentType": call.output_type},
        "inferenceRegion": call.region,
    }
    if config.text and said is not None:
        record["input"]["inputBodyJson"] = _delivered(said, config)
    if answered is not None and (config.embedding if embeds else config.text):
        record["output"]["outputBodyJson"] = _delivered(answered, config)
    if call.cut:
        record["output"]["outputBodyCut"] = True
    if counts.read is not None:
        record["input"] |= {
            "inputTokenCount": counts.read,
            "cacheReadInputTokenCount": counts.from_cache,
            "cacheWriteInputTokenCount": counts.into_cache,
        }
    if counts.written is not None and not embeds:
        record["output"]["outputTokenCount"] = counts.written
    optional: Json = {
        "servedModelId": call.served_id,
        "errorCode": call.error,
        "requestMetadata": metadata if isinstance(metadata, dict) else None,
        "performanceConfig": {"latency": call.latency} if call.latency else None,
        "serviceTier": {"type": call.tier} if call.tier else None,
    }
    return record | {name: value for name, value in optional.items() if value}


def _counts(call: Invocation, answered: Any) -> _Counts:
    """Tokens as the answer tells them to the client, else as they were counted."""
    if isinstance(answered, list) and answered and isinstance(answered[-1], dict):
        metrics = answered[-1].get("amazon-bedrock-invocationMetrics")
        if isinstance(metrics, dict):
            read, written = metrics.get("inputTokenCount"), metrics.get("outputTokenCount")
            from_cache, into_cache = metrics.get("cacheReadInputTokenCount"), metrics.get("cacheWriteInputTokenCount")
            return _Counts(read, written, from_cache or 0, into_cache or 0)
    if call.operation.startswith("Converse") and isinstance(answered, dict):
        usage = answered.get("usage")
        if isinstance(usage, dict):
            from_cache, into_cache = usage.get("cacheReadInputTokens"), usage.get("cacheWriteInputTokens")
            return _Counts(usage.get("inputTokens"), usage.get("outputTokens"), from_cache or 0, into_cache or 0)
    return _Counts(call.input_tokens, call.output_tokens, call.cache_read_tokens, call.cache_write_tokens)


def parse(data: bytes) -> Any:
    """A body as JSON; as text if it is none; None when it is empty."""
    if not data:
        return None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")


def _delivered(body: Any, config: LoggingConfig) -> Any:
    """A body without the images, videos and sounds that are not to be delivered."""
    try:
        for kind in _KINDS:
            if not getattr(config, kind):
                body = _without(body, kind)
    except RecursionError:
        return "[left out: it is nested too deeply to look for media in it]"
    return body


def _without(value: Any, kind: str) -> Any:
    """A JSON value without media of a kind, wherever they are: each family has its own place for them."""
    if isinstance(value, list):
        return [_without(item, kind) for item in value]
    if not isinstance(value, dict):
        return value
    gone = LEFT_OUT.format(kind)
    if str(value.get("type", "")).startswith(kind) or str(value.get("inputType", "")) == kind:
        return _blanked(value, lambda name: name in _CONTENT, gone)
    return {
        name: _media_gone(item, gone) if name in _KEYS[kind] else _without(item, kind) for name, item in value.items()
    }


def _media_gone(value: Any, gone: str) -> Any:
    if isinstance(value, str):
        return gone
    if isinstance(value, list):
        return [_media_gone(item, gone) for item in value]
    return _blanked(value, lambda name: name in _CONTENT, gone)


def _blanked(value: Any, named: Callable[[str], bool], gone: str) -> Any:
    """The strings under certain names replaced, at any depth."""
    if isinstance(value, list):
        return [_blanked(item, named, gone) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: gone if named(name) and isinstance(item, str) else _blanked(item, named, gone)
        for name, item in value.items()
    }
