"""`bedrock-conversation-2024`: turns as Converse has them; without a last answer also what distillation takes."""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.conversations import conversation, read_messages, split_system, turns_of, with_system
from rocamadre.datasets.formats.fields import content, item
from rocamadre.datasets.formats.types import Format, Record, always
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Example

_VERSION = "bedrock-conversation-2024"


def _read(record: Record) -> Example:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    if members["schemaVersion"] != _VERSION:
        message = f"it is {members['schemaVersion']!r}"[:100]
        raise BadRecord("unsupported", "schemaVersion", message, f"write {_VERSION!r}")
    system = content(members["system"], "system") if members.get("system") else ""
    return conversation(with_system(system, read_messages(members["messages"], "messages"), "messages"), "messages")


def _write(example: Example) -> dict[str, Any] | None:
    turns = turns_of(example)
    if turns is None:
        return None
    system, rest = split_system(turns)
    record: dict[str, Any] = {"schemaVersion": _VERSION}
    if system:
        record["system"] = [{"text": system}]
    return {**record, "messages": [{"role": turn.role, "content": [{"text": turn.text}]} for turn in rest]}


FORMAT = Format(
    name="bedrock-conversation",
    title="Bedrock conversation (bedrock-conversation-2024)",
    sample={
        "schemaVersion": _VERSION,
        "system": [{"text": "Answer briefly."}],
        "messages": [
            {"role": "user", "content": [{"text": "What is the capital of France?"}]},
            {"role": "assistant", "content": [{"text": "Paris."}]},
        ],
    },
    required=("schemaVersion", "messages"),
    optional=("system", "id"),
    matches=always,
    read=_read,
    write=_write,
)
