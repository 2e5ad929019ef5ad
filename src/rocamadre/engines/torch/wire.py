"""Generation requests as the frames between `TorchEngine` and its child hold them."""

from __future__ import annotations

from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Document, GenerationRequest, Message, Reasoning, Sampling, Text

_BLOCKS = {"text": Text, "document": Document, "reasoning": Reasoning}


def write_request(request: GenerationRequest) -> dict[str, Any]:
    """As plain values.

    Raises:
        InvalidRequest: it asks for what the engine does not have yet, or holds a block that it cannot read.
    """
    if request.tools:
        raise InvalidRequest("tools are not supported by this engine yet; leave out toolConfig")
    if request.schema is not None:
        raise InvalidRequest("structured output is not supported by this engine yet; leave out the schema")
    if request.echo and request.prompt is None:
        raise InvalidRequest("echo needs a raw prompt, not a conversation")
    return {
        "messages": [
            (message.role, [_write_block(block) for block in message.content]) for message in request.messages
        ],
        "system": request.system,
        "prompt": request.prompt,
        "sampling": {name: getattr(request.sampling, name) for name in Sampling.__slots__}
        | {"logit_bias": dict(request.sampling.logit_bias)},
        "logprobs": request.logprobs,
        "echo": request.echo,
    }


def read_request(body: dict[str, Any]) -> GenerationRequest:
    """Back from plain values."""
    messages = tuple(
        Message(role, tuple(_BLOCKS[kind](*values) for kind, *values in blocks)) for role, blocks in body["messages"]
    )
    sampling = msgspec.convert(body["sampling"], Sampling)
    return GenerationRequest(
        messages, body["system"], body["prompt"], sampling, logprobs=body["logprobs"], echo=body["echo"]
    )


def _write_block(block: Any) -> tuple[str, ...]:
    match block:
        case Text(text):
            return ("text", text)
        case Document(name, text):
            return ("document", name, text)
        case Reasoning(text):
            return ("reasoning", text)
    raise InvalidRequest("this engine reads text and documents only; images, tool calls and results are refused")
