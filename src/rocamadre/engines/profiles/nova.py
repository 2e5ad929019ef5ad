"""Amazon Nova: requests. `nova_answers.py` writes what comes back."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal, TypeAlias, cast

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
from rocamadre.engines.profiles.checks import (
    Check,
    anything,
    array,
    choice,
    integer,
    mapping,
    number,
    read_body,
    record,
    string,
)
from rocamadre.engines.profiles.documents import MOST_DOCUMENTS, check_name, read_document
from rocamadre.engines.profiles.function_tools import check_name as check_tool_name
from rocamadre.engines.profiles.function_tools import check_results
from rocamadre.engines.profiles.nova_answers import Chunks, write
from rocamadre.engines.profiles.sampling import MOST_TOKENS, settled
from rocamadre.engines.profiles.turns import check_turns
from rocamadre.engines.profiles.types import Json, TextProfile

MediaKind: TypeAlias = Literal["image", "video", "audio"]
_GUARDED = {"guardContent": "guardrails"}
_TTL_S = {"5m": 300, "1h": 3600}
_KINDS = "text, image, video, audio, document, toolUse, toolResult, reasoningContent, cachePoint"
_MEDIA: Check = record(
    {
        "format": string(1),
        "source": record({"bytes": string(1)}, later={"s3Location": "media in S3"}),
        "name": string(1),
    },
    required=("format", "source"),
)
_CACHE: Check = record({"type": choice("default"), "ttl": choice(*_TTL_S)}, required=("type",))
_RESULT: Check = record({"text": string(), "json": anything, "image": _MEDIA, "video": _MEDIA, "document": _MEDIA})
_BLOCK: Check = record(
    {
        "text": string(1),
        "image": _MEDIA,
        "video": _MEDIA,
        "audio": _MEDIA,
        "document": _MEDIA,
        "reasoningContent": mapping,
        "cachePoint": _CACHE,
        "toolUse": record(
            {"toolUseId": string(1, 64), "name": string(1, 64), "input": anything},
            required=("toolUseId", "name", "input"),
        ),
        "toolResult": record(
            {
                "toolUseId": string(1, 64),
                "content": array(_RESULT),
                "status": choice("success", "error"),
            },
            required=("toolUseId", "content"),
        ),
    },
    later=_GUARDED,
)
_EMPTY: Check = record({})
_TOOL_CONFIG: Check = record(
    {
        "tools": array(
            record(
                {
                    "toolSpec": record(
                        {
                            "name": string(1, 64),
                            "description": string(),
                            "inputSchema": record({"json": mapping}, required=("json",)),
                        },
                        required=("name", "inputSchema"),
                    ),
                    "cachePoint": _CACHE,
                },
                later={"systemTool": "tools that run on the server"},
            ),
            1,
        ),
        "toolChoice": record(
            {"auto": _EMPTY, "any": _EMPTY, "tool": record({"name": string(1, 64)}, required=("name",))}
        ),
    },
    required=("tools",),
)
_REASONING: Check = record({"type": choice("disabled")}, later={"maxReasoningEffort": "reasoning settings"})
_MOST = integer(1, MOST_TOKENS)
BODY = record(
    {
        "schemaVersion": choice("messages-v1"),
        "system": array(record({"text": string(1), "cachePoint": _CACHE}, later=_GUARDED)),
        "messages": array(
            record({"role": choice("user", "assistant"), "content": array(_BLOCK, 1)}, required=("role", "content")), 1
        ),
        "inferenceConfig": record(
            {
                "maxTokens": _MOST,
                "max_new_tokens": _MOST,
                "temperature": number(0, 1),
                "topP": number(0, 1),
                "top_p": number(0, 1),
                "topK": integer(0, 128),
                "top_k": integer(0, 128),
                "stopSequences": array(string(1)),
                "reasoningConfig": _REASONING,
            }
        ),
        "toolConfig": _TOOL_CONFIG,
        "reasoningConfig": _REASONING,
    },
    required=("messages",),
)


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, BODY)
    messages = check_turns(
        tuple(
            Message(each["role"], _content(each, f"#/messages/{index}")) for index, each in enumerate(body["messages"])
        )
    )
    check_results(messages, "#/messages")
    documents = sum(isinstance(block, Document) for message in messages for block in message.content)
    if documents > MOST_DOCUMENTS:
        raise InvalidRequest(f"#/messages: {documents} documents; at most {MOST_DOCUMENTS} are taken")
    system = body.get("system", ())
    tools, choice_, cached = _tools(body.get("toolConfig"))
    return GenerationRequest(
        messages,
        "\n\n".join(each["text"] for each in system if "text" in each),
        sampling=_sampling(body.get("inferenceConfig", {})),
        tools=tools,
        tool_choice=choice_,
        cache_system=any("cachePoint" in each for each in system),
        cache_tools=cached,
    )


def _sampling(config: Json) -> Sampling:
    return settled(
        Sampling(
            max_tokens=config.get("maxTokens", config.get("max_new_tokens")),
            temperature=config.get("temperature", 0.7),
            top_p=config.get("topP", config.get("top_p", 0.9)),
            top_k=config.get("topK", config.get("top_k")),
            stop=tuple(config.get("stopSequences", ())),
        )
    )


def _tools(config: Json | None) -> tuple[tuple[ToolSpec, ...], ToolChoice, bool]:
    """The tools, whether one must be called, and whether a cache point stands behind them."""
    specs: dict[str, ToolSpec] = {}
    entries = (config or {}).get("tools", ())
    for index, entry in enumerate(entries):
        at = f"#/toolConfig/tools/{index}"
        if len(entry) != 1:
            raise InvalidRequest(f"{at}: an entry holds exactly one of toolSpec, cachePoint")
        if (spec := entry.get("toolSpec")) is not None:
            check_tool_name(spec["name"], f"{at}/toolSpec/name", specs)
            specs[spec["name"]] = ToolSpec(spec["name"], spec.get("description", ""), spec["inputSchema"]["json"])
    if entries and not specs:
        raise InvalidRequest("#/toolConfig/tools: there is no toolSpec")
    cached = any("cachePoint" in entry for entry in entries)
    wanted = (config or {}).get("toolChoice") or {"auto": {}}
    if len(wanted) != 1:
        raise InvalidRequest("#/toolConfig/toolChoice: it holds exactly one of auto, any, tool")
    mode = next(iter(wanted))
    name = wanted["tool"]["name"] if mode == "tool" else ""
    if name and name not in specs:
        raise InvalidRequest(f"#/toolConfig/toolChoice/tool/name: no tool is called {name!r}")
    return tuple(specs.values()), ToolChoice(mode, name), cached


def _content(message: Json, at: str) -> tuple[Block, ...]:
    blocks = tuple(_block(block, f"{at}/content/{place}") for place, block in enumerate(message["content"]))
    wrong = ToolResult if message["role"] == "assistant" else ToolUse
    for place, block in enumerate(blocks):
        if isinstance(block, wrong):
            kind = "toolResult" if wrong is ToolResult else "toolUse"
            raise InvalidRequest(f"{at}/content/{place}: {kind} has no place in a message of the {message['role']}")
    return blocks


def _block(block: Json, at: str) -> Block:
    if len(block) != 1:
        raise InvalidRequest(f"{at}: a content block holds exactly one of {_KINDS}")
    kind, value = next(iter(block.items()))
    if kind == "text":
        return Text(value)
    if kind == "toolUse":
        return ToolUse(value["toolUseId"], value["name"], value["input"])
    if kind == "toolResult":
        return _result(value, f"{at}/toolResult")
    if kind == "cachePoint":
        return CachePoint(_TTL_S[value.get("ttl", "5m")])
    if kind == "reasoningContent":
        return _reasoning(value, f"{at}/reasoningContent")
    return _file(kind, value, at)


def _reasoning(value: Json, at: str) -> Reasoning:
    try:
        if "redactedContent" in value:
            return Reasoning("", redacted=base64.b64decode(value["redactedContent"], validate=True))
        thought = value["reasoningText"]
        return Reasoning(str(thought["text"]), str(thought.get("signature") or ""))
    except (KeyError, TypeError, AttributeError, binascii.Error, ValueError) as error:
        raise NotBuilt(f"{at}: only reasoningText and redactedContent are taken") from error


def _result(value: Json, at: str) -> ToolResult:
    texts: list[str] = []
    media: list[Media] = []
    for place, part in enumerate(value["content"]):
        where = f"{at}/content/{place}"
        if len(part) != 1:
            raise InvalidRequest(f"{where}: it holds exactly one of text, json, image, video, document")
        kind, inner = next(iter(part.items()))
        if kind == "text":
            texts.append(inner)
        elif kind == "json":
            texts.append(msgspec.json.encode(inner).decode())
        else:
            file = _file(kind, inner, where)
            if isinstance(file, Document):
                texts.append(file.text)
            else:
                media.append(file)
    return ToolResult(value["toolUseId"], "\n".join(texts), value.get("status") == "error", tuple(media))


def _file(kind: str, value: Json, at: str) -> Document | Media:
    data = _bytes(value, at)
    if kind == "document":
        name = value.get("name", "document")
        check_name(name, at=at)
        return Document(name, read_document(data, value["format"], at=at))
    return Media(cast(MediaKind, kind), value["format"], data)


def _bytes(media: Json, at: str) -> bytes:
    try:
        return base64.b64decode(media["source"]["bytes"], validate=True)
    except (KeyError, binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{at}: the source's bytes are missing or not valid base64") from error


PROFILE = TextProfile("Amazon Nova", ("amazon.nova-*",), read, write, Chunks, body=BODY, tools=True)
