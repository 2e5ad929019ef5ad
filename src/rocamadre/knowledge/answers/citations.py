"""Answers as the wire has them: text, and citations whose spans fit it to the character.

`span.end` is the place of the last character, not the one after it: so it is on Amazon Bedrock (an observed part of
320 characters has the span 0 to 319, and clients insert their marks at `end + 1`). For every citation
`text[start : end + 1] == generatedResponsePart.textResponsePart.text`, in Unicode code points.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rocamadre.knowledge.answers.types import Passage, Statement

Json = dict[str, Any]


@dataclass(slots=True)
class Writer:
    """Puts statements behind each other and cites them.

    Attributes:
        passages: What `Support.passage` counts in.
        length: Of the text so far.
    """

    passages: Sequence[Passage]
    length: int = 0

    def add(self, statements: Sequence[Statement]) -> tuple[str, list[Json]]:
        """What the next statements add to the text, and their citations.

        Neighbours with the same supports share a citation. A statement that nothing supports has one without
        references: the citations together cover the text but for the spaces between them.
        """
        text: list[str] = []
        citations: list[Json] = []
        for group in _groups(statements):
            joined = " ".join(each.text for each in group)
            gap = " " if self.length else ""
            start = self.length + len(gap)
            self.length = start + len(joined)
            text.append(gap + joined)
            citations.append(_citation(joined, start, self._references(group)))
        return "".join(text), citations

    def _references(self, group: Sequence[Statement]) -> list[Json]:
        places = dict.fromkeys(support.passage for each in group for support in each.supports)
        return [reference(self.passages[place]) for place in places]


def reference(passage: Passage) -> Json:
    """A passage as `RetrievedReference`."""
    found: Json = {"content": dict(passage.content) or {"type": "TEXT", "text": passage.text}}
    if passage.location:
        found["location"] = dict(passage.location)
    if passage.metadata:
        found["metadata"] = dict(passage.metadata)
    return found


def _groups(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    group: list[Statement] = []
    for each in statements:
        if group and [s.passage for s in group[-1].supports] != [s.passage for s in each.supports]:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _citation(text: str, start: int, references: list[Json]) -> Json:
    span = {"start": start, "end": start + len(text) - 1}
    return {
        "generatedResponsePart": {"textResponsePart": {"text": text, "span": span}},
        "retrievedReferences": references,
    }
