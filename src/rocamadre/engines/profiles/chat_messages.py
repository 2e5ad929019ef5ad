"""Messages as OpenAI, Mistral and AI21 write them: a role, and a string or a list of parts; tool calls and results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import Block, Media, Message, Reasoning, Text, ToolResult
from rocamadre.engines.profiles.checks import Check, anything, array, choice, either, optional, record, string
from rocamadre.engines.profiles.function_tools import TOOL_CALLS, check_results, read_calls
from rocamadre.engines.profiles.media import decode, read_image
from rocamadre.engines.profiles.turns import check_turns, merge_turns

_PART: Check = record(
    {
        "type": choice("text", "image_url", "input_audio", "file"),
        "text": string(),
        "image_url": either(
            (str, string(1)), (dict, record({"url": string(1), "detail": string()}, required=("url",)))
        ),
        "input_audio": record({"data": string(1), "format": choice("wav", "mp3")}, required=("data", "format")),
    },
    required=("type",),
    later={"file": "files in this body format", "cache_control": "prompt caching in this body format"},
)
_CONTENT: Check = either(
    (str, string()),
    (list, array(_PART, 1)),
    # Writer's own examples give one part without a type.
    (dict, record({"text": string(), "type": choice("text")}, required=("text",))),
    (type(None), anything),
)
CHAT_MESSAGES: Check = array(
    record(
        {
            "role": choice("system", "developer", "user", "assistant", "tool"),
            "content": _CONTENT,
            "name": optional(string()),
            "refusal": optional(string()),
            "reasoning": optional(string()),
            "reasoning_content": optional(string()),
            "tool_calls": TOOL_CALLS,
            "tool_call_id": optional(string(1, 256)),
        },
        required=("role",),
        later={
            "annotations": "annotations",
            "audio": "audio in answers",
            "function_call": "the old form of tool calls, function_call, but tool_calls,",
            "prefix": "answers that the client begins",
        },
    ),
    1,
)


def read_chat(messages: Iterable[Mapping[str, Any]]) -> tuple[str, tuple[Message, ...]]:
    """Checked messages as a system prompt and turns; neighbours of one role are merged.

    Raises:
        InvalidRequest: a message is blank, a system message comes late, calls and results do not match, or the turns
            break the rules.
        NotBuilt: a speaker has a name.
    """
    system: list[str] = []
    turns: list[Message] = []
    for index, message in enumerate(messages):
        role, at = message["role"], f"#/messages/{index}"
        if role not in ("tool", "assistant") and message.get("name"):
            raise NotBuilt(f"{at}/name: Rocamadre does not have names of speakers yet; leave it out")
        if role in ("system", "developer"):
            if turns:
                raise InvalidRequest(f"{at}: {role} messages are taken before the first user message only")
            system.extend(_texts(message, at))
        elif role == "tool":
            turns.append(_result(message, at))
        else:
            turns.append(_turn(message, at))
    merged = merge_turns(turns)
    check_results(merged, "#/messages")
    return "\n\n".join(system), check_turns(merged)


def _turn(message: Mapping[str, Any], at: str) -> Message:
    said = _blocks(message.get("content"), at)
    if message["role"] == "user":
        blocks = said
    else:
        thoughts = message.get("reasoning_content") or message.get("reasoning")
        before = (Reasoning(thoughts),) if thoughts else ()
        refused = (Text(message["refusal"]),) if message.get("refusal") else ()
        blocks = (*before, *said, *refused, *read_calls(message.get("tool_calls"), at))
    if not blocks:
        raise InvalidRequest(f"{at}/content: the message is blank; add text and try again")
    return Message("user" if message["role"] == "user" else "assistant", blocks)


def _result(message: Mapping[str, Any], at: str) -> Message:
    if not message.get("tool_call_id"):
        raise InvalidRequest(f"{at}: required key [tool_call_id] not found; it names the call that this answers")
    return Message("user", (ToolResult(message["tool_call_id"], "\n".join(_texts(message, at))),))


def _texts(message: Mapping[str, Any], at: str) -> list[str]:
    blocks = _blocks(message.get("content"), at)
    for block in blocks:
        if not isinstance(block, Text):
            raise InvalidRequest(f"{at}/content: messages of role {message['role']} hold text only")
    return [block.text for block in blocks if isinstance(block, Text)]


def _blocks(content: Any, at: str) -> tuple[Block, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),) if content.strip() else ()
    if isinstance(content, dict):
        return _blocks(content["text"], at)
    blocks = (_part(part, f"{at}/content/{index}") for index, part in enumerate(content))
    return tuple(block for block in blocks if not isinstance(block, Text) or block.text.strip())


def _part(part: Mapping[str, Any], at: str) -> Block:
    kind = part["type"]
    if kind not in part:
        raise InvalidRequest(f"{at}: required key [{kind}] not found")
    if kind == "text":
        return Text(part["text"])
    if kind == "input_audio":
        return Media("audio", part["input_audio"]["format"], decode(part["input_audio"]["data"], at))
    given = part["image_url"]
    return read_image(given if isinstance(given, str) else given["url"], at)
