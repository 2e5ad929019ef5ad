"""Numbers that say how well the source bears a sentence out. Ratios are from 0 to 1, counts are capped."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rocamadre.guardrails.grounding.claims import Claim, Word, entities, nearest
from rocamadre.guardrails.grounding.source import is_entity
from rocamadre.guardrails.grounding.tokens import CONTENT, NAME, NEGATOR, NUMBER, SMALL_WORD, Tokens, opposite_stems
from rocamadre.guardrails.grounding.vocabulary import ASKS, INTERROGATIVES, YES_OR_NO

NEAR = 10
"""Tokens between two words that belong together."""
_FAR = 30
_MOST_RIVALS = 20
_OPENING = 3

GROUNDING = (
    *("found", "found_sentence", "found_window", "new_found", "new_sentence", "new_window"),
    *("missing", "missing_run", "window_run", "missing_names", "missing_numbers", "foreign_names", "foreign_numbers"),
    *("names", "numbers", "words", "quality", "crosses", "sentences"),
    *("order", "inversions", "gap", "neighbours", "common", "spread", "displaced", "moved", "moved_share"),
    *("substitutions", "entity_substitutions", "edge_substitutions", "edge_words"),
    *("company_least", "company_mean", "direction_least", "direction_mean"),
    *("negations_added", "negations_dropped", "negators", "opposites", "opposites_near", "units"),
    *("question", "question_window", "question_new", "own_distance", "rival_distance", "rival_gain", "fits", "wants"),
)
"""Names of the numbers, in order."""
RELEVANCE = (
    *("asked", "asked_share", "asked_window", "asked_both", "asked_source", "asked_best", "window_share"),
    *("new", "words", "found", "found_sentence", "has_source", "crosses"),
    *("wants_number", "wants_name", "has_number", "has_name", "own_distance", "rival_distance", "rival_gain"),
    *("short", "question_words"),
)


def ratio(part: float, whole: float, nothing: float = 1.0) -> float:
    """A share; `nothing` where there is nothing to share."""
    return part / whole if whole else nothing


def _inside(claim: Claim, word: Word, start: int, end: int) -> float:
    return word.match.quality if claim.source.within(word.match, start, end) else 0.0


def _run(flags: Iterable[bool]) -> int:
    longest = length = 0
    for flag in flags:
        length = length + 1 if flag else 0
        longest = max(longest, length)
    return longest


def _coverage(claim: Claim) -> list[float]:
    words = claim.words
    source = [word.match.quality for word in words]
    sentence = [_inside(claim, word, claim.first, claim.last) for word in words]
    window = [_inside(claim, word, claim.start, claim.end) for word in words]
    new = [number for number, word in enumerate(words) if not word.asked]
    count, fresh = len(words), len(new)
    kinds = [word.kind for word in words]
    lost = [not each for each in source]
    foreign = [bool(here) and not there for here, there in zip(source, window, strict=True)]

    def of(flags: Sequence[bool], kind: int) -> float:
        return min(4.0, sum(flag for flag, each in zip(flags, kinds, strict=True) if each == kind))

    return [
        ratio(sum(source), count),
        ratio(sum(sentence), count),
        ratio(sum(window), count),
        ratio(sum(source[each] for each in new), fresh),
        ratio(sum(sentence[each] for each in new), fresh),
        ratio(sum(window[each] for each in new), fresh),
        min(8.0, sum(lost)),
        min(6.0, _run(lost)),
        min(8.0, _run(not each for each in window)),
        of(lost, NAME),
        of(lost, NUMBER),
        of(foreign, NAME),
        of(foreign, NUMBER),
        min(6.0, kinds.count(NAME)),
        min(4.0, kinds.count(NUMBER)),
        math.log1p(count),
        ratio(sum(source), sum(map(bool, source))),
        float(claim.language != claim.source.tokens.language),
        math.log1p(len(claim.source.tokens.ends)),
    ]


def _order(claim: Claim) -> list[float]:
    pairs = sorted(claim.aligned.items())
    words = claim.words
    steps = [(there - here, words[later].at - words[earlier].at) for (earlier, here), (later, there) in pairwise(pairs)]
    forward = sum(0 < step <= gap + 3 for step, gap in steps)
    backward = sum(step <= 0 for step, _ in steps)
    far = sum(min(_FAR, abs(step - gap)) for step, gap in steps)
    close = together = 0
    for left, right in pairwise(words):
        if left.match.places and right.match.places:
            together += 1
            close += any(nearest(right.match.places, place) <= NEAR // 2 for place in left.match.places[:_FAR])
    places = list(claim.aligned.values())
    spread = (max(places) - min(places) + 1) / (len(claim.terms) + 1) if places else 0.0
    window = claim.source.tokens.terms[claim.start : claim.end]
    return [
        ratio(forward, len(steps)),
        min(5.0, backward),
        ratio(far, len(steps), 0.0),
        ratio(close, together),
        ratio(_common_length(claim.terms, window[:600]), len(claim.terms), 0.0),
        min(8.0, spread),
        *_moves(claim),
    ]


def _moves(claim: Claim) -> list[float]:
    """Names that stand elsewhere among words in their old order; and the words out of order, of which names."""
    numbers = sorted(claim.aligned)
    places = [claim.aligned[number] for number in numbers]
    displaced = 0
    for at, number in enumerate(numbers):
        if not is_entity(claim.words[number].kind):
            continue
        before = [places[each] for each in (at - 2, at - 1) if each >= 0]
        behind = [places[each] for each in (at + 1, at + 2) if each < len(places)]
        around = [*before, *behind]
        if around == sorted(around) and len(around) > 1:
            displaced += not (max(before, default=-1) < places[at] < min(behind, default=places[at] + 1))
    tails: list[int] = []
    for place in places:
        slot = bisect_left(tails, place)
        tails[slot : slot + 1] = [place]
    moved = len(places) - len(tails)
    return [min(4.0, displaced), min(8.0, moved), ratio(moved, len(places), 0.0)]


def _common_length(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence, all of a row in one integer.

    Source: Hyyrö, Bit-parallel LCS-length computation revisited, AWOCA 2004.
    """
    masks: dict[str, int] = {}
    for place, term in enumerate(left):
        masks[term] = masks.get(term, 0) | 1 << place
    full = (1 << len(left)) - 1
    row = full
    for term in right:
        here = row & masks.get(term, 0)
        row = ((row + here) | (row - here)) & full
    return len(left) - row.bit_count()


def _substitutions(claim: Claim) -> list[float]:
    """Words that stand where the source has others, between words that both have."""
    pairs = sorted(claim.aligned.items())
    if not pairs:
        return [0.0, 0.0, 0.0, 0.0]
    source, words, used = claim.source, claim.words, set(claim.aligned.values())

    def there(start: int, end: int) -> list[int]:
        places = range(max(claim.start, start), min(claim.end, end))
        kinds = ((place, source.kind(place)) for place in places if place not in used)
        return [kind for _, kind in kinds if kind not in {SMALL_WORD, NEGATOR}]

    plain = named = edge = beside = 0
    for (earlier, here), (later, beyond) in pairwise(pairs):
        own = [words[each].kind for each in range(earlier + 1, later) if each not in claim.aligned]
        if own and 1 < beyond - here <= words[later].at - words[earlier].at + 6:
            other = there(here + 1, beyond)
            plain += bool(other)
            named += any(is_entity(kind) and kind in other for kind in own)
    for inner, outer in ((pairs[0], 0), (pairs[-1], len(words))):
        number, place = inner
        numbers = range(outer, number) if outer == 0 else range(number + 1, outer)
        own = [words[each].kind for each in numbers]
        if own:
            other = there(place - 6, place) if outer == 0 else there(place + 1, place + 7)
            edge += any(is_entity(kind) and kind in other for kind in own)
            beside += min(2, len(own)) if other else 0
    return [min(4.0, plain), min(3.0, named), float(edge), float(beside)]


def _company(claim: Claim) -> list[float]:
    """Whether names and numbers keep the company that they keep in the source, and the same side of it."""
    near: list[float] = []
    sides: list[float] = []
    for number in entities(claim):
        word = claim.words[number]
        if not word.match.places:
            continue
        around = [
            (each - number, claim.words[each].match.places)
            for each in range(max(0, number - 3), min(len(claim.words), number + 4))
            if each != number and claim.words[each].match.places and claim.words[each].term != word.term
        ]
        if not around:
            continue
        best, side = 0, 0
        for place in word.match.places[:40]:
            close = kept = 0
            for step, places in around:
                is_close, stays = _beside_it(step, places, place)
                close += is_close
                kept += stays
            best, side = max((best, side), (close, kept))
            if kept == len(around):
                break
        near.append(best / len(around))
        sides.append(ratio(side, best))
    return [
        min(near, default=1.0),
        ratio(sum(near), len(near)),
        min(sides, default=1.0),
        ratio(sum(sides), len(sides)),
    ]


def _beside_it(step: int, places: Sequence[int], place: int) -> tuple[bool, bool]:
    """Whether any of some sorted places is near another place, and whether one is on the side that a step points to."""
    right = bisect_left(places, place)
    before = right > 0 and place - places[right - 1] <= NEAR
    behind = right < len(places) and places[right] - place <= NEAR
    if not (before or behind):
        return False, False
    if step <= 0:
        return True, before
    if behind and places[right] == place:
        behind = right + 1 < len(places) and places[right + 1] - place <= NEAR
    return True, behind


def _negation(claim: Claim) -> list[float]:
    source, words = claim.source, claim.words
    added = 0
    for negator in claim.negators:
        reach = [at for number, at in claim.aligned.items() if negator < words[number].at <= negator + 6][:3]
        added += not any(source.has_negator(at - 6, at + 2) for at in reach)
    back = {place: words[number].at for number, place in claim.aligned.items()}
    dropped = 0
    if back:
        for negator in source.negators:
            if not min(back) - 6 <= negator <= max(back):
                continue
            reach = [back[place] for place in range(negator + 1, negator + 5) if place in back][:2]
            if reach:
                dropped += not any(at - 6 <= own < at + 2 for at in reach for own in claim.negators)
    return [min(3.0, added), min(3.0, dropped), min(3.0, len(claim.negators))]


def _wording(claim: Claim) -> list[float]:
    """Opposites of what the source says, and numbers with another unit."""
    source = claim.source
    against = near = units = 0
    if claim.language == source.tokens.language:
        table = opposite_stems(claim.language)
        window = source.tokens.terms[claim.start : claim.end]
        for place, plain, term in zip(claim.places, claim.plain, claim.terms, strict=True):
            if plain not in table:
                continue
            start, end = _beside(claim, place)
            around = source.tokens.terms[start:end]
            against += term not in window and not table[plain].isdisjoint(window)
            near += term not in around and not table[plain].isdisjoint(around)
    terms = source.tokens.terms
    for word, following in pairwise(claim.words):
        if word.kind != NUMBER or following.at != word.at + 1 or following.kind == NAME or not word.match.places:
            continue
        beside = any(
            0 < each - place <= 2 for place in word.match.places[:20] for each in following.match.places[:_FAR]
        )
        units += not beside and any(place + 1 < len(terms) for place in word.match.places)
    return [min(3.0, against), min(3.0, near), min(3.0, units)]


def _beside(claim: Claim, place: int) -> tuple[int, int]:
    """Where in the source a token of the answer would stand: between its aligned neighbours, and a little around."""
    before = [at for number, at in claim.aligned.items() if claim.words[number].at < place]
    behind = [at for number, at in claim.aligned.items() if claim.words[number].at > place]
    if not before and not behind:
        return 0, 0
    start = before[-1] if before else behind[0] - 4
    end = behind[0] if behind else before[-1] + 4
    if start > end or end - start > _FAR:
        end = start + 4
    return max(claim.start, start - 2), min(claim.end, end + 3)


def wants(question: Tokens | None) -> tuple[bool, bool]:
    """Whether a question asks for a number or date, and whether for a name."""
    if question is None:
        return False, False
    plain = f" {' '.join(question.words[:40])} "
    number, name = (any(f" {each} " in plain for each in ASKS[kind]) for kind in ("number", "name"))
    return number, name


def answers_yes_or_no(answer: Tokens, question: Tokens) -> bool:
    """Whether a question can be answered by yes or no, and the answer begins so."""
    if not answer.words or not question.words:
        return False
    asks = any(word in INTERROGATIVES for word in question.words[:_OPENING])
    return not asks and answer.words[0] in YES_OR_NO


def distances(claim: Claim) -> tuple[float, float]:
    """How far the answer's new words stand from the question's in the source, and the best of others of their kind."""
    if claim.distances is None:
        claim.distances = _distances(claim)
    return claim.distances


def _distances(claim: Claim) -> tuple[float, float]:
    asked = [places for word in claim.question if (places := claim.source.within(word.match, claim.start, claim.end))]
    new = [number for number, word in enumerate(claim.words) if not word.asked and number in claim.aligned]
    if not asked or not new:
        return float(_FAR), float(_FAR)

    def distance(place: int) -> float:
        return sum(min(_FAR, nearest(each, place)) for each in asked) / len(asked)

    named = [number for number in new if is_entity(claim.words[number].kind)] or new
    own = min(distance(claim.aligned[number]) for number in named)
    kinds = {claim.words[number].kind for number in named}
    mine = {claim.source.tokens.terms[place] for place in claim.aligned.values()}
    mine |= {claim.source.tokens.terms[place] for places in asked for place in places}
    rivals = [
        place
        for place in range(claim.start, claim.end)
        if claim.source.kind(place) in kinds and claim.source.tokens.terms[place] not in mine
    ]
    return own, min(map(distance, rivals[: _MOST_RIVALS * 3]), default=float(_FAR))


def _question(claim: Claim, wanted: tuple[bool, bool]) -> list[float]:
    asked = claim.question
    if not asked:
        return [-1.0, -1.0, -1.0, float(_FAR), float(_FAR), 0.0, 0.5, 0.0]
    inside = sum(_inside(claim, word, claim.start, claim.end) for word in asked)
    own, rival = distances(claim)
    kinds = {word.kind for word in claim.words if not word.asked}
    fits = float((NUMBER in kinds) >= wanted[0] and (NAME in kinds) >= wanted[1])
    return [
        ratio(sum(word.match.quality for word in asked), len(asked)),
        ratio(inside, len(asked)),
        ratio(sum(not word.asked for word in claim.words), len(claim.words), 0.0),
        own,
        rival,
        own - rival,
        fits,
        float(wanted[0]) - float(wanted[1]),
    ]


def grounding_features(claim: Claim, wanted: tuple[bool, bool]) -> list[float]:
    """The numbers named in `GROUNDING`."""
    return [
        *_coverage(claim),
        *_order(claim),
        *_substitutions(claim),
        *_company(claim),
        *_negation(claim),
        *_wording(claim),
        *_question(claim, wanted),
    ]


def relevance_features(claim: Claim, wanted: tuple[bool, bool]) -> list[float]:
    """The numbers named in `RELEVANCE`."""
    asked = claim.question
    own_terms = {word.term for word in claim.words}
    matched = _stems_alike(own_terms)
    said = [word.term in own_terms or word.term[:5] in matched for word in asked]
    inside = [_inside(claim, word, claim.first, claim.last) > 0 for word in asked]
    both = sum(one or two for one, two in zip(said, inside, strict=True))
    count = len(asked)
    own, rival = distances(claim)
    new = [word for word in claim.words if not word.asked]
    kinds = {word.kind for word in new}
    best = claim.most_asked
    words = len(claim.words)
    return [
        ratio(sum(said), count, 0.0),
        ratio(words - len(new), words, 0.0),
        ratio(sum(inside), count, 0.0),
        ratio(both, count, 0.0),
        ratio(sum(bool(word.match.places) for word in asked), count, 0.0),
        ratio(best, count, 0.0),
        ratio(sum(inside), best, 0.0),
        math.log1p(len(new)),
        math.log1p(words),
        ratio(sum(word.match.quality for word in claim.words), words),
        ratio(sum(_inside(claim, word, claim.first, claim.last) for word in claim.words), words),
        float(bool(claim.source.tokens.terms)),
        float(claim.language != claim.source.tokens.language),
        *map(float, wanted),
        float(NUMBER in kinds),
        float(NAME in kinds),
        own,
        rival,
        own - rival,
        float(words < 4),
        math.log1p(count),
    ]


def _stems_alike(terms: Iterable[str]) -> set[str]:
    return {term[:5] for term in terms if len(term) > 5 and term[0] != "#"}


__all__ = ["CONTENT", "GROUNDING", "RELEVANCE", "distances", "grounding_features", "relevance_features", "wants"]
