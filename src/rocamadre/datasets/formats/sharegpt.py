"""`{"conversations": [{"from", "value"}, …]}`: ShareGPT's."""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.conversations import conversation, turns_of, with_system
from rocamadre.datasets.formats.fields import array, item, role, text
from rocamadre.datasets.formats.types import Format, Record, always
from rocamadre.datasets.types import Example, Turn

_WRITTEN = {"system": "system", "user": "human", "assistant": "gpt"}


def _read(record: Record) -> Example:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    turns = []
    for index, each in enumerate(array(members["conversations"], "conversations")):
        at = f"conversations[{index}]"
        turn = item(each, at, required=("from", "value"), optional=("weight",))
        turns.append(Turn(role(turn["from"], f"{at}.from"), text(turn["value"], f"{at}.value")))
    system = text(members.get("system", ""), "system", may_be_empty=True)
    return conversation(with_system(system, turns, "conversations"), "conversations")


def _write(example: Example) -> dict[str, Any] | None:
    turns = turns_of(example)
    if turns is None:
        return None
    return {"conversations": [{"from": _WRITTEN[turn.role], "value": turn.text} for turn in turns]}


FORMAT = Format(
    name="sharegpt",
    title="ShareGPT",
    sample={
        "conversations": [
            {"from": "human", "value": "What is the capital of France?"},
            {"from": "gpt", "value": "Paris."},
        ]
    },
    required=("conversations",),
    optional=("system", "id"),
    matches=always,
    read=_read,
    write=_write,
)
