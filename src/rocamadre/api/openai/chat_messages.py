"""A chat request's messages."""

from __future__ import annotations

from dataclasses import dataclass

from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.fields import Fields, record_of
from rocamadre.api.openai.parts import Part, read_content, text_of
from rocamadre.api.openai.tools import call_id, read_calls
from rocamadre.api.openai.turns import settle_turns
from rocamadre.core.messages import Block, CachePoint, Message, Reasoning, Text, ToolResult

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
_PARTS = {"text": "text", "image_url": "image", "input_audio": "audio", "file": "file", "refusal": "refusal"}
_TAKEN = {"user": ("text", "image", "audio", "file"), "assistant": ("text", "refusal")}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request's messages, read.

    Attributes:
        system: The system prompt; empty for none.
        messages: The turns; neighbours of one role are merged.
        cache_system: A cache point stands in the system prompt.
    """

    system: str
    messages: tuple[Message, ...]
    cache_system: bool = False


def read_messages(fields: Fields) -> Conversation:
    """The system prompt and the turns.

    Raises:
        BadParameter: names the message.
        InvalidRequest: a document cannot be read.
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
    system: list[Part] = []
    turns: list[Message] = []
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        one = record_of(message, at)
        one.required("role")
        role = one.choice("role", _ROLES) or ""
        one.only(_KEYS)
        if role in ("system", "developer"):
            if turns:
                raise BadParameter(f"'{at}': {role} messages are taken before the first user message only.", param=at)
            one.refuse({"name": "names of speakers"})
            system.extend(read_content(one, "content", _PARTS))
        else:
            turns.append(Message("assistant" if role == "assistant" else "user", _blocks(one, role)))
    settled = settle_turns(
        turns,
        param="messages",
        unanswered=lambda call: (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {call[:80]}"
        ),
        uncalled=lambda call: (
            "Invalid parameter: messages with role 'tool' must be a response to a preceding message with "
            f"'tool_calls'; no call {call[:80]!r} stands open before this one."
        ),
    )
    texts = [part.text for part in system if isinstance(part, Text) and part.text]
    return Conversation("\n\n".join(texts), settled, any(isinstance(part, CachePoint) for part in system))


def _blocks(message: Fields, role: str) -> tuple[Block, ...]:
    if role == "function" or "function_call" in message:
        name = "role" if role == "function" else "function_call"
        raise message.unsupported(
            name, "functions gave way to tools; send 'tool_calls' and messages with the role 'tool'"
        )
    if role == "tool":
        return (_result(message),)
    message.refuse({"audio": "audio", "name": "names of speakers"})
    if role == "user":
        return tuple(read_content(message, "content", _PARTS, taken=_TAKEN["user"]))
    reasoning = message.text("reasoning_content")
    blocks: list[Block] = [Reasoning(reasoning)] if reasoning else []
    calls = read_calls(message)
    refusal = message.text("refusal")
    if "content" in message:
        parts = read_content(message, "content", _PARTS, taken=_TAKEN["assistant"])
        # An empty string is how many clients write that there were only calls.
        blocks.extend(part for part in parts if not (calls and isinstance(part, Text) and not part.text))
    elif refusal:
        blocks.append(Text(refusal))
    elif not calls:
        message.required("content")
    return (*blocks, *calls)


def _result(message: Fields) -> ToolResult:
    message.refuse({"audio": "audio", "tool_calls": "calls in tool messages"})
    return ToolResult(call_id(message, "tool_call_id"), text_of(read_content(message, "content", _PARTS)))
