"""The content filters at run time: weights from a file, scores of every window of a text, levels of confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rocamadre.guardrails.classifiers.features import BUCKETS, Words, fingerprints, words_of
from rocamadre.guardrails.classifiers.hidden import MOST_PIECES, hidden_texts
from rocamadre.guardrails.classifiers.windows import windows
from rocamadre.guardrails.folding import fold
from rocamadre.guardrails.text import Text

FILTERS = ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT", "PROMPT_ATTACK")
KINDS_OF_ATTACK = ("JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE")
LABELS = FILTERS + KINDS_OF_ATTACK
LANGUAGES = ("en", "es", "pt")
LEVELS = ("NONE", "LOW", "MEDIUM", "HIGH")
SOFTENING = 4.0
ALONE = 1.0
"""What a sentence loses of its score when it is looked at without its neighbours."""
_AT = (math.log(0.3 / 0.7), 0.0, math.log(0.8 / 0.2))
"""Where LOW, MEDIUM and HIGH begin: at 0.3, 0.5 and 0.8 of every label's scale."""
BLOCK_CHARACTERS = 100_000
"""Long texts are read in blocks of this length, that overlap by more than a window, so that memory stays small."""
_OVERLAP_CHARACTERS = 1_000
_WEIGHTS = Path(__file__).with_name("weights") / "content.npz"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the filters say of a text.

    Attributes:
        scores: Of each label, from 0 to 1: LOW confidence begins at 0.3, MEDIUM at 0.5, HIGH at 0.8.
        levels: Of each filter: NONE, LOW, MEDIUM or HIGH.
    """

    scores: Mapping[str, float]
    levels: Mapping[str, str]


@dataclass(frozen=True)
class ContentModel:
    """Weights of the filters.

    Attributes:
        table: A row of integers for each bucket, a column for each label; int8.
        scales: What each column's integers are multiplied by.
        bias: Of each label.
        anchors: Scores at which confidence is LOW, MEDIUM, HIGH, rising: (languages, labels, 3).
        telling: Fingerprints of words that tell a language, sorted.
        tongues: For each of them how much it speaks for each language: (words, languages).
        known: Fingerprints of frequent words of the three languages, sorted.
    """

    table: npt.NDArray[np.int8]
    scales: Floats
    bias: Floats
    anchors: Floats
    telling: npt.NDArray[np.uint32]
    tongues: Floats
    known: npt.NDArray[np.uint32]

    def window_scores(self, words: Words) -> Floats:
        """Scores of each window, before calibration: (windows, labels)."""
        first, end = windows(words.sentence)
        of_words = self.table[words.grams].sum(axis=1, dtype=np.int32)
        of_words += np.add.reduceat(self.table[words.characters].sum(axis=1, dtype=np.int32), words.places, axis=0)
        sums = np.concatenate((np.zeros((1, of_words.shape[1]), np.int64), np.cumsum(of_words, axis=0, dtype=np.int64)))
        inside = (sums[end] - sums[first]).astype(np.float32)
        scores: Floats = inside * self.scales / np.sqrt(end - first + SOFTENING, dtype=np.float32)[:, None] + self.bias
        # Windows of several sentences come first.
        together = len(first) - int(np.argmax(first[::-1] == 0)) - 1
        if together:
            scores[together:] -= ALONE
        return scores

    def worst(self, folded: str) -> Floats:
        """The highest score of each label in any window of a folded text."""
        return self._read(folded)[0]

    def _read(self, folded: str) -> tuple[Floats, Floats]:
        """The highest scores of a folded text, and how much its words speak for each language."""
        highest = np.full(len(LABELS), -20.0, np.float32)
        told = np.zeros(len(LANGUAGES), np.float32)
        step = BLOCK_CHARACTERS - _OVERLAP_CHARACTERS
        for start in range(0, max(1, len(folded) - _OVERLAP_CHARACTERS), step):
            words = words_of(folded[start : start + BLOCK_CHARACTERS])
            if len(words):
                np.maximum(highest, self.window_scores(words).max(axis=0), out=highest)
                told += self._language(words)
        return highest, told

    def _language(self, words: Words) -> Floats:
        places, hits = _found(self.telling, fingerprints(words)[0])
        spoken: Floats = self.tongues[places[hits]].sum(axis=0, dtype=np.float32)
        return spoken

    def limits(self, told: Floats) -> Floats:
        """Thresholds for a text whose words speak so for the languages: (labels, 3). One without a tell is of all."""
        share = np.exp(told - told.max())
        mixed: Floats = np.tensordot(share / share.sum(), self.anchors, axes=1)
        return mixed

    def logits(self, folded: str) -> list[float]:
        """Of each label, on the scale where MEDIUM begins at 0."""
        highest, told = self._read(folded)
        return [_through(float(score), row) for score, row in zip(highest, self.limits(told), strict=True)]

    def plausible(self, text: str) -> float:
        """The part of a text's words that are known."""
        words = words_of(text.lower())
        if not len(words):
            return 0.0
        return float(_found(self.known, fingerprints(words)[0])[1].mean())

    def judge(self, text: Text) -> Verdict:
        """Scores and levels of a text, and of what is hidden in it."""
        logits = self.logits(text.folded.text)
        for inner in islice(hidden_texts(text.raw, self.plausible), MOST_PIECES + 3):
            logits = list(map(max, logits, self.logits(fold(inner).text)))
        levels = {
            name: LEVELS[sum(each >= limit - 1e-6 for limit in _AT)]
            for name, each in zip(FILTERS, logits, strict=False)
        }
        scores = {
            name: 1 / (1 + math.exp(-min(max(each, -30.0), 30.0))) for name, each in zip(LABELS, logits, strict=True)
        }
        return Verdict(scores, levels)


def _found(
    sorted_values: npt.NDArray[np.uint32], wanted: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Where values would stand in a sorted array, and whether they are there."""
    places = np.minimum(np.searchsorted(sorted_values, wanted), len(sorted_values) - 1)
    hits: npt.NDArray[np.bool_] = sorted_values[places] == wanted
    return places, hits


def _through(score: float, anchors: Floats) -> float:
    """The line from anchor to anchor, their logits being `_AT`; as steep beyond the outer ones as before them."""
    low, medium, high = map(float, anchors)
    if score < medium:
        return _AT[1] + (score - medium) * (_AT[1] - _AT[0]) / (medium - low)
    return _AT[1] + (score - medium) * (_AT[2] - _AT[1]) / (high - medium)


def read(path: Path) -> ContentModel:
    """Weights from a file of plain arrays; nothing in it is executed."""
    with np.load(path, allow_pickle=False) as arrays:
        if arrays["table"].shape != (BUCKETS, len(LABELS)) or arrays["table"].dtype != np.int8:
            raise ValueError(
                f"{path}: a table of {arrays['table'].shape} {arrays['table'].dtype} does not belong to this version"
            )
        return ContentModel(**{name: arrays[name] for name in ContentModel.__dataclass_fields__})


@cache
def content_model() -> ContentModel:
    """The model that ships, read once."""
    return read(_WEIGHTS)
