"""A Claude messages body, checked already, as a generation. Its sentences are Anthropic's, which Bedrock passes on."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import (
    Block,
    CachePoint,
    Document,
    GenerationRequest,
    Media,
    Message,
    Reasoning,
    Sampling,
    Text,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
)
from rocamadre.engines.profiles.documents import decode_text, read_document
from rocamadre.engines.profiles.sampling import settled
from rocamadre.engines.profiles.turns import merge_turns
from rocamadre.engines.profiles.types import Json

FIRST_IS_USER = 'messages: first message must use the "user" role'
NO_PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."
_MOST_CACHE_POINTS = 4
_TTL_S = {"5m": 300, "1h": 3600}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")


def read_request(body: Json) -> GenerationRequest:
    """The generation that a body asks for.

    Args:
        body: One that `claude_body`'s checks found nothing against.

    Raises:
        InvalidRequest: it breaks one of Anthropic's rules.
        NotBuilt: it asks for something that Rocamadre lacks.
    """
    _check_cache_controls(body)
    thinking = (body.get("thinking") or {}).get("type", "disabled")
    if thinking not in ("disabled", "adaptive"):
        # A model that may think as much as it likes may also not think; one told to think must.
        raise NotBuilt(
            f"thinking: the model that runs here does not support thinking of type {thinking!r}; leave it out"
        )
    system, system_cached = _system(body.get("system") or "")
    tools = tuple(_tools(body.get("tools") or ()))
    messages = [_message(each, f"messages.{place}") for place, each in enumerate(body["messages"])]
    if body.get("cache_control"):
        last = messages[-1]
        messages[-1] = Message(last.role, (*last.content, _cache_point(body["cache_control"])))
    merged = merge_turns(messages)
    _check_turns(merged)
    return GenerationRequest(
        merged,
        system,
        sampling=_sampling(body),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
        schema=_schema(body),
        cache_system=system_cached,
        cache_tools=any(tool.get("cache_control") for tool in body.get("tools") or ()),
    )


def cache_ttl_s(body: Json) -> int:
    """The longest life, in seconds, that the body wishes for what is cached; 300 where it wishes nothing."""
    return max((_TTL_S[each.get("ttl") or "5m"] for _, each in _cache_controls(body)), default=300)


def _sampling(body: Json) -> Sampling:
    def given(name: str, default: Any) -> Any:
        value = body.get(name)
        return default if value is None else value

    return settled(
        Sampling(
            max_tokens=body.get("max_tokens"),
            temperature=given("temperature", 1.0),
            top_p=given("top_p", 1.0),
            top_k=given("top_k", 0),
            stop=tuple(given("stop_sequences", ())),
        )
    )


def _system(system: str | Sequence[Json]) -> tuple[str, bool]:
    """The system prompt, and whether a cache point stands in it."""
    if isinstance(system, str):
        return system, False
    return "\n\n".join(block["text"] for block in system), any(block.get("cache_control") for block in system)


def _tools(tools: Sequence[Json]) -> Iterator[ToolSpec]:
    names: set[str] = set()
    for place, tool in enumerate(tools):
        name, schema = tool["name"], tool["input_schema"]
        at = f"tools.{place}.custom"
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if name in names:
            raise InvalidRequest("tools: Tool names must be unique.")
        if schema.get("type") != "object":
            raise InvalidRequest(f"{at}.input_schema.type: Input should be 'object'")
        names.add(name)
        description = tool.get("description") or ""
        if examples := tool.get("input_examples"):
            shown = "\n".join(msgspec.json.encode(each).decode() for each in examples)
            description = f"{description}\n\nExamples of input:\n{shown}".strip()
        yield ToolSpec(name, description, schema, bool(tool.get("strict")))


def _tool_choice(choice: Json | None, tools: Sequence[ToolSpec]) -> ToolChoice:
    if not choice:
        return ToolChoice()
    mode, name = choice["type"], choice.get("name", "")
    if not tools and mode != "none":
        raise InvalidRequest("tool_choice: tool_choice may only be specified while providing tools.")
    if mode == "tool" and name not in (tool.name for tool in tools):
        raise InvalidRequest(f"tool_choice: Tool '{name[:128]}' not found in provided tools")
    return ToolChoice(mode, name, not choice.get("disable_parallel_tool_use"))


def _schema(body: Json) -> Mapping[str, Any] | None:
    format_ = (body.get("output_config") or {}).get("format") or body.get("output_format")
    return format_["schema"] if format_ else None


def _message(message: Json, at: str) -> Message:
    role, content = message["role"], message["content"]
    if isinstance(content, str):
        return Message(role, (Text(content),))
    blocks: list[Block] = []
    for place, block in enumerate(content):
        where = f"{at}.content.{place}"
        if block["type"] in (_USER_ONLY if role == "assistant" else _ASSISTANT_ONLY):
            raise InvalidRequest(f"{where}: `{block['type']}` blocks can not be in {role} messages")
        blocks.append(_block(block, where))
        if control := _control_of(block):
            blocks.append(_cache_point(control))
    return Message(role, tuple(blocks))


_USER_ONLY = ("tool_result", "image", "document")
_ASSISTANT_ONLY = ("tool_use", "thinking", "redacted_thinking")


def _block(block: Json, at: str) -> Block:
    kind = block["type"]
    if kind == "text":
        return Text(block["text"])
    if kind == "image":
        return _image(block["source"], f"{at}.image.source")
    if kind == "document":
        return _document(block, at)
    if kind == "tool_use":
        return ToolUse(block["id"], block["name"], block["input"])
    if kind == "tool_result":
        return _tool_result(block, at)
    if kind == "thinking":
        return Reasoning(block["thinking"], block.get("signature") or "")
    # Opaque to all but its maker; what is no base64 was not made by one.
    return Reasoning("", redacted=_base64(block["data"], f"{at}.redacted_thinking.data"))


def _tool_result(block: Json, at: str) -> ToolResult:
    content = block.get("content") or ""
    if isinstance(content, str):
        return ToolResult(block["tool_use_id"], content, bool(block.get("is_error")))
    texts: list[str] = []
    media: list[Media] = []
    for place, inner in enumerate(content):
        read = _block(inner, f"{at}.tool_result.content.{place}")
        if isinstance(read, Media):
            media.append(read)
        elif isinstance(read, Document):
            texts.append(f"{read.name}:\n{read.text}")
        else:
            assert isinstance(read, Text)
            texts.append(read.text)
    return ToolResult(block["tool_use_id"], "\n\n".join(texts), bool(block.get("is_error")), tuple(media))


def _image(source: Json, at: str) -> Media:
    if source["media_type"] not in _IMAGES:
        allowed = ", ".join(f"'{each}'" for each in _IMAGES)
        raise InvalidRequest(f"{at}.base64.media_type: Input should be one of {allowed}")
    return Media("image", source["media_type"].removeprefix("image/"), _base64(source["data"], f"{at}.base64.data"))


def _document(block: Json, at: str) -> Document:
    source, where = block["source"], f"{at}.document.source"
    kind = source["type"]
    if kind == "text":
        text = source["data"]
    elif kind == "content":
        text = _content_source(source["content"], f"{where}.content")
    else:
        text = _file(source, f"{where}.base64")
    if not text.strip():
        raise InvalidRequest(f"{where}: the document holds no text")
    if context := block.get("context"):
        text = f"{context}\n\n{text}"
    return Document(block.get("title") or "document", text)


def _content_source(content: str | Sequence[Json], at: str) -> str:
    if isinstance(content, str):
        return content
    for place, block in enumerate(content):
        if block["type"] != "text":
            raise NotBuilt(f"{at}.{place}: Rocamadre does not have images inside documents yet; send them beside it")
    return "\n\n".join(block["text"] for block in content)


def _file(source: Json, at: str) -> str:
    if source["media_type"] == "application/pdf":
        return read_document(_base64(source["data"], f"{at}.data"), "pdf", at=at)
    if source["media_type"] == "text/plain":
        return decode_text(_base64(source["data"], f"{at}.data"), at=at)
    raise InvalidRequest(f"{at}.media_type: Input should be 'application/pdf' or 'text/plain'")


def _base64(data: str, at: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{at}: Invalid base64 data") from error


def _cache_point(control: Json) -> CachePoint:
    return CachePoint(_TTL_S[control.get("ttl") or "5m"])


def _control_of(block: Json) -> Json | None:
    """The block's cache control; of a tool result, also the one inside it."""
    inner = block.get("content")
    if block["type"] == "tool_result" and isinstance(inner, list):
        controls = [each["cache_control"] for each in inner if each.get("cache_control")]
        return block.get("cache_control") or (controls[-1] if controls else None)
    return block.get("cache_control")


def _cache_controls(body: Json) -> Iterator[tuple[str, Json]]:
    """Where cache controls stand, in the order in which the model reads; and what they say."""
    system = body.get("system") or ()
    parts: list[tuple[str, Sequence[Json]]] = [("tools", body.get("tools") or ())]
    parts.append(("system", () if isinstance(system, str) else system))
    for place, message in enumerate(body.get("messages") or ()):
        if not isinstance(message["content"], str):
            parts.append((f"messages.{place}.content", message["content"]))
    for at, blocks in parts:
        for place, block in enumerate(blocks):
            inner = block.get("content")
            if isinstance(inner, list):
                for deep, each in enumerate(inner):
                    if each.get("cache_control"):
                        yield f"{at}.{place}.content.{deep}", each["cache_control"]
            if block.get("cache_control"):
                yield f"{at}.{place}", block["cache_control"]
    if body.get("cache_control"):
        yield "cache_control", body["cache_control"]


def _check_cache_controls(body: Json) -> None:
    found = list(_cache_controls(body))
    if len(found) > _MOST_CACHE_POINTS:
        raise InvalidRequest(
            f"A maximum of {_MOST_CACHE_POINTS} blocks with cache_control may be provided. Found {len(found)}."
        )
    short = ""
    for at, control in found:
        if control.get("ttl") != "1h":
            short = short or at
        elif short:
            raise InvalidRequest(
                f"{at}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control "
                f"block ({short}). Note that blocks are processed in the following order: `tools`, `system`, "
                "`messages`."
            )


def _check_turns(messages: Sequence[Message]) -> None:
    if messages[0].role != "user":
        raise InvalidRequest(FIRST_IS_USER)
    if messages[-1].role != "user":
        raise InvalidRequest(NO_PREFILL)
    called: list[str] = []
    for place, message in enumerate(messages):
        answered = [block.id for block in message.content if isinstance(block, ToolResult)]
        if missing := [each for each in called if each not in answered]:
            raise InvalidRequest(
                f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
                "next message."
            )
        if stray := [each for each in answered if each not in called]:
            raise InvalidRequest(
                f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(stray)}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if len(set(answered)) < len(answered):
            raise InvalidRequest(f"messages.{place}: each tool_use must have a single result")
        called = [block.id for block in message.content if isinstance(block, ToolUse)]
        if len(set(called)) < len(called):
            raise InvalidRequest(f"messages.{place}: `tool_use` ids must be unique")
