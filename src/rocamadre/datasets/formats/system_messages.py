"""`{"system", "messages"}`: Amazon Bedrock's for Anthropic Claude."""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.conversations import (
    as_messages,
    conversation,
    read_messages,
    split_system,
    turns_of,
    with_system,
)
from rocamadre.datasets.formats.fields import content, item
from rocamadre.datasets.formats.types import Format, Record
from rocamadre.datasets.types import Example


def _read(record: Record) -> Example:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    system = content(members["system"], "system") if members.get("system") else ""
    return conversation(with_system(system, read_messages(members["messages"], "messages"), "messages"), "messages")


def _write(example: Example) -> dict[str, Any] | None:
    turns = turns_of(example)
    if turns is None:
        return None
    system, rest = split_system(turns)
    return {"system": system, "messages": as_messages(rest)}


def _matches(record: Record) -> bool:
    return "system" in record


FORMAT = Format(
    name="anthropic",
    title="Anthropic system and messages",
    sample={
        "system": "Answer briefly.",
        "messages": [
            {"role": "user", "content": "What is the capital of France?"},
            {"role": "assistant", "content": "Paris."},
        ],
    },
    required=("messages",),
    optional=("system", "id"),
    matches=_matches,
    read=_read,
    write=_write,
)
