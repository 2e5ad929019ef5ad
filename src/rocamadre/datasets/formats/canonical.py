"""`{"turns": [{"role", "text"}, …]}`: our own, in which registered data is kept."""

from __future__ import annotations

from typing import Any

import msgspec

from rocamadre.datasets.canonical import encode
from rocamadre.datasets.formats.conversations import conversation
from rocamadre.datasets.formats.fields import array, in_order, item, role, text
from rocamadre.datasets.formats.types import Format, Record, always
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Example, Preference, Prompt, Text, Turn


def _read(record: Record) -> Example:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    turns = []
    for index, each in enumerate(array(members["turns"], "turns")):
        at = f"turns[{index}]"
        turn = item(each, at, required=("role", "text"))
        turns.append(Turn(role(turn["role"], f"{at}.role"), text(turn["text"], f"{at}.text")))
    if "chosen" in members or "rejected" in members:
        ordered = in_order(turns, "turns")
        if ordered[-1].role != "user":
            raise BadRecord("order", "turns", "the conversation is answered already", "end it with the user's turn")
        return Preference(ordered, text(members.get("chosen"), "chosen"), text(members.get("rejected"), "rejected"))
    found = conversation(turns, "turns", text(members.get("task", ""), "task", may_be_empty=True))
    reference = text(members.get("reference", ""), "reference", may_be_empty=True)
    return Prompt(found.turns, reference) if isinstance(found, Prompt) else found


def _write(example: Example) -> dict[str, Any] | None:
    if isinstance(example, Text):
        return None
    record: dict[str, Any] = msgspec.json.decode(encode(example))
    return record


FORMAT = Format(
    name="canonical",
    title="Rocamadre's own",
    sample={
        "turns": [
            {"role": "user", "text": "What is the capital of France?"},
            {"role": "assistant", "text": "Paris."},
        ]
    },
    required=("turns",),
    optional=("task", "reference", "chosen", "rejected", "id"),
    matches=always,
    read=_read,
    write=_write,
)
