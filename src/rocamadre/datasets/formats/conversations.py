"""What formats of conversations share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.datasets.formats.fields import array, content, in_order, item, role
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Chat, Example, Preference, Prompt, Text, Turn


def read_messages(value: Any, path: str, *, optional: Sequence[str] = ()) -> list[Turn]:
    """Turns of `[{"role", "content"}, …]`, in the order that they have.

    Raises:
        BadRecord: one is no turn.
    """
    turns = []
    for index, message in enumerate(array(value, path)):
        at = f"{path}[{index}]"
        members = item(message, at, required=("role", "content"), optional=optional)
        turns.append(Turn(role(members["role"], f"{at}.role"), content(members["content"], f"{at}.content")))
    return turns


def with_system(system: str, turns: Sequence[Turn], path: str) -> list[Turn]:
    """Turns with a system text before them.

    Raises:
        BadRecord: they have one of their own.
    """
    if system and any(turn.role == "system" for turn in turns):
        raise BadRecord("role", path, "there is a system text, and a system turn as well", "keep one of them")
    return [Turn("system", system), *turns] if system else list(turns)


def conversation(turns: Sequence[Turn], path: str, task: str = "") -> Chat | Prompt:
    """A conversation that ends with the assistant, or one to be answered.

    Raises:
        BadRecord: the turns come in a wrong order.
    """
    ordered = in_order(turns, path)
    return Chat(ordered, task) if ordered[-1].role == "assistant" else Prompt(ordered)


def turns_of(example: Example) -> tuple[Turn, ...] | None:
    """The turns of a conversation; None of what has none, or has two answers."""
    return None if isinstance(example, Text | Preference) else example.turns


def split_system(turns: Sequence[Turn]) -> tuple[str, tuple[Turn, ...]]:
    """The system text (empty for none) and the other turns."""
    if turns and turns[0].role == "system":
        return turns[0].text, tuple(turns[1:])
    return "", tuple(turns)


def as_messages(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """Turns as OpenAI writes them."""
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def looks_like_messages(value: Any) -> bool:
    """Whether a value is an array of turns with `role`."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and "role" in value[0]
