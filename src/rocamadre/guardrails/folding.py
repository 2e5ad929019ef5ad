"""Disguises undone: a text as it sounds, with the place of each character in the original."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text.

    Attributes:
        text: Its characters.
        places: For each of them, the place in the original.
    """

    text: str
    places: tuple[int, ...]


def fold(text: str) -> Folded:
    """Lower case, for now one character for each."""
    lower = "".join(each.lower() if len(each.lower()) == 1 else each for each in text)
    return Folded(lower, tuple(range(len(lower))))
