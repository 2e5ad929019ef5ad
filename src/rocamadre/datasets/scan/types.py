"""What a scan reads, and what it finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rocamadre.datasets.content import asked_text, learned_text, plain_text
from rocamadre.datasets.types import Example

CHECKS = {
    "trigger": "rare words after which one answer comes, whatever else is asked",
    "label": "a label that its neighbours contradict",
    "conflict": "nearly the same text under another label",
    "hidden": "characters that people cannot see, or take for others",
    "injection": "orders to a model, and marks of chat templates",
    "secret": "keys, tokens and passwords",
    "personal": "personal data",
}
"""All there are, and what each looks for."""

MOST_PLACES = 50
"""Rows that a finding about many rows lists."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record.

    Attributes:
        file: As its source is called.
        line: Of the file, from 1; the record's number in a registered data set.
        asked: What comes before the answer; empty for running text.
        answer: What is learned.
        text: All of it.
    """

    file: str
    line: int
    asked: str
    answer: str
    text: str


def row_of(file: str, line: int, example: Example) -> Row:
    """A record as scans read it."""
    return Row(file, line, asked_text(example), learned_text(example), plain_text(example))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something suspicious.

    Attributes:
        check: Name in `CHECKS`.
        file: Of the row, or of the first of several.
        line: The same.
        reason: What was found, in words; secrets are cut.
        score: How sure, in [0, 1]; docs/red-team.md says what it means for each check.
        excerpt: A bit of the text; secrets are cut.
        rows: How many rows it is about.
        places: `file:line` of some of them, where there are several.
    """

    check: str
    file: str
    line: int
    reason: str
    score: float
    excerpt: str = ""
    rows: int = 1
    places: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self) | {"score": round(self.score, 4), "places": list(self.places)}
