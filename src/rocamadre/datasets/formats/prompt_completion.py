"""`{"prompt", "completion"}`: Amazon Bedrock's for Titan, Cohere, Llama; a question and its answer."""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.conversations import split_system
from rocamadre.datasets.formats.fields import item, text
from rocamadre.datasets.formats.types import Format, Record, always
from rocamadre.datasets.types import Chat, Example, Turn


def _read(record: Record) -> Chat:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    prompt, completion = text(members["prompt"], "prompt"), text(members["completion"], "completion")
    system = text(members.get("system", ""), "system", may_be_empty=True)
    before = (Turn("system", system),) if system.strip() else ()
    task = text(members.get("task", ""), "task", may_be_empty=True)
    return Chat((*before, Turn("user", prompt), Turn("assistant", completion)), task)


def _write(example: Example) -> dict[str, Any] | None:
    if not isinstance(example, Chat):
        return None
    system, turns = split_system(example.turns)
    if len(turns) != 2:
        return None
    record = {"system": system} if system else {}
    return {**record, "prompt": turns[0].text, "completion": turns[1].text}


FORMAT = Format(
    name="prompt-completion",
    title="Bedrock prompt and completion",
    sample={"prompt": "What is the capital of France?", "completion": "Paris."},
    required=("prompt", "completion"),
    optional=("system", "task", "id"),
    matches=always,
    read=_read,
    write=_write,
)
