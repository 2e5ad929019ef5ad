"""`{"messages", "reference_answer"}`: Amazon Bedrock's for reinforcement; something to answer, and what is right."""

from __future__ import annotations

from typing import Any

import msgspec

from rocamadre.datasets.formats.conversations import as_messages, read_messages
from rocamadre.datasets.formats.fields import in_order, item, text
from rocamadre.datasets.formats.types import Format, Record, always
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Example, Prompt


def _read(record: Record) -> Prompt:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    turns = in_order(read_messages(members["messages"], "messages"), "messages")
    if turns[-1].role != "user":
        message = "the conversation is answered already"
        raise BadRecord("order", f"messages[{len(turns) - 1}].role", message, "end with the user's turn")
    reference = members["reference_answer"]
    if isinstance(reference, dict | list | int | float):
        reference = msgspec.json.encode(reference).decode()
    return Prompt(turns, text(reference, "reference_answer"))


def _write(example: Example) -> dict[str, Any] | None:
    if not isinstance(example, Prompt) or not example.reference:
        return None
    return {"messages": as_messages(example.turns), "reference_answer": example.reference}


FORMAT = Format(
    name="graded",
    title="Messages with a reference answer",
    sample={"messages": [{"role": "user", "content": "What is 2 + 2?"}], "reference_answer": "4"},
    required=("messages", "reference_answer"),
    optional=("id",),
    matches=always,
    read=_read,
    write=_write,
)
