"""A chat request's messages."""

from __future__ import annotations

from typing import Any

from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.fields import Fields
from rocamadre.core.messages import Message, Reasoning, Text
from rocamadre.engines.profiles.turns import merge_turns

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_KEYS = (
    "role",
    "content",
    "name",
    "refusal",
    "tool_calls",
    "function_call",
    "audio",
    "tool_call_id",
    "annotations",
    "reasoning_content",
)
_LATER = {"tool_calls": "tools", "function_call": "tools", "audio": "audio", "name": "names of speakers"}
_PARTS = {"image_url": "images", "input_audio": "audio", "file": "files", "refusal": "refusals"}


def read_messages(fields: Fields) -> tuple[str, tuple[Message, ...]]:
    """The system prompt and the turns; neighbours of one role are merged.

    Raises:
        BadParameter: names the message.
    """
    messages = fields.required("messages")
    if not isinstance(messages, list):
        raise fields.wrong_type("messages", "an array of objects")
    if not messages:
        raise BadParameter(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param="messages",
            code="empty_array",
        )
    system: list[str] = []
    turns: list[Message] = []
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        if not isinstance(message, dict):
            raise BadParameter(f"Invalid type for '{at}': expected an object.", param=at, code="invalid_type")
        one = Fields(message, f"{at}.")
        role = one.required("role")
        one.choice("role", _ROLES)
        one.only(_KEYS)
        if role in ("tool", "function"):
            raise BadParameter(
                f"'{at}.role': Rocamadre does not have tools yet; leave {role} messages out.",
                param=f"{at}.role",
                code="unsupported_value",
            )
        one.refuse(_LATER)
        texts = _texts(one, at)
        if role in ("system", "developer"):
            if turns:
                raise BadParameter(f"'{at}': {role} messages are taken before the first user message only.", param=at)
            system.extend(texts)
        else:
            turns.append(_turn(one, role, texts))
    return "\n\n".join(filter(None, system)), _checked(merge_turns(turns))


def _turn(message: Fields, role: str, texts: list[str]) -> Message:
    reasoning = message.text("reasoning_content") if role == "assistant" else None
    thought = (Reasoning(reasoning),) if reasoning else ()
    return Message("user" if role == "user" else "assistant", (*thought, *(Text(text) for text in texts)))


def _texts(message: Fields, at: str) -> list[str]:
    content = message.required("content")
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list) or not content:
        raise message.wrong_type("content", "a string or a non-empty array of parts")
    return [_part(part, f"{at}.content[{place}]") for place, part in enumerate(content)]


def _part(part: Any, at: str) -> str:
    if not isinstance(part, dict):
        raise BadParameter(f"Invalid type for '{at}': expected an object.", param=at, code="invalid_type")
    fields = Fields(part, f"{at}.")
    kind = fields.choice("type", ("text", *_PARTS)) or fields.required("type")
    if kind in _PARTS:
        raise BadParameter(
            f"'{at}': this model does not read {_PARTS[kind]}; only text parts are taken.",
            param=at,
            code="unsupported_value",
        )
    text = fields.required("text")
    if not isinstance(text, str):
        raise fields.wrong_type("text", "a string")
    return text


def _checked(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """What the local models' templates can write: the user speaks first and last."""
    if not messages or messages[0].role != "user" or messages[-1].role != "user":
        raise BadParameter(
            "Invalid 'messages': the first and the last message, system messages aside, must be the user's.",
            param="messages",
        )
    return messages
