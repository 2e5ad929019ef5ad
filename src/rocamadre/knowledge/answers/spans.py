"""Candidate answers: every run of words that could be one, with the numbers by which they are weighed.

Features in the manner of the log-linear baseline of Rajpurkar et al. 2016 (SQuAD), without its parser: what a span is
made of, what stands beside it, how near the question's words are, and how well its sentence answers the question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from rocamadre.knowledge.answers.lexicon import CAUSE_WORDS, FUNCTION_WORDS
from rocamadre.knowledge.answers.questions import Question
from rocamadre.knowledge.answers.words import Word, words_of
from rocamadre.knowledge.chunkers.sentences import LONGEST_SENTENCE, sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rocamadre.knowledge.answers.types import Passage

LONGEST = 12
"""Words of the longest candidate."""
NEIGHBOURS = {language: {word: 4 + place for place, word in enumerate(dict.fromkeys(words.split()))}
              for language, words in FUNCTION_WORDS.items()}  # fmt: skip
"""Function words by number; 0 a content word, 1 a mark, 2 the sentence's edge, 3 a word of the question."""
NEIGHBOUR_ROOM = 4 + max(map(len, NEIGHBOURS.values()))

SENTENCE_FEATURES = (
    "coverage", "coverage-before", "coverage-passage", "pairs", "names", "similar", "rank", "score", "first",
)  # fmt: skip
SPAN_FEATURES = (
    *(f"length-{name}" for name in ("1", "2", "3", "4", "5", "7", "9", "more")),
    "asked-share", "asked-any", "asked-all", "capital-share", "capital-all", "capital-first", "opens-sentence",
    "closes-sentence", "digit", "year", "month", "number-word", "time-unit", "percent", "only-number", "roman",
    "before-mark", "before-function", "before-asked", "before-capital", "after-mark", "after-function", "after-asked",
    "after-capital", "marks", "functions", "balanced", "near-left", "near-right", "nearest", "head-inside",
    "head-after", "head-before", "idf", "in-brackets", "cause-before", "covered-left", "covered-right",
    *(f"sentence-{name}" for name in SENTENCE_FEATURES),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SentenceView:
    """One sentence of the passages, as words.

    Attributes:
        passage: Its place in the list.
        facts: By `SENTENCE_FEATURES`.
    """

    passage: int
    start: int
    end: int
    words: list[Word]
    stems: frozenset[str]
    facts: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Spans of one sentence: words `first[k]` up to `last[k]`, both included."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    features: NDArray[np.float32]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scene:
    """All sentences that were retrieved.

    Attributes:
        idf: Of each stem of the question, among these sentences; a stem that none of them has weighs most.
    """

    sentences: list[SentenceView]
    idf: Mapping[str, float]


def set_scene(question: Question, passages: Sequence[Passage]) -> Scene:
    """Split the passages and say how well each sentence meets the question."""
    raw: list[tuple[int, int, int, list[Word], frozenset[str]]] = []
    for index, passage in enumerate(passages):
        for start, end in sentences(passage.text, longest=LONGEST_SENTENCE):
            words = words_of(passage.text[start:end], passage.language or question.language)
            raw.append((index, start, end, words, frozenset(word.stem for word in words if word.stem)))
    count = max(1, len(raw))
    holding = {stem: sum(stem in stems for *_, stems in raw) for stem in question.stems}
    idf = {stem: math.log(1 + (count - held + 0.5) / (held + 0.5)) for stem, held in holding.items()}
    whole: dict[int, frozenset[str]] = {}
    for index, _, _, _, stems in raw:
        whole[index] = whole.get(index, frozenset()) | stems
    total = sum(idf.values()) or 1.0
    pairs = set(pairwise(question.sequence))
    top = max((passage.score for passage in passages), default=0.0) or 1.0
    views: list[SentenceView] = []
    before: tuple[int, frozenset[str]] = (-1, frozenset())
    for index, start, end, words, stems in raw:
        coverage = _weight(idf, stems) / total
        earlier = before[1] if before[0] == index else frozenset()
        sequence = [word.stem for word in words if word.stem]
        shared = len(pairs & set(pairwise(sequence))) / (len(pairs) or 1)
        named = len(question.names & (stems | earlier)) / len(question.names) if question.names else 1.0
        facts = np.array(
            [
                coverage,
                _weight(idf, stems | earlier) / total,
                _weight(idf, whole[index]) / total,
                shared,
                named,
                0.0,
                1.0 / (1 + index),
                passages[index].score / top,
                1.0 if start == 0 else 0.0,
            ],
            dtype=np.float32,
        )
        views.append(SentenceView(index, start, end, words, stems, facts))
        before = (index, stems)
    return Scene(views, idf)


def _weight(idf: Mapping[str, float], stems: frozenset[str]) -> float:
    return sum(weight for stem, weight in idf.items() if stem in stems)


def candidates_of(question: Question, scene: Scene, view: SentenceView) -> Candidates | None:
    """Every span of a sentence that may be an answer; None where there is none."""
    words = view.words
    opens = np.array([not word.mark and not word.function for word in words], dtype=bool)
    if not opens.any():
        return None
    closed = np.array([word.mark and word.lower in ".!?;:" for word in words], dtype=bool)
    stops = np.concatenate(([0], np.cumsum(closed)))
    starts = np.flatnonzero(opens)
    first, last = np.meshgrid(starts, starts, indexing="ij")
    kept = (last >= first) & (last - first < LONGEST) & (stops[last + 1] == stops[first])
    first, last = first[kept], last[kept]
    return _described(question, scene, view, first, last) if len(first) else None


def _described(
    question: Question, scene: Scene, view: SentenceView, first: NDArray[np.int64], last: NDArray[np.int64]
) -> Candidates:
    words = view.words
    count = len(words)
    asked = np.array([word.stem in scene.idf for word in words], dtype=np.float32)
    weight = np.array([scene.idf.get(word.stem, 0.0) for word in words], dtype=np.float32)
    mark = np.array([word.mark for word in words], dtype=np.float32)
    function = np.array([word.function for word in words], dtype=np.float32)
    shape = np.array([word.shape for word in words])
    capital = (shape & 1 > 0).astype(np.float32)
    length = (last - first + 1).astype(np.float32)

    def inside(values: NDArray[np.float32]) -> NDArray[np.float32]:
        sums = np.concatenate((np.zeros(1, np.float32), np.cumsum(values)))
        return np.asarray(sums[last + 1] - sums[first], dtype=np.float32)

    def bit(value: int) -> NDArray[np.float32]:
        return (inside((shape & value > 0).astype(np.float32)) > 0).astype(np.float32)

    by_name = {"mark": mark, "function": function, "asked": asked, "capital": capital}
    padded = {name: np.concatenate((array, np.zeros(1, np.float32))) for name, array in by_name.items()}
    before, after = np.where(first > 0, first - 1, count), np.where(last + 1 < count, last + 1, count)
    total = float(sum(scene.idf.values())) or 1.0
    left, right, nearest = _nearness(first, last, weight, total)
    brackets = np.cumsum([(word.lower in "([") - (word.lower in ")]") for word in words])
    cause = np.array([word.lower in CAUSE_WORDS for word in words] + [False])
    head = np.array([bool(question.head) and word.stem == question.head for word in words] + [False], dtype=np.float32)
    asked_inside, capitals, marks = inside(asked), inside(capital), inside(mark)
    numbers = inside(((shape & 22) > 0).astype(np.float32))
    bins = np.digitize(length, [2, 3, 4, 5, 6, 8, 10])
    rare = np.array([1.0 if word.stem and word.stem not in scene.idf else 0.0 for word in words], dtype=np.float32)
    sums = np.concatenate((np.zeros(1, np.float32), np.cumsum(weight)))
    columns = [
        *(bins == place for place in range(8)),
        asked_inside / length, asked_inside > 0, asked_inside == length, capitals / length, capitals == length,
        capital[first], first == 0, last >= count - 2, bit(2), bit(4), bit(8), bit(16), bit(32), bit(64),
        numbers == length, bit(128),
        padded["mark"][before], padded["function"][before], padded["asked"][before], padded["capital"][before],
        padded["mark"][after], padded["function"][after], padded["asked"][after], padded["capital"][after],
        marks / length, inside(function) / length, brackets[first] == brackets[last], left, right, nearest,
        inside(head[:-1]) > 0, head[after], head[before], inside(rare) / length, brackets[first] > 0, cause[before],
        sums[first] / total, (sums[-1] - sums[last + 1]) / total,
        *(np.full(len(first), fact) for fact in view.facts),
    ]  # fmt: skip
    features = np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)
    numbered = _neighbours(question, words, asked)
    return Candidates(first, last, features, numbered[before], numbered[after])


def _nearness(
    first: NDArray[np.int64], last: NDArray[np.int64], weight: NDArray[np.float32], total: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """How much of the question stands near, left and right, decaying by a third a word; and how near the nearest is."""
    places = np.flatnonzero(weight)
    if not len(places):
        nothing = np.zeros(len(first), np.float32)
        return nothing, nothing, nothing
    to_left = first[:, None] - places[None, :]
    to_right = places[None, :] - last[:, None]
    amounts = weight[places][None, :] / total
    left = np.where(to_left > 0, amounts * np.exp(-np.maximum(to_left, 0) / 3.0), 0.0).sum(1)
    right = np.where(to_right > 0, amounts * np.exp(-np.maximum(to_right, 0) / 3.0), 0.0).sum(1)
    apart = np.maximum(np.maximum(to_left, to_right), 0)
    nearest = 1.0 / (1.0 + np.where(apart > 0, apart, 99).min(1))
    return left.astype(np.float32), right.astype(np.float32), nearest.astype(np.float32)


def _neighbours(question: Question, words: list[Word], asked: NDArray[np.float32]) -> NDArray[np.int64]:
    """Each word's number as a neighbour, and the edge's at the end."""
    table = NEIGHBOURS.get(question.language, NEIGHBOURS["en"])
    numbers = [3 if asked[index] else 1 if word.mark else table.get(word.lower, 0) for index, word in enumerate(words)]
    return np.array([*numbers, 2], dtype=np.int64)
