"""Which passage says what a sentence says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rocamadre.knowledge.answers.types import Embed, Passage, Statement, Support
from rocamadre.knowledge.answers.words import Word, words_of
from rocamadre.knowledge.chunkers.sentences import LONGEST_SENTENCE, sentences

ENOUGH_SHARED = 0.6
"""Share of a sentence's content words that its support must have, where vectors are not asked."""
LEAST_SHARED = 0.34
ENOUGH_SIMILAR = 0.62
"""Cosine from which, together with `LEAST_SHARED`, a paraphrase counts as supported."""
_MOST_SUPPORTS = 3
_NEAR = 0.9


@dataclass(frozen=True, slots=True)
class _Piece:
    passage: int
    start: int
    end: int
    stems: frozenset[str]


class Attribution:
    """The sentences of passages, ready to be asked who says what.

    A sentence of the answer is supported by the sentence of a passage (or two that follow each other) that shares most
    of its content words, or shares some and is near it in meaning; and in any case every number of it, and every name
    in the middle of it, must stand in that passage. A sentence without content words supports itself on nothing.

    Args:
        passages: What was retrieved.
        embed: Asked only where words alone do not decide; None for never.
    """

    def __init__(self, passages: Sequence[Passage], embed: Embed | None = None) -> None:
        self._passages = passages
        self._embed = embed
        self._pieces: list[_Piece] = []
        self._whole: list[frozenset[str]] = []
        for index, passage in enumerate(passages):
            found = sentences(passage.text, longest=LONGEST_SENTENCE)
            stems = [_stems(words_of(passage.text[start:end], passage.language or "en")) for start, end in found]
            self._whole.append(frozenset[str]().union(*stems) if stems else frozenset())
            for place, (start, end) in enumerate(found):
                self._pieces.append(_Piece(index, start, end, stems[place]))
                if place + 1 < len(found):
                    self._pieces.append(_Piece(index, start, found[place + 1].end, stems[place] | stems[place + 1]))

    def support(self, sentence: str, language: str) -> tuple[Support, ...]:
        """The places that say this, best first, at most one in each passage and three in all; empty for none."""
        words = words_of(sentence, language or "en")
        stems = _stems(words)
        if not stems or not self._pieces:
            return ()
        must = {
            word.stem
            for index, word in enumerate(words)
            if word.stem and (word.shape & 2 or (word.shape & 1 and index > 0))
        }
        able = [piece for piece in self._pieces if must <= self._whole[piece.passage]]
        if not able:
            return ()
        shared = np.array([len(stems & piece.stems) / len(stems) for piece in able])
        # A piece of two sentences must earn its length.
        value = shared - np.array([0.0005 * (piece.end - piece.start) / 10 for piece in able])
        good = shared >= ENOUGH_SHARED
        if not good.any() and self._embed is not None:
            near = np.flatnonzero(shared >= LEAST_SHARED)
            if len(near):
                texts = [self._passages[able[k].passage].text[able[k].start : able[k].end] for k in near]
                vectors = self._embed([sentence, *texts])
                similar = vectors[1:] @ vectors[0]
                good[near] = similar >= ENOUGH_SIMILAR
                value[near] += similar
        return _chosen(able, value, good)


def attribute(statements: Sequence[str], attribution: Attribution, language: str) -> list[Statement]:
    """Sentences as statements with their supports."""
    return [Statement(text, attribution.support(text, language)) for text in statements]


def _stems(words: Sequence[Word]) -> frozenset[str]:
    return frozenset(word.stem for word in words if word.stem)


def _chosen(able: Sequence[_Piece], value: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[Support, ...]:
    chosen: list[Support] = []
    best: float | None = None
    for k in sorted(range(len(able)), key=lambda k: (-value[k], k)):
        piece = able[k]
        if not good[k] or piece.passage in {support.passage for support in chosen}:
            continue
        if best is not None and value[k] < best * _NEAR:
            break
        best = value[k] if best is None else best
        chosen.append(Support(piece.passage, piece.start, piece.end))
        if len(chosen) == _MOST_SUPPORTS:
            break
    return tuple(chosen)
