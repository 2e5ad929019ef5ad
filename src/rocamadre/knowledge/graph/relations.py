"""What is said between two names of one sentence, and the form in which a chunk keeps both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rocamadre.knowledge.chunkers.sentences import sentences
from rocamadre.knowledge.graph.entities import MOST_ENTITIES, Entity, entities

ENTITIES = "x-rocamadre-entities"
RELATIONS = "x-rocamadre-relations"
"""Where a chunk's metadata hold them: lists of texts, so that any store can filter by them, and they come and go with
the chunk itself."""

_MOST_WORDS = 10
_MOST_RELATIONS = 64
_WORDS = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_SEPARATOR = " | "


class Relation(NamedTuple):
    """Two names and the words between them; the names by their keys."""

    source: str
    phrase: str
    target: str

    def encoded(self) -> str:
        """As a chunk keeps it."""
        return _SEPARATOR.join(self)


def relations(text: str, found: Sequence[Entity]) -> list[Relation]:
    """What stands between neighbours among the entities of each sentence, in the order of the text.

    >>> text = "Ada Lovelace wrote notes about the Analytical Engine."
    >>> relations(text, entities(text))
    [Relation(source='ada lovelace', phrase='wrote notes about the', target='analytical engine')]
    """
    made: list[Relation] = []
    for left, right in _neighbours(text, found):
        words = _WORDS.findall(text[left.end : right.start])
        if 0 < len(words) <= _MOST_WORDS and left.key != right.key:
            made.append(Relation(left.key, " ".join(words).lower(), right.key))
    return list(dict.fromkeys(made))


def described(text: str, known: Sequence[str] = ()) -> dict[str, list[str]]:
    """A chunk's entities and relations as its metadata hold them; empty for none.

    Args:
        text: Of the chunk.
        known: Names of the document around it.
    """
    found = entities(text, known=known)
    keys = list(dict.fromkeys(each.key for each in found))[:MOST_ENTITIES]
    if not keys:
        return {}
    kept = set(keys)
    told = [each for each in relations(text, found) if each.source in kept and each.target in kept][:_MOST_RELATIONS]
    return {ENTITIES: keys, **({RELATIONS: [each.encoded() for each in told]} if told else {})}


def entities_of(metadata: Mapping[str, Any]) -> list[str]:
    """The keys of a chunk's entities."""
    return list(metadata.get(ENTITIES, ()))


def relations_of(metadata: Mapping[str, Any]) -> list[Relation]:
    """A chunk's relations."""
    parts = [str(each).split(_SEPARATOR) for each in metadata.get(RELATIONS, ())]
    return [Relation(*part) for part in parts if len(part) == len(Relation._fields)]


def _neighbours(text: str, found: Sequence[Entity]) -> Iterator[tuple[Entity, Entity]]:
    spans = iter(sentences(text))
    span = next(spans, None)
    before: Entity | None = None
    for each in found:
        while span is not None and each.start >= span.end:
            span, before = next(spans, None), None
        if before is not None:
            yield before, each
        before = each
