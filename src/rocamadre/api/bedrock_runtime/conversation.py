"""What Converse, ConverseStream and CountTokens read alike."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from rocamadre.api.bedrock_runtime.blocks import Json, read_messages, read_system, refuse
from rocamadre.api.bedrock_runtime.settings import read_sampling
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Finish, GenerationRequest, Usage

MISSING = (
    "toolConfig: refused; tools come later",
    "guardrailConfig: refused; guardrails come later",
    "promptVariables: refused; managed prompts come later",
    "outputConfig: refused; structured output comes later",
    "performanceConfig: latency optimized is refused",
    "serviceTier: other tiers than default are refused",
    "messages: images, video and audio are refused by models without them; documents are read as txt, md, csv and "
    "html, from bytes or text; blocks of tools, guardrails, citations and caching are refused",
    "system: guardContent and cachePoint are refused",
    "additionalModelRequestFields: sampling settings only; others are refused",
    "additionalModelResponseFieldPaths: only /stop_sequence is ever there",
    "requestMetadata: its keys go to the access log; nothing else uses it",
)
"""What Converse and ConverseStream lack."""

_LARGE_BYTES = 100_000
_LATER = {
    "toolConfig": "tools",
    "guardrailConfig": "guardrails",
    "promptVariables": "managed prompts",
    "outputConfig": "structured output",
}


async def read_request(ctx: Context, request: Json) -> GenerationRequest:
    """`read_conversation`, in a thread when there are large documents to read."""
    size = sum(
        len(block["document"]["source"].get("bytes") or b"")
        for message in request.get("messages") or ()
        for block in message["content"]
        if "document" in block
    )
    if size > _LARGE_BYTES:
        return await asyncio.to_thread(read_conversation, ctx, request)
    return read_conversation(ctx, request)


def read_conversation(ctx: Context, request: Json) -> GenerationRequest:
    """The generation that a request asks for.

    Raises:
        InvalidRequest: it breaks one of Amazon Bedrock's rules.
        NotBuilt: it asks for something that comes later; the message names the member.
    """
    refuse(request, _LATER)
    if (request.get("performanceConfig") or {}).get("latency", "standard") != "standard":
        raise InvalidRequest("Latency performance configuration is not supported: performanceConfig.latency optimized")
    if (tier := (request.get("serviceTier") or {}).get("type", "default")) != "default":
        raise InvalidRequest(f"serviceTier: the tier {tier} is not supported; leave it out or choose default")
    if metadata := request.get("requestMetadata"):
        ctx.notes["request_metadata"] = ",".join(sorted(metadata))
    return GenerationRequest(
        read_messages(request.get("messages") or ()),
        read_system(request.get("system") or ()),
        sampling=read_sampling(request.get("inferenceConfig"), request.get("additionalModelRequestFields")),
    )


def check_pointers(paths: Sequence[str]) -> None:
    """Refuse what is no JSON Pointer.

    Raises:
        InvalidRequest: empty, or not beginning with a slash.
    """
    for path in paths:
        if not path.startswith("/") or len(path) < 2:
            raise InvalidRequest(
                f"additionalModelResponseFieldPaths: {path[:80]!r} is not a valid JSON Pointer; one is /stop_sequence"
            )


def response_fields(paths: Sequence[str], finish: Finish) -> Json | None:
    """additionalModelResponseFields: what an answer has of the paths asked for; the others are left out.

    >>> response_fields(["/stop_sequence", "/id"], Finish("stop_sequence", Usage(), "END"))
    {'stop_sequence': 'END'}
    """
    return {"stop_sequence": finish.stop_sequence} if "/stop_sequence" in paths else None


def write_usage(usage: Usage) -> Json:
    """TokenUsage."""
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }


def echoed(request: Json) -> dict[str, Any]:
    """PerformanceConfig and serviceTier as they were asked for; only what is honoured gets here."""
    return {name: request[name] for name in ("performanceConfig", "serviceTier") if request.get(name)}
