"""`{"messages"}`: OpenAI's chats."""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.conversations import as_messages, conversation, read_messages, turns_of, with_system
from rocamadre.datasets.formats.fields import content, item
from rocamadre.datasets.formats.types import Format, Record, always
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Example


def _read(record: Record) -> Example:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    turns = read_messages(members["messages"], "messages", optional=("weight",))
    for index, message in enumerate(members["messages"]):
        if message.get("weight", 1) != 1:
            path = f"messages[{index}].weight"
            raise BadRecord("unsupported", path, f"the turn has weight {message['weight']}", "every answer is learned")
    system = content(members["system"], "system") if members.get("system") else ""
    return conversation(with_system(system, turns, "messages"), "messages")


def _write(example: Example) -> dict[str, Any] | None:
    turns = turns_of(example)
    return None if turns is None else {"messages": as_messages(turns)}


FORMAT = Format(
    name="openai",
    title="OpenAI chat messages",
    sample={
        "messages": [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": "What is the capital of France?"},
            {"role": "assistant", "content": "Paris."},
        ]
    },
    required=("messages",),
    optional=("system", "id"),
    matches=always,
    read=_read,
    write=_write,
)
