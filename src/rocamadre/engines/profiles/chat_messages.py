"""Messages as OpenAI and Mistral write them: a role, and a string or a list of text parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import Message, Text
from rocamadre.engines.profiles.checks import Check, anything, array, choice, either, record, string
from rocamadre.engines.profiles.turns import check_turns, merge_turns

_PART: Check = record(
    {"type": choice("text", "image_url", "input_audio", "file"), "text": string()},
    required=("type",),
    later={"image_url": "images in this body format", "input_audio": "audio", "file": "files in this body format"},
)
_CONTENT: Check = either((str, string()), (list, array(_PART, 1)), (type(None), anything))
CHAT_MESSAGES: Check = array(
    record(
        {
            "role": choice("system", "developer", "user", "assistant", "tool"),
            "content": _CONTENT,
            "refusal": anything,
            "reasoning_content": anything,
            "tool_call_id": anything,
        },
        required=("role",),
        later={"tool_calls": "tools", "name": "names of speakers"},
    ),
    1,
)


def read_chat(messages: Iterable[Mapping[str, Any]]) -> tuple[str, tuple[Message, ...]]:
    """Checked messages as a system prompt and turns; neighbours of one role are merged.

    Raises:
        InvalidRequest: a message is blank, a system message comes late, or the turns break the rules.
        NotBuilt: tool messages.
    """
    system: list[str] = []
    turns: list[Message] = []
    for index, message in enumerate(messages):
        role, at = message["role"], f"#/messages/{index}"
        blocks = _blocks(message.get("content"), at)
        if role in ("system", "developer"):
            if turns:
                raise InvalidRequest(f"{at}: {role} messages are taken before the first user message only")
            system.extend(block.text for block in blocks)
        elif role == "tool":
            raise NotBuilt(f"{at}: Rocamadre does not have tools yet; leave tool messages out")
        else:
            if not blocks:
                raise InvalidRequest(f"{at}/content: the message is blank; add text and try again")
            turns.append(Message("user" if role == "user" else "assistant", blocks))
    return "\n\n".join(system), check_turns(merge_turns(turns))


def _blocks(content: Any, at: str) -> tuple[Text, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),) if content.strip() else ()
    for index, part in enumerate(content):
        if "text" not in part:
            raise InvalidRequest(f"{at}/content/{index}: required key [text] not found")
    return tuple(Text(part["text"]) for part in content if part["text"].strip())
