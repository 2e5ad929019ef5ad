"""A sentence of an answer beside the source: which of its words are borne out, where, and in which order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from rocamadre.guardrails.grounding.source import NOWHERE, Index, Match
from rocamadre.guardrails.grounding.tokens import CONTENT, NAME, NEGATOR, NUMBER, SMALL_WORD, Tokens

MOST_WORDS = 80
"""Words of one sentence that are compared; a longer one is cut up."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a claim that says something.

    Attributes:
        at: Its token in the answer.
        term: Its stem.
        plain: The word without accents.
        kind: CONTENT, NAME or NUMBER.
        match: Where it stands in the source.
        asked: Whether the question has it too.
    """

    at: int
    term: str
    plain: str
    kind: int
    match: Match
    asked: bool


@dataclass(slots=True)
class Claim:
    """A sentence, and the part of the source that speaks most of the same things.

    Attributes:
        words: Its words that say something.
        negators: Its negators, as tokens of the answer.
        terms: Stems of all its tokens.
        plain: The same as they are written, without accents.
        places: Its tokens in the answer.
        most_asked: Words of the question in the sentence of the source that has most of them.
        start, end: Tokens of the source around the best sentence and its neighbours.
        first, last: Tokens of the best sentence itself.
        aligned: Tokens of the source by word, where both stand for each other; by place in `words`.
        distances: Two numbers that `features.py` needs twice, once they are known.
        question: Words of the question.
    """

    source: Index
    language: str
    words: list[Word]
    negators: list[int]
    terms: list[str]
    plain: list[str]
    places: range
    question: list[Word]
    most_asked: int
    first: int = 0
    last: int = 0
    start: int = 0
    end: int = 0
    aligned: dict[int, int] = field(default_factory=dict)
    distances: tuple[float, float] | None = None


def words_of(tokens: Tokens, places: Sequence[int], source: Index, asked: frozenset[str]) -> list[Word]:
    """The words among some tokens that say something, with their places in the source."""
    found = []
    for place in places:
        kind = tokens.kinds[place]
        if kind in {SMALL_WORD, NEGATOR}:
            continue
        term = tokens.terms[place]
        match = source.match(term, tokens.language)
        if kind == CONTENT and term in source.names:
            kind = NAME
        found.append(Word(place, term, tokens.words[place], kind, match, term in asked))
    return found


def claims_of(answer: Tokens, source: Index, question: Tokens | None) -> list[Claim]:
    """The sentences of an answer, each with what the source has for it; those that say nothing are left out."""
    asked: frozenset[str] = frozenset()
    wanted: list[Word] = []
    if question is not None:
        wanted = words_of(question, range(min(len(question.terms), 200)), source, frozenset())
        asked = frozenset(word.term for word in wanted)
    most_asked = _most_in_one_sentence(wanted, source)
    claims = []
    for sentence in answer.sentences():
        for begin in range(sentence.start, sentence.stop, MOST_WORDS):
            places = range(begin, min(begin + MOST_WORDS, sentence.stop))
            words = words_of(answer, places, source, asked)
            negators = [place for place in places if answer.kinds[place] == NEGATOR]
            if not words and not negators:
                continue
            terms, plain = ([each[at] for at in places] for each in (answer.terms, answer.words))
            claim = Claim(source, answer.language, words, negators, terms, plain, places, wanted, most_asked)
            _find_window(claim)
            _align(claim)
            claims.append(claim)
    return claims


def _most_in_one_sentence(words: Sequence[Word], source: Index) -> int:
    counts: dict[int, int] = {}
    for word in words:
        for number in word.match.sentences:
            counts[number] = counts.get(number, 0) + 1
    return max(counts.values(), default=0)


def _find_window(claim: Claim) -> None:
    """The sentence of the source with most of the claim's words, and of the question's, which count half."""
    source = claim.source
    scores: dict[int, float] = {}
    seen: set[str] = set()
    for words, share in ((claim.words, 1.0), (claim.question, 0.5)):
        for word in words:
            if word.term in seen or not word.match.places:
                continue
            seen.add(word.term)
            weight = share * word.match.quality * source.weight(word.term, claim.language)
            for number in word.match.sentences:
                scores[number] = scores.get(number, 0.0) + weight
    if not scores:
        return
    best = max(
        scores,
        key=lambda number: (
            scores[number] + 0.25 * (scores.get(number - 1, 0.0) + scores.get(number + 1, 0.0)),
            -number,
        ),
    )
    ends = source.tokens.ends
    claim.first, claim.last = (ends[best - 1] if best else 0), ends[best]
    claim.start = ends[best - 2] if best > 1 else 0
    claim.end = ends[min(best + 1, len(ends) - 1)]


def _align(claim: Claim) -> None:
    """A place near the one before for each word that the window has."""
    before = at = -1
    taken: set[int] = set()
    options = [claim.source.within(word.match, claim.start, claim.end) for word in claim.words]
    for number, places in enumerate(options):
        if not places:
            continue
        if before < 0:
            following = next((each for each in options[number + 1 :] if each), None)
            inside = [place for place in places if claim.first <= place < claim.last] or places
            chosen = min(inside, key=lambda place: nearest(following, place)) if following else inside[0]
        else:
            aim = before + claim.words[number].at - at
            free = [place for place in places if place not in taken]
            if not free:
                continue
            chosen = min(free, key=lambda place: (abs(place - aim), place))
        taken.add(chosen)
        claim.aligned[number] = chosen
        before, at = chosen, claim.words[number].at


def nearest(places: Sequence[int], place: int) -> int:
    """The distance from a place to the nearest of some sorted ones."""
    right = bisect_left(places, place)
    behind = places[right] - place if right < len(places) else 1_000
    before = place - places[right - 1] if right else 1_000
    return min(behind, before)


def entities(claim: Claim) -> list[int]:
    """Numbers of the words that name or count something."""
    return [number for number, word in enumerate(claim.words) if word.kind in {NAME, NUMBER}]


__all__ = ["MOST_WORDS", "NOWHERE", "Claim", "Word", "claims_of", "entities", "nearest", "words_of"]
