"""Generation requests as the frames between `TorchEngine` and its child hold them."""

from __future__ import annotations

from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    CachePoint,
    Document,
    GenerationRequest,
    Message,
    Reasoning,
    Sampling,
    Text,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
)

_BLOCKS: dict[str, Any] = {
    "text": Text,
    "document": Document,
    "reasoning": Reasoning,
    "tool_use": ToolUse,
    "tool_result": ToolResult,
}


def write_request(request: GenerationRequest) -> dict[str, Any]:
    """As plain values.

    Raises:
        InvalidRequest: it asks for what the engine cannot do, or holds a block that it cannot read.
    """
    if request.echo and request.prompt is None:
        raise InvalidRequest("echo needs a raw prompt, not a conversation")
    return {
        "messages": [
            (message.role, [_write_block(block) for block in message.content if not isinstance(block, CachePoint)])
            for message in request.messages
        ],
        "system": request.system,
        "prompt": request.prompt,
        "sampling": {name: getattr(request.sampling, name) for name in Sampling.__slots__}
        | {"logit_bias": dict(request.sampling.logit_bias)},
        "logprobs": request.logprobs,
        "echo": request.echo,
        "prompt_ids": list(request.prompt_ids),
        "tools": [(tool.name, tool.description, dict(tool.schema), tool.strict) for tool in request.tools],
        "tool_choice": (request.tool_choice.mode, request.tool_choice.name, request.tool_choice.parallel),
        "schema": request.schema,
    }


def read_request(body: dict[str, Any]) -> GenerationRequest:
    """Back from plain values."""
    messages = tuple(
        Message(role, tuple(_BLOCKS[kind](*values) for kind, *values in blocks)) for role, blocks in body["messages"]
    )
    sampling = msgspec.convert(body["sampling"], Sampling)
    return GenerationRequest(
        messages,
        body["system"],
        body["prompt"],
        sampling,
        tools=tuple(ToolSpec(*tool) for tool in body["tools"]),
        tool_choice=ToolChoice(*body["tool_choice"]),
        schema=body["schema"],
        logprobs=body["logprobs"],
        echo=body["echo"],
        prompt_ids=tuple(body["prompt_ids"]),
    )


def _write_block(block: Any) -> tuple[Any, ...]:
    match block:
        case Text(text):
            return ("text", text)
        case Document(name, text):
            return ("document", name, text)
        case Reasoning(text):
            return ("reasoning", text)
        case ToolUse(id_, name, value):
            return ("tool_use", id_, name, value)
        case ToolResult(id_, text, is_error, ()):
            return ("tool_result", id_, text, is_error)
    raise InvalidRequest("this engine reads text, documents, tool calls and their results; media are refused")
