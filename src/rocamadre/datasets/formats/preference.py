"""`{"prompt", "chosen", "rejected"}`: pairs of a better and a worse answer, as texts or as messages.

With messages, `chosen` and `rejected` hold the last answer alone, or the whole conversation; `prompt` may then be left
out, and is what both begin with.
"""

from __future__ import annotations

from typing import Any

from rocamadre.datasets.formats.conversations import as_messages, looks_like_messages, read_messages
from rocamadre.datasets.formats.fields import in_order, item, text
from rocamadre.datasets.formats.types import Format, Record, always
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Example, Preference, Turn


def _read(record: Record) -> Preference:
    members = item(record, "", required=FORMAT.required, optional=FORMAT.optional)
    system = text(members.get("system", ""), "system", may_be_empty=True)
    turns = [Turn("system", system)] if system.strip() else []
    asked = members.get("prompt")
    if asked is not None:
        turns += read_messages(asked, "prompt") if looks_like_messages(asked) else [Turn("user", text(asked, "prompt"))]
    chosen, rejected = (_answer(members[name], name, turns) for name in ("chosen", "rejected"))
    if chosen[0] != rejected[0]:
        raise BadRecord("order", "rejected", "chosen and rejected answer different conversations", "begin both alike")
    before = in_order(chosen[0], "prompt") if chosen[0] else ()
    if not before or before[-1].role != "user":
        raise BadRecord("missing", "prompt", "there is no question", "add 'prompt', or begin both with the question")
    if chosen[1] == rejected[1]:
        raise BadRecord("empty", "rejected", "it is the same as chosen", "take the record out")
    return Preference(before, chosen[1], rejected[1])


def _answer(value: Any, path: str, asked: list[Turn]) -> tuple[list[Turn], str]:
    """What is answered, and the answer."""
    if not looks_like_messages(value):
        return asked, text(value, path)
    *before, last = read_messages(value, path)
    if last.role != "assistant":
        raise BadRecord("order", path, "it does not end with the assistant", "end it with the answer")
    if not before or before == asked:
        return asked, last.text
    if not asked or (len(asked) == 1 and asked[0].role == "system"):
        return [*asked, *before], last.text
    raise BadRecord("order", path, "it begins otherwise than 'prompt'", "give the answer alone")


def _write(example: Example) -> dict[str, Any] | None:
    if not isinstance(example, Preference):
        return None
    plain = len(example.turns) == 1
    prompt = example.turns[0].text if plain else as_messages(example.turns)
    if plain:
        return {"prompt": prompt, "chosen": example.chosen, "rejected": example.rejected}
    chosen, rejected = (as_messages([Turn("assistant", answer)]) for answer in (example.chosen, example.rejected))
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


FORMAT = Format(
    name="preference",
    title="Preference pairs",
    sample={"prompt": "What is the capital of France?", "chosen": "Paris.", "rejected": "I think it is Lyon."},
    required=("chosen", "rejected"),
    optional=("prompt", "system", "id"),
    matches=always,
    read=_read,
    write=_write,
)
