"""A generation as a request of OpenAI's chat completions, or of completions where it is a raw prompt."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Block, Document, GenerationRequest, Media, Message, Text, ToolResult, ToolUse
from rocamadre.engines.remote.common import set_fields

Json = dict[str, Any]
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_SOUNDS = ("wav", "mp3")


def chat_body(request: GenerationRequest, model: str) -> Json:
    """The body; it asks for a stream that tells its usage.

    Raises:
        InvalidRequest: the wire has no member for something in the request.
    """
    sampling = request.sampling
    if sampling.beams is not None and sampling.beams > 1:
        raise InvalidRequest("beams are not passed on to remote models")
    body: Json = {"model": model, "stream": True, "stream_options": {"include_usage": True}}
    body |= set_fields(
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
        stop=list(sampling.stop) or None,
        frequency_penalty=sampling.frequency_penalty,
        presence_penalty=sampling.presence_penalty,
        logit_bias={str(token): bias for token, bias in sampling.logit_bias.items()},
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        min_tokens=sampling.min_tokens,
        **_schema(request),
    )
    if request.prompt is not None:
        if request.echo or request.logprobs is not None:
            raise InvalidRequest("echo and log-probabilities of raw prompts are not passed on to remote models")
        if request.tools or request.schema is not None:
            raise InvalidRequest("tools and schemas are passed on to remote models with conversations only")
        return body | {"prompt": request.prompt}
    if request.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": request.logprobs}
    turns = [{"role": "system", "content": request.system}] if request.system else []
    return body | _tools(request) | {"messages": [*turns, *(one for turn in request.messages for one in _turn(turn))]}


def _tools(request: GenerationRequest) -> Json:
    if not request.tools:
        return {}
    choice = request.tool_choice
    named = {"type": "function", "function": {"name": choice.name}}
    return set_fields(
        tools=[
            {
                "type": "function",
                "function": set_fields(
                    name=tool.name,
                    description=tool.description or None,
                    parameters=dict(tool.schema) or {"type": "object"},
                    strict=tool.strict or None,
                ),
            }
            for tool in request.tools
        ],
        tool_choice=named if choice.mode == "tool" else _CHOICES[choice.mode],
        parallel_tool_calls=None if choice.parallel else False,
    )


def _schema(request: GenerationRequest) -> Json:
    if request.schema is None:
        return {}
    if not request.schema:
        return {"response_format": {"type": "json_object"}}
    schema = {"name": "answer", "schema": request.schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _turn(message: Message) -> Iterator[Json]:
    """The messages that one turn becomes: the results of tools stand by themselves, before what else was said."""
    shown: list[Media] = []
    for block in message.content:
        if isinstance(block, ToolResult):
            text = f"Error: {block.text}" if block.is_error else block.text
            yield {"role": "tool", "tool_call_id": block.id, "content": text}
            shown += block.media
    calls = [_call(block) for block in message.content if isinstance(block, ToolUse)]
    parts = [*map(_part, shown), *(_part(block) for block in message.content if isinstance(block, _SPOKEN))]
    if calls:
        yield {"role": message.role, "content": _content(parts) or None, "tool_calls": calls}
    elif parts or not any(isinstance(block, ToolResult) for block in message.content):
        yield {"role": message.role, "content": _content(parts)}


_SPOKEN = (Text, Document, Media)


def _call(block: ToolUse) -> Json:
    arguments = msgspec.json.encode(block.input).decode()
    return {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": arguments}}


def _content(parts: list[Json]) -> str | list[Json]:
    return "\n\n".join(part["text"] for part in parts) if all(part["type"] == "text" for part in parts) else parts


def _part(block: Block) -> Json:
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case Document(name, text):
            return {"type": "text", "text": f"Document {name}:\n{text}"}
        case Media("image", form, data):
            url = f"data:image/{form};base64,{base64.b64encode(data).decode()}"
            return {"type": "image_url", "image_url": {"url": url}}
        case Media("audio", form, data) if form in _SOUNDS:
            return {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode(), "format": form}}
        case Media(kind, form):
            raise InvalidRequest(
                f"remote models on this wire are sent images, and sounds as {' or '.join(_SOUNDS)}; not {kind} "
                f"as {form}"
            )
    raise InvalidRequest("remote models are sent text, documents and media only")
