"""What Converse, ConverseStream and CountTokens read alike."""

from __future__ import annotations

import asyncio
from typing import Any

from rocamadre.api.bedrock_runtime.blocks import Json, read_messages, read_system, refuse
from rocamadre.api.bedrock_runtime.settings import read_sampling
from rocamadre.api.bedrock_runtime.tools import check_tool_turns, read_output, read_tools
from rocamadre.api.inference.generation import Generation
from rocamadre.api.inference.guarded_answer import Mode
from rocamadre.api.inference.guarding import Guard, GuardWish
from rocamadre.api.inference.tiers import LATENCY, SERVED_AS, settle_service
from rocamadre.core.context import Context
from rocamadre.core.messages import Finish, GenerationRequest, Usage

MISSING = (
    "promptVariables: refused; managed prompts come later",
    "outputConfig: effort is refused",
    "toolConfig: tools that run on the server (systemTool) are refused",
    "performanceConfig: latency optimized is served as standard, as the answer says",
    "serviceTier: reserved is served as default, as the answer says",
    "messages: images, video and audio are refused by models without them; images in guardContent and blocks of "
    "citations are refused; a cachePoint's ttl is not kept to: what was read stays as long as the engine has room",
    "system: images in guardContent are refused",
    "additionalModelRequestFields: sampling settings only; others are refused",
)
"""What Converse and ConverseStream lack."""

_LATER = {"promptVariables": "managed prompts"}
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
    system = read_system(request.get("system") or ())
    tools = read_tools(request.get("toolConfig"))
    check_tool_turns(messages, tools)
    return GenerationRequest(
        messages,
        system.text,
        sampling=read_sampling(request.get("inferenceConfig"), request.get("additionalModelRequestFields")),
        tools=tools.specs,
        tool_choice=tools.choice,
        schema=read_output(request.get("outputConfig")),
        cache_system=system.cached,
        cache_tools=tools.cached,
        system_marks=system.marks,
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


def guard_wish(request: Json, *, stream: bool) -> GuardWish:
    """What is asked of guardrails; in a stream, text waits for them unless the client wants otherwise.

    Raises:
        InvalidRequest: an identifier without a version, or the reverse.
    """
    config = request.get("guardrailConfig") or {}
    mode: Mode = config.get("streamProcessingMode", "sync") if stream else "whole"
    return GuardWish(config.get("guardrailIdentifier", ""), config.get("guardrailVersion", ""), mode)


def stop_reason(finish: Finish, guard: Guard | None) -> str:
    """Why an answer ended. Masking counts as an intervention, too, but a client must still learn of tools to call."""
    if guard is not None and guard.intervened and finish.reason != "tool_use":
        return "guardrail_intervened"
    return finish.reason


def traced(request: Json, generation: Generation) -> Json:
    """The trace: which model a prompt router chose, and what guardrails found where the request asks for it."""
    trace: Json = {}
    wanted = (request.get("guardrailConfig") or {}).get("trace", "disabled")
    if generation.guard is not None and wanted != "disabled":
        trace["guardrail"] = generation.guard.trace(full=wanted == "enabled_full")
    if generation.resolved.router_arn:
        trace["promptRouter"] = {"invokedModelId": generation.resolved.invoked_model_id}
    return {"trace": trace} if trace else {}


def echoed(request: Json) -> dict[str, Any]:
    """PerformanceConfig and serviceTier as they were served, where the request asked for any."""
    answer: Json = {}
    if request.get("performanceConfig"):
        answer["performanceConfig"] = {"latency": LATENCY}
    if request.get("serviceTier"):
        answer["serviceTier"] = {"type": SERVED_AS[request["serviceTier"]["type"]]}
    return answer
