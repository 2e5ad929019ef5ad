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
from rocamadre.guardrails.classifiers.vectors import word_vectors
from rocamadre.guardrails.classifiers.windows import windows
from rocamadre.guardrails.folding import fold
from rocamadre.guardrails.text import Text

FILTERS = ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT", "PROMPT_ATTACK")
KINDS_OF_ATTACK = ("JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE")
LABELS = FILTERS + KINDS_OF_ATTACK
LEVELS = ("NONE", "LOW", "MEDIUM", "HIGH")
SOFTENING = 4.0
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
        inner: From the vectors of a word and its neighbours, (3 x dimensions, hidden), with its bias in `inner_bias`.
        outer: From the largest and the mean hidden values of a window, (2 x hidden, labels).
        anchors: Scores at which a filter's confidence is LOW, MEDIUM, HIGH: a row for each label, rising.
        known: Hashes of frequent words of the three languages, sorted.
    """

    table: npt.NDArray[np.int8]
    scales: Floats
    bias: Floats
    inner: npt.NDArray[np.float16]
    inner_bias: Floats
    outer: Floats
    anchors: Floats
    known: npt.NDArray[np.uint32]

    def window_scores(self, words: Words) -> Floats:
        """Scores of each window, before calibration: (windows, labels)."""
        first, end = windows(words.sentence)
        of_words = self.table[words.grams].sum(axis=1, dtype=np.int32)
        of_words += np.add.reduceat(self.table[words.characters].sum(axis=1, dtype=np.int32), words.places, axis=0)
        sums = np.concatenate((np.zeros((1, of_words.shape[1]), np.int64), np.cumsum(of_words, axis=0, dtype=np.int64)))
        inside = (sums[end] - sums[first]).astype(np.float32)
        scores: Floats = inside * self.scales / np.sqrt(end - first + SOFTENING, dtype=np.float32)[:, None] + self.bias
        return scores + self._read(words, first, end)

    def _read(self, words: Words, first: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> Floats:
        """What the meanings of the words add to the scores of each window."""
        vectors = word_vectors().of(words)
        none = np.zeros((1, vectors.shape[1]), np.float32)
        around = np.concatenate((np.concatenate((none, vectors[:-1])), vectors, np.concatenate((vectors[1:], none))), 1)
        seen = np.maximum(around @ self.inner.astype(np.float32) + self.inner_bias, 0)
        seen = np.concatenate((seen, np.zeros((1, seen.shape[1]), np.float32)))
        # Every other result is of the words between two windows, or of one word where they overlap.
        peak = np.maximum.reduceat(seen, np.stack((first, end), 1).reshape(-1), axis=0)[::2]
        sums = np.concatenate((np.zeros((1, seen.shape[1])), np.cumsum(seen, axis=0, dtype=np.float64)))
        mean = ((sums[end] - sums[first]) / (end - first)[:, None]).astype(np.float32)
        added: Floats = np.concatenate((peak, mean), 1) @ self.outer
        return added

    def worst(self, folded: str) -> Floats:
        """The highest score of each label in any window of a folded text."""
        highest = np.full(len(LABELS), -20.0, np.float32)
        step = BLOCK_CHARACTERS - _OVERLAP_CHARACTERS
        for start in range(0, max(1, len(folded) - _OVERLAP_CHARACTERS), step):
            words = words_of(folded[start : start + BLOCK_CHARACTERS])
            if len(words):
                np.maximum(highest, self.window_scores(words).max(axis=0), out=highest)
        return highest

    def plausible(self, text: str) -> float:
        """The part of a text's words that are known."""
        words = words_of(text.lower())
        if not len(words):
            return 0.0
        short, _ = fingerprints(words)
        places = np.minimum(np.searchsorted(self.known, short), len(self.known) - 1)
        return float((self.known[places] == short).mean())

    def judge(self, text: Text) -> Verdict:
        """Scores and levels of a text, and of what is hidden in it."""
        highest = self.worst(text.folded.text)
        for inner in islice(hidden_texts(text.raw, self.plausible), MOST_PIECES + 3):
            np.maximum(highest, self.worst(fold(inner).text), out=highest)
        logits = [_through(float(score), row) for score, row in zip(highest, self.anchors, strict=True)]
        levels = {
            name: LEVELS[int((highest[place] >= self.anchors[place]).sum())] for place, name in enumerate(FILTERS)
        }
        scores = {
            name: 1 / (1 + math.exp(-min(max(each, -30.0), 30.0))) for name, each in zip(LABELS, logits, strict=True)
        }
        return Verdict(scores, levels)


def _through(score: float, anchors: Floats) -> float:
    """The line from anchor to anchor, their logits being `_AT`; as steep beyond the outer ones as before them."""
    low, medium, high = map(float, anchors)
    if score < medium:
        return _AT[1] + (score - medium) * (_AT[1] - _AT[0]) / (medium - low)
    return _AT[1] + (score - medium) * (_AT[2] - _AT[1]) / (high - medium)


def read(path: Path) -> ContentModel:
    """Weights from a file of plain arrays; nothing in it is executed."""
    with np.load(path, allow_pickle=False) as arrays:
        model = ContentModel(**{name: arrays[name] for name in ContentModel.__dataclass_fields__})
    if model.table.shape != (BUCKETS, len(LABELS)) or model.table.dtype != np.int8:
        raise ValueError(f"{path}: a table of {model.table.shape} {model.table.dtype} does not belong to this version")
    return model


@cache
def content_model() -> ContentModel:
    """The model that ships, read once."""
    return read(_WEIGHTS)
