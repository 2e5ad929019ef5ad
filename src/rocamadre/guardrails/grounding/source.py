"""A grounding source, ready to be asked where its words stand."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rocamadre.guardrails.grounding.tokens import CONTENT, NAME, NEGATOR, NUMBER, SMALL_WORD, Tokens, tokenise
from rocamadre.guardrails.grounding.translation import lexicon

MOST_PLACES = 200
"""Places of one term that are looked at; what stands more often tells nothing about where."""
_PREFIX = 5
_COGNATE = 4


class Match(NamedTuple):
    """Where a term of an answer stands in the source, how surely it is the same (0 to 1), and in which sentences."""

    places: Sequence[int]
    quality: float
    sentences: frozenset[int] = frozenset()


NOWHERE = Match((), 0.0)


class Index:
    """Tokens of a source with the places of each term. Small words and negators have none."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.sentence_of: list[int] = []
        for number, sentence in enumerate(tokens.sentences()):
            self.sentence_of += [number] * len(sentence)
        self._places: dict[str, list[int]] = {}
        self.names: set[str] = set()
        self.negators: list[int] = []
        for place, (term, kind) in enumerate(zip(tokens.terms, tokens.kinds, strict=True)):
            if kind == NEGATOR:
                self.negators.append(place)
            elif kind != SMALL_WORD:
                self._places.setdefault(term, []).append(place)
                if kind == NAME:
                    self.names.add(term)
        self._by_prefix: dict[str, list[str]] = {}
        for term in self._places:
            if len(term) > _COGNATE and term[0] != "#":
                self._by_prefix.setdefault(term[:_COGNATE], []).append(term)
        self._sentences = max(1, len(tokens.ends))
        self._matches: dict[tuple[str, str], Match] = {}

    def match(self, term: str, language: str) -> Match:
        """Where a stem of the given language stands."""
        key = (term, language)
        found = self._matches.get(key)
        if found is None:
            found = self._find(term, language)
            if len(self._matches) < 20_000:
                self._matches[key] = found
        return found

    def weight(self, term: str, language: str) -> float:
        """How much it tells that a sentence of the source has this term: rare ones tell more."""
        places = self.match(term, language).places
        return math.log(1 + self._sentences / (1 + len(places))) + 0.5

    def kind(self, place: int) -> int:
        """The kind of a token; a sentence's first word is a name if it is one elsewhere."""
        kind = self.tokens.kinds[place]
        return NAME if kind == CONTENT and self.tokens.terms[place] in self.names else kind

    def within(self, match: Match, start: int, end: int) -> Sequence[int]:
        """The places of a match from `start` up to `end`."""
        places = match.places
        return places[bisect_left(places, start) : bisect_right(places, end - 1)]

    def has_negator(self, start: int, end: int) -> bool:
        """Whether a negator stands from `start` up to `end`."""
        place = bisect_left(self.negators, start)
        return place < len(self.negators) and self.negators[place] < end

    def _find(self, term: str, language: str) -> Match:
        own = self.tokens.language
        if term in self._places:
            return self._matched(self._places[term][:MOST_PLACES], 1.0)
        if term[0] == "#":
            return NOWHERE
        if own != language:
            there = [each for each in lexicon(language, own).get(term, ()) if each in self._places]
            if there:
                return self._matched(self._together(there), 0.9)
        best, common = "", 0
        for other in self._by_prefix.get(term[:_COGNATE], ()):
            alike = _common(term, other)
            if alike > common:
                best, common = other, alike
        least = _COGNATE if own != language else _PREFIX
        if best and common >= least and common >= 0.6 * max(len(term), len(best)):
            return self._matched(self._places[best][:MOST_PLACES], 0.7 if common < len(term) - 1 else 0.8)
        return NOWHERE

    def _matched(self, places: list[int], quality: float) -> Match:
        return Match(places, quality, frozenset(self.sentence_of[place] for place in places))

    def _together(self, terms: Sequence[str]) -> list[int]:
        return sorted(place for each in terms for place in self._places[each])[:MOST_PLACES]


def _common(left: str, right: str) -> int:
    """Characters that two words begin with alike."""
    length = min(len(left), len(right))
    for place in range(length):
        if left[place] != right[place]:
            return place
    return length


@lru_cache(maxsize=4)
def index(source: str) -> Index:
    """The index of a source text; the last few are remembered, since a stream asks again and again."""
    return Index(tokenise(source))


def is_entity(kind: int) -> bool:
    """Whether a token names or counts something: what answers are most often wrong in."""
    return kind in {NAME, NUMBER}
