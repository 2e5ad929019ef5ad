"""`{"instruction", "input", "output"}`: Alpaca's; instruction and input become one user turn, a blank line between."""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.conversations import split_system
from rocamadre.datasets.formats.fields import item, text
from rocamadre.datasets.formats.types import Format, Record, always
from rocamadre.datasets.types import Chat, Example, Turn


def _read(record: Record) -> Chat:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    question = text(members["instruction"], "instruction")
    more = text(members.get("input", ""), "input", may_be_empty=True)
    if more.strip():
        question = f"{question}\n\n{more}"
    system = text(members.get("system", ""), "system", may_be_empty=True)
    before = (Turn("system", system),) if system.strip() else ()
    return Chat((*before, Turn("user", question), Turn("assistant", text(members["output"], "output"))))


def _write(example: Example) -> dict[str, Any] | None:
    if not isinstance(example, Chat):
        return None
    system, turns = split_system(example.turns)
    if len(turns) != 2:
        return None
    record = {"system": system} if system else {}
    return {**record, "instruction": turns[0].text, "input": "", "output": turns[1].text}


FORMAT = Format(
    name="alpaca",
    title="Alpaca",
    sample={"instruction": "Translate into Spanish.", "input": "Good morning", "output": "Buenos días"},
    required=("instruction", "output"),
    optional=("input", "system", "id"),
    matches=always,
    read=_read,
    write=_write,
)
