"""What the network is shown of a question and a passage, word by word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rocamadre.knowledge.answers.extractor.space import DIMENSIONS, Meanings, WordSpace
from rocamadre.knowledge.answers.lexicon import CAUSE_WORDS, KINDS
from rocamadre.knowledge.answers.questions import Question, read_question
from rocamadre.knowledge.answers.words import Word, words_of

Array = NDArray[np.float32]

MOST_QUESTION = 40
MOST_PASSAGE = 400
"""Words of a passage that are read at once; longer ones are read in parts."""
SHAPES = (1, 2, 4, 8, 16, 32, 64, 128)
ENDS = frozenset(".!?")
PASSAGE_FEATURES = len(SHAPES) + 17
QUESTION_FEATURES = len(SHAPES) + 8 + len(KINDS)
PAIR_FEATURES = 8 + len(KINDS)
_NEAR, _FAR = 3.0, 12.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A text as the network sees it.

    Attributes:
        common: Numbers of its words among the common ones; 0 for any other.
        features: (words, features).
    """

    words: list[Word]
    vectors: Array
    common: NDArray[np.int64]
    features: Array


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, before it is held against a passage."""

    question: Question
    words: list[Word]
    meanings: Meanings
    common: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Text:
    """A passage, before a question is held against it."""

    words: list[Word]
    meanings: Meanings
    common: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a passage.

    Attributes:
        facts: What holds for the passage as a whole (`PAIR_FEATURES`).
    """

    question: Seen
    passage: Seen
    facts: Array


def ask(text: str, language: str, space: WordSpace, common: Mapping[str, int]) -> Asked:
    """Take a question in."""
    words = words_of(text, language)[:MOST_QUESTION]
    return Asked(read_question(text, language), words, _meanings(words, space), _common(words, common))


def take(words: list[Word], space: WordSpace, common: Mapping[str, int]) -> Text:
    """Take a passage's words in."""
    return Text(words, _meanings(words, space), _common(words, common))


def pair(asked: Asked, text: Text) -> Pair:
    """Hold a question against a passage."""
    question, passage = asked.words, text.words
    cosines = asked.meanings.vectors @ text.meanings.vectors.T
    q_open = np.array([not word.mark and not word.function for word in question], bool)
    p_open = np.array([not word.mark and not word.function for word in passage], bool)
    weights = asked.meanings.weights * q_open
    total = float(weights.sum()) or 1.0
    cosines[:, ~p_open] *= 0.3
    cosines[~q_open] *= 0.3
    same = _same(question, passage)
    stem = _same_stems(question, passage)
    lemma = np.maximum(stem, same)
    near = np.maximum(lemma, np.clip((cosines - 0.3) / 0.5, 0, 1) * 0.8)
    matched = (near * weights[:, None]).max(axis=0, initial=0.0) / total * p_open
    lexical = (lemma * weights[:, None]).max(axis=0, initial=0.0) / total * p_open
    sentence = _sentences(passage)
    count = int(sentence[-1]) + 1 if len(sentence) else 1
    held = np.zeros((len(question), count), np.float32)
    for k in range(count):
        inside = sentence == k
        held[:, k] = near[:, inside].max(axis=1, initial=0.0)
    coverage = (weights @ held) / total
    best = coverage.max(initial=0.0)
    left_near, right_near = _decayed(matched, _NEAR)
    left_far, right_far = _decayed(matched, _FAR)
    tally = Counter(word.lower for word in passage)
    times = [tally[word.lower] for word in passage]
    columns = [
        *_shapes(passage),
        [word.mark for word in passage],
        [word.function for word in passage],
        text.meanings.weights / 3,
        same.max(axis=0, initial=0.0),
        lemma.max(axis=0, initial=0.0),
        cosines.max(axis=0, initial=-1.0),
        matched * 3,
        lexical * 3,
        left_near * 2, right_near * 2, left_far, right_far,
        coverage[sentence],
        (coverage[sentence] >= best - 1e-6) if len(passage) else [],
        np.log1p(np.asarray(times, np.float32)) - 0.69,
        [word.lower in CAUSE_WORDS for word in passage],
        [word.lower in ENDS for word in passage],
    ]  # fmt: skip
    kinds = np.zeros(len(KINDS), np.float32)
    kinds[asked.question.kind] = 1
    q_best = cosines.max(axis=1, initial=-1.0)
    q_lemma = lemma.max(axis=1, initial=0.0)
    q_columns = [
        *_shapes(question),
        [word.mark for word in question],
        [word.function for word in question],
        asked.meanings.weights / 3,
        same.max(axis=1, initial=0.0),
        q_lemma,
        q_best,
        [bool(word.stem) and word.stem == asked.question.head for word in question],
        weights / total * 3,
        *(np.full(len(question), kind) for kind in kinds),
    ]
    named = np.array([word.stem in asked.question.names for word in question], bool) & q_open
    rare = weights * (q_lemma < 1)
    facts = np.array(
        [
            best,
            float((weights * near.max(axis=1, initial=0.0)).sum()) / total,
            float((weights * q_lemma).sum()) / total,
            float(rare.max(initial=0.0)) / 3,
            float(q_lemma[named].mean()) if named.any() else 1.0,
            float(q_lemma[named].min()) if named.any() else 1.0,
            float(named.any()),
            len(passage) / MOST_PASSAGE,
            *kinds,
        ],
        np.float32,
    )
    return Pair(
        Seen(question, asked.meanings.vectors, asked.common, _stacked(q_columns)),
        Seen(passage, text.meanings.vectors, text.common, _stacked(columns)),
        facts,
    )


def _stacked(columns: Sequence[object]) -> Array:
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)


def _meanings(words: Sequence[Word], space: WordSpace) -> Meanings:
    if not words:
        return Meanings(np.zeros((0, DIMENSIONS), np.float32), np.zeros(0, np.float32))
    return space.meanings([word.lower for word in words])


def _common(words: Sequence[Word], common: Mapping[str, int]) -> NDArray[np.int64]:
    return np.array([common.get(word.lower, 0) for word in words], np.int64)


def _shapes(words: Sequence[Word]) -> list[list[bool]]:
    return [[bool(word.shape & bit) for word in words] for bit in SHAPES]


def _same(question: Sequence[Word], passage: Sequence[Word]) -> Array:
    return _equal([word.lower for word in question], [word.lower for word in passage])


def _same_stems(question: Sequence[Word], passage: Sequence[Word]) -> Array:
    return _equal([word.stem for word in question], [word.stem for word in passage])


def _equal(left: Sequence[str], right: Sequence[str]) -> Array:
    """1 where two words are one; empty ones equal none."""
    found = np.zeros((len(left), len(right)), np.float32)
    places: dict[str, list[int]] = {}
    for k, word in enumerate(right):
        if word:
            places.setdefault(word, []).append(k)
    for k, word in enumerate(left):
        if word in places:
            found[k, places[word]] = 1
    return found


def _sentences(words: Sequence[Word]) -> NDArray[np.int64]:
    """Each word's sentence, counted from 0."""
    ends = np.array([word.lower in ENDS for word in words], np.int64)
    return np.concatenate(([0], np.cumsum(ends)))[: len(words)]


def _decayed(values: Array, reach: float) -> tuple[Array, Array]:
    """What lies to the left and to the right of each word, less the further away."""
    places = np.arange(len(values), dtype=np.float32)
    apart = places[:, None] - places[None, :]
    fall = np.exp(-np.abs(apart) / reach).astype(np.float32)
    return (fall * (apart > 0)) @ values, (fall * (apart < 0)) @ values
