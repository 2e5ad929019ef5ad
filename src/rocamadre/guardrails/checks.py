"""Scores without a guardrail: how much messages show of a category, and where personal data stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rocamadre.core.registry import Registry
from rocamadre.guardrails.folding import clean
from rocamadre.guardrails.recognisers.pattern import Certainty
from rocamadre.guardrails.recognisers.scanner import scanner_of
from rocamadre.guardrails.text import Text

MOST_ENTITIES = 1_000
"""In one answer; more are counted out, and that is said."""

SCORERS: Registry[Callable[[Text], Mapping[str, float]]] = Registry(
    "scorer", {"content": "rocamadre.guardrails.classifiers:content_scores"}
)
"""A text to scores from 0 to 1 by category; those of PROMPT_ATTACK's kinds among them."""

_CONFIDENCE = {Certainty.CHECKED: 0.99, Certainty.FORM: 0.95, Certainty.GUESS: 0.9}


@dataclass(frozen=True, slots=True)
class Piece:
    """A text of a message.

    Attributes:
        text: As the caller wrote it.
        message: Number of the message, from 0.
        content: Number of the text in it, from 0.
        instructs: Whether it is a system prompt, in which instructions are no attack.
    """

    text: str
    message: int = 0
    content: int = 0
    instructs: bool = False


@dataclass(frozen=True, slots=True)
class Entity:
    """Personal data found.

    Attributes:
        piece: Where.
        type: Of the API.
        confidence: 0 to 1, in three steps: its digits check, it has the form, or words around suggest it.
        start: First character in the piece.
        end: The character after the last.
    """

    piece: Piece
    type: str
    confidence: float
    start: int
    end: int


def severities(pieces: Sequence[Piece], categories: Sequence[str], *, attacks: bool = False) -> dict[str, float]:
    """The highest score of each category in any piece.

    Args:
        pieces: Of all messages.
        categories: In the order of the answer.
        attacks: Whether the categories are kinds of attack, which a system prompt cannot be.
    """
    score = SCORERS.load("content")
    highest = dict.fromkeys(categories, 0.0)
    for piece in pieces:
        if attacks and piece.instructs:
            continue
        found = score(Text(piece.text))
        for category in categories:
            highest[category] = max(highest[category], min(1.0, max(0.0, float(found[category]))))
    return {category: round(value, 4) for category, value in highest.items()}


def entities(pieces: Sequence[Piece], types: Sequence[str]) -> tuple[list[Entity], bool]:
    """Personal data of some types, in order of place, and whether there is more than is told."""
    scanner = scanner_of(frozenset(types))
    found: list[Entity] = []
    for piece in pieces:
        view = clean(piece.text)
        for match in scanner.scan(view.text):
            if len(found) == MOST_ENTITIES:
                return found, True
            start, end = view.places[match.start], view.places[match.end - 1] + 1
            found.append(Entity(piece, match.type, _CONFIDENCE[match.certainty], start, end))
    return found, False
