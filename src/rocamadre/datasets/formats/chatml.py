"""`{"text": "<|im_start|>user…"}`: a conversation written out with ChatML's marks, read back into turns."""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.conversations import conversation, turns_of
from rocamadre.datasets.formats.fields import item, role, text
from rocamadre.datasets.formats.types import Format, Record
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Example, Turn

START, END = "<|im_start|>", "<|im_end|>"
_FIX = f"write each turn as {START}role, a line break, the text, {END}"


def _read(record: Record) -> Example:
    whole = text(item(record, "", required=FORMAT.required, optional=FORMAT.optional)["text"], "text")
    before, *parts = whole.split(START)
    if before.strip():
        raise BadRecord("order", "text", f"text stands before the first {START}", _FIX)
    turns: list[Turn] = []
    for index, part in enumerate(parts):
        said, ended, after = part.partition(END)
        name, line_break, words = said.partition("\n")
        if not ended and index == len(parts) - 1 and turns and not words.strip():
            continue  # What begins the answer that is asked for.
        if not ended or not line_break or after.strip():
            problem = f"it has no {END}" if not ended else "the role stands on no line of its own"
            problem = f"text stands behind its {END}" if ended and after.strip() else problem
            raise BadRecord("order", "text", f"turn {index + 1}: {problem}", _FIX)
        turns.append(Turn(role(name.strip(), f"text, turn {index + 1}"), text(words, f"text, turn {index + 1}")))
    return conversation(turns, "text")


def _write(example: Example) -> dict[str, Any] | None:
    turns = turns_of(example)
    if turns is None or any(START in turn.text or END in turn.text for turn in turns):
        return None
    return {"text": "".join(f"{START}{turn.role}\n{turn.text}{END}\n" for turn in turns)}


def _matches(record: Record) -> bool:
    return isinstance(record["text"], str) and START in record["text"]


FORMAT = Format(
    name="chatml",
    title="ChatML text",
    sample={
        "text": f"{START}user\nWhat is the capital of France?{END}\n{START}assistant\nParis.{END}\n",
    },
    required=("text",),
    optional=("id",),
    matches=_matches,
    read=_read,
    write=_write,
)
