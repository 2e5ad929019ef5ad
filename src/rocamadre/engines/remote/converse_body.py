"""A generation as a request of Converse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    Block,
    CachePoint,
    Document,
    GenerationRequest,
    Media,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
)
from rocamadre.engines.remote.common import set_fields

Json = dict[str, Any]
_NAME = re.compile(r"[^A-Za-z0-9 ()\[\]-]+")


def converse_body(request: GenerationRequest, model: str) -> Json:
    """The members of a Converse call.

    Raises:
        InvalidRequest: Converse has no member for something in the request.
    """
    if request.prompt is not None or request.logprobs is not None:
        raise InvalidRequest("Converse takes conversations only: no raw prompts, no log-probabilities")
    sampling = request.sampling
    if sampling.logit_bias:
        raise InvalidRequest("Converse takes no logit bias")
    if sampling.beams is not None and sampling.beams > 1:
        raise InvalidRequest("Converse takes no beams")
    inference = set_fields(
        maxTokens=sampling.max_tokens,
        temperature=sampling.temperature,
        topP=sampling.top_p,
        stopSequences=list(sampling.stop) or None,
    )
    more = set_fields(
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        seed=sampling.seed,
        repetition_penalty=sampling.repetition_penalty,
        frequency_penalty=sampling.frequency_penalty,
        presence_penalty=sampling.presence_penalty,
        min_tokens=sampling.min_tokens,
    )
    tools, choice = _tools(request, model)
    return set_fields(
        modelId=model,
        system=_system(request),
        messages=[{"role": turn.role, "content": list(_blocks(turn.content))} for turn in request.messages],
        inferenceConfig=inference,
        toolConfig=tools,
        outputConfig=_output(request),
        additionalModelRequestFields=more | choice,
        additionalModelResponseFieldPaths=["/stop_sequence"] if sampling.stop else None,
    )


def _system(request: GenerationRequest) -> list[Json] | None:
    if not request.system:
        return None
    return [{"text": request.system}, *([_point(CachePoint())] if request.cache_system else ())]


def _tools(request: GenerationRequest, model: str) -> tuple[Json | None, Json]:
    """ToolConfig, and the model's own fields for what ToolConfig has no member for."""
    choice = request.tool_choice
    if not request.tools:
        return None, {}
    if choice.mode == "none":
        if any(isinstance(block, ToolUse | ToolResult) for turn in request.messages for block in turn.content):
            raise InvalidRequest(
                "Converse has no tool choice `none`, and a conversation with tool calls needs its tools"
            )
        return None, {}
    specs: list[Json] = [
        {
            "toolSpec": set_fields(
                name=tool.name,
                description=tool.description or None,
                inputSchema={"json": tool.schema},
                strict=tool.strict or None,
            )
        }
        for tool in request.tools
    ]
    if request.cache_tools:
        specs.append(_point(CachePoint()))
    wanted: Json = {"tool": {"name": choice.name}} if choice.mode == "tool" else {choice.mode: {}}
    config = {"tools": specs, "toolChoice": wanted}
    if choice.parallel:
        return config, {}
    if "anthropic." not in model:
        raise InvalidRequest("Converse has no member that forbids several tool calls in one turn")
    only = {"type": choice.mode, **({"name": choice.name} if choice.mode == "tool" else {})}
    return {"tools": specs}, {"tool_choice": {**only, "disable_parallel_tool_use": True}}


def _output(request: GenerationRequest) -> Json | None:
    if request.schema is None:
        return None
    schema = {"schema": msgspec.json.encode(request.schema or {"type": "object"}).decode(), "name": "answer"}
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def _blocks(content: Sequence[Block]) -> Iterator[Json]:
    for index, block in enumerate(content):
        match block:
            case Text(text):
                yield {"text": text}
            case Document(name, text):
                clean = " ".join(_NAME.sub(" ", name).split()) or f"document {index}"
                yield {"document": {"format": "txt", "name": clean, "source": {"bytes": text.encode()}}}
            case Media():
                yield _media(block)
            case ToolUse(id_, name, given):
                yield {"toolUse": {"toolUseId": id_, "name": name, "input": given}}
            case ToolResult():
                yield {"toolResult": _result(block)}
            case Reasoning(redacted=redacted) if redacted:
                yield {"reasoningContent": {"redactedContent": redacted}}
            case Reasoning(text, signature) if signature:
                yield {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}
            case CachePoint():
                yield _point(block)
            # Thoughts that nobody signed are taken by no model that checks them, and read by no other.


def _result(block: ToolResult) -> Json:
    content: list[Json] = [_media(each) for each in block.media]
    if block.text or not content:
        content.insert(0, {"text": block.text})
    return {"toolUseId": block.id, "content": content, "status": "error" if block.is_error else "success"}


def _media(media: Media) -> Json:
    return {media.kind: {"format": media.format, "source": {"bytes": media.data}}}


def _point(point: CachePoint) -> Json:
    # Five minutes is what leaving it out means, and what every model that caches takes.
    return {"cachePoint": {"type": "default", **({"ttl": "1h"} if point.ttl_s > 300 else {})}}
