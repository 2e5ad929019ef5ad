"""`{"text"}` and `{"input"}`: running text for continued pre-training; the second is Amazon Bedrock's."""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.chatml import START
from rocamadre.datasets.formats.fields import item, text
from rocamadre.datasets.formats.types import Format, Record
from rocamadre.datasets.types import Example, Text

_ANSWERS = {"instruction", "question", "answer", "output", "response", "label"}
"""Members of tables that are no running text."""

_SAMPLE = "Rocamadour stands on a cliff above the Alzou."


def _made(name: str, member: str, title: str) -> Format:
    def read(record: Record) -> Text:
        return Text(text(item(record, "", required=(member,), optional=("id", "title"))[member], member))

    def write(example: Example) -> dict[str, Any] | None:
        return {member: example.text} if isinstance(example, Text) else None

    def matches(record: Record) -> bool:
        written_out = isinstance(record[member], str) and START in record[member]
        return not written_out and not _ANSWERS & record.keys()

    return Format(
        name=name,
        title=title,
        sample={member: _SAMPLE},
        required=(member,),
        optional=("id", "title"),
        matches=matches,
        read=read,
        write=write,
    )


TEXT = _made("text", "text", "Running text")
INPUT = _made("input", "input", "Bedrock continued pre-training")
