"""What Converse, ConverseStream and CountTokens read alike."""

from __future__ import annotations

import asyncio
from typing import Any

from rocamadre.api.bedrock_runtime.blocks import Json, read_messages, read_system, refuse
from rocamadre.api.bedrock_runtime.settings import read_sampling
from rocamadre.api.bedrock_runtime.tools import check_tool_turns, read_output, read_tools
from rocamadre.api.inference.tiers import LATENCY, SERVED_AS, settle_service
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.messages import GenerationRequest, Usage

MISSING = (
    "guardrailConfig: refused; guardrails come later",
    "promptVariables: refused; managed prompts come later",
    "outputConfig: effort is refused",
    "toolConfig: tools that run on the server (systemTool) are refused",
    "performanceConfig: latency optimized is served as standard, as the answer says",
    "serviceTier: reserved is served as default, as the answer says",
    "messages: images, video and audio are refused by models without them; blocks of guardrails and citations are "
    "refused; a cachePoint's ttl is not kept to: what was read stays as long as the engine has room",
    "system: guardContent is refused",
    "additionalModelRequestFields: sampling settings only; others are refused",
)
"""What Converse and ConverseStream lack."""

_LATER = {"guardrailConfig": "guardrails", "promptVariables": "managed prompts"}
_MEDIA = ("document", "image", "video", "audio", "toolResult")


async def read_request(ctx: Context, request: Json) -> GenerationRequest:
    """`read_conversation`, in a thread when there are large documents to read; settles how the request is served."""
    settle_service(
        ctx,
        tier=(request.get("serviceTier") or {}).get("type"),
        latency=(request.get("performanceConfig") or {}).get("latency"),
    )
    slow = any(
        name in block for message in request.get("messages") or () for block in message["content"] for name in _MEDIA
    )
    if slow or request.get("outputConfig"):
        return await asyncio.to_thread(read_conversation, ctx, request)
    return read_conversation(ctx, request)


def read_conversation(ctx: Context, request: Json) -> GenerationRequest:
    """The generation that a request asks for. Blocks where there are documents to read.

    Raises:
        InvalidRequest: it breaks one of Amazon Bedrock's rules.
        NotBuilt: it asks for something that comes later; the message names the member.
    """
    refuse(request, _LATER)
    if metadata := request.get("requestMetadata"):
        ctx.notes["request_metadata"] = ",".join(sorted(metadata))
    messages = read_messages(ctx, request.get("messages") or ())
    system, cached = read_system(request.get("system") or ())
    tools = read_tools(request.get("toolConfig"))
    check_tool_turns(messages, tools)
    return GenerationRequest(
        messages,
        system,
        sampling=read_sampling(request.get("inferenceConfig"), request.get("additionalModelRequestFields")),
        tools=tools.specs,
        tool_choice=tools.choice,
        schema=read_output(request.get("outputConfig")),
        cache_system=cached,
        cache_tools=tools.cached,
    )


def write_usage(usage: Usage) -> Json:
    """TokenUsage."""
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }


def routed(resolved: Resolved) -> Json:
    """The trace of a prompt router, where one chose the model."""
    return {"trace": {"promptRouter": {"invokedModelId": resolved.invoked_model_id}}} if resolved.router_arn else {}


def echoed(request: Json) -> dict[str, Any]:
    """PerformanceConfig and serviceTier as they were served, where the request asked for any."""
    answer: Json = {}
    if request.get("performanceConfig"):
        answer["performanceConfig"] = {"latency": LATENCY}
    if request.get("serviceTier"):
        answer["serviceTier"] = {"type": SERVED_AS[request["serviceTier"]["type"]]}
    return answer
