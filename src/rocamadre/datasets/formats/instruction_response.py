"""`{"instruction", "response"}` with `context` or `input`: Dolly's, and seeds that are written like it."""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.fields import item, text
from rocamadre.datasets.formats.types import Format, Record, always
from rocamadre.datasets.types import Chat, Example, Turn


def _read(record: Record) -> Chat:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    question = text(members["instruction"], "instruction")
    for name in ("context", "input"):
        more = text(members.get(name, ""), name, may_be_empty=True)
        if more.strip():
            question = f"{question}\n\n{more}"
    return Chat((Turn("user", question), Turn("assistant", text(members["response"], "response"))))


def _write(example: Example) -> dict[str, Any] | None:
    if not isinstance(example, Chat) or len(example.turns) != 2:
        return None
    return {"instruction": example.turns[0].text, "response": example.turns[1].text}


FORMAT = Format(
    name="dolly",
    title="Instruction and response (Dolly)",
    sample={"instruction": "Which is the capital?", "context": "Lima is Peru's capital.", "response": "Lima."},
    required=("instruction", "response"),
    optional=("context", "input", "category", "id", "lang", "classification"),
    matches=always,
    read=_read,
    write=_write,
)
