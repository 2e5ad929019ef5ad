"""How well a knowledge base finds and answers: figures with confidence intervals, without a judging model.

Retrieval, from judged questions (`retrieval_report`): recall@k is the share of the relevant that are among the first k;
nDCG@10 weighs grades by 1 / log2(1 + rank) and divides by the best order there is (Järvelin & Kekäläinen 2002); MRR is
the mean of 1 / rank of the first relevant one, 0 where none was found.

Answers, by embeddings and shared terms (`answer_scores`), each in [0, 1]:

- context precision: the mean of precision@rank over the ranks of chunks that are relevant, 0 where none is. A chunk is
  relevant when it supports a sentence of the expected answer.
- context recall: the share of the expected answer's sentences that some chunk supports.
- faithfulness: the share of the given answer's sentences that some chunk supports.
- answer relevance: the cosine of question and answer, 0 where negative.

A text supports a sentence when all of the sentence's numbers stand in it, and either 0.7 of the sentence's terms do,
or the cosine with one of the text's sentences is at least 0.75 while 0.4 of the terms do. These are the names of
Ragas' metrics; the definitions are not, since nothing here asks a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rocamadre.knowledge.chunkers.sentences import LONGEST_SENTENCE, sentences
from rocamadre.knowledge.languages import analyse, detect
from rocamadre.knowledge.search.types import Embed

DRAWS = 2000
SEED = 20261121
COVERED = 0.7
COVERED_WHEN_NEAR = 0.4
NEAR = 0.75


@dataclass(frozen=True, slots=True)
class Judged:
    """A question and what should be found for it.

    Attributes:
        grades: Grade by document or chunk id, larger is better; ids that are missing are not relevant.
        language: `en`, `es`, `pt` or empty; figures are given for each, too.
    """

    text: str
    grades: Mapping[str, float]
    language: str = ""


class Interval(NamedTuple):
    """A mean with its 95 % confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """Figures by name (`recall@5`, `ndcg@10`, `mrr`), over all questions and by language."""

    questions: int
    figures: Mapping[str, Interval]
    by_language: Mapping[str, tuple[int, Mapping[str, Interval]]] = field(default_factory=dict)


def recall(found: Sequence[str], grades: Mapping[str, float], *, k: int) -> float:
    """Share of the relevant ids that are among the first `k`.

    >>> recall(["a", "b", "c"], {"b": 1, "x": 1}, k=2)
    0.5
    """
    relevant = {each for each, grade in grades.items() if grade > 0}
    return len(relevant.intersection(found[:k])) / len(relevant) if relevant else 0.0


def ndcg(found: Sequence[str], grades: Mapping[str, float], *, k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first `k`; the gain is the grade itself.

    >>> round(ndcg(["x", "a"], {"a": 1}), 4)
    0.6309
    """
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:k]
    gains = [max(0.0, grades.get(each, 0.0)) for each in found[:k]]
    return _discounted(gains) / _discounted(best) if best else 0.0


def _discounted(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(rank + 1) for rank, gain in enumerate(gains, 1)))


def reciprocal_rank(found: Sequence[str], grades: Mapping[str, float]) -> float:
    """1 / rank of the first relevant id, 0 where there is none.

    >>> reciprocal_rank(["x", "a"], {"a": 1})
    0.5
    """
    return next((1 / rank for rank, each in enumerate(found, 1) if grades.get(each, 0) > 0), 0.0)


def interval(values: Sequence[float]) -> Interval:
    """The mean and its bootstrap interval (percentiles of 2,000 draws, one seed)."""
    if not len(values):
        return Interval(0.0, 0.0, 0.0)
    low, high = np.percentile(_drawn_means(np.asarray(values, np.float64)), [2.5, 97.5])
    return Interval(float(np.mean(values)), float(low), float(high))


class Difference(NamedTuple):
    """A paired difference of means, its 95 % interval, and in which share of the draws it was not above zero."""

    mean: float
    low: float
    high: float
    not_above: float


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """How much better the first is on the same questions, by a paired bootstrap.

    >>> paired_difference([1.0, 0.5], [0.5, 0.0]).low
    0.5
    """
    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    drawn = _drawn_means(differences)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Difference(float(differences.mean()), float(low), float(high), float((drawn <= 0).mean()))


def _drawn_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    random = np.random.default_rng(SEED)
    return np.array([values[random.integers(0, len(values), len(values))].mean() for _ in range(DRAWS)])


def retrieval_report(
    questions: Sequence[Judged], found: Sequence[Sequence[str]], *, cutoffs: Sequence[int] = (1, 5, 10)
) -> RetrievalReport:
    """Figures of a run.

    Args:
        questions: Each with at least one relevant id.
        found: Ids per question, best first, no repeats.
        cutoffs: The k of recall@k.
    """
    columns: dict[str, list[float]] = {
        f"recall@{k}": [recall(ids, each.grades, k=k) for each, ids in zip(questions, found, strict=True)]
        for k in cutoffs
    }
    columns["ndcg@10"] = [ndcg(ids, each.grades) for each, ids in zip(questions, found, strict=True)]
    columns["mrr"] = [reciprocal_rank(ids, each.grades) for each, ids in zip(questions, found, strict=True)]
    languages = sorted({each.language for each in questions})
    by_language = {}
    for language in languages:
        places = [place for place, each in enumerate(questions) if each.language == language]
        by_language[language] = (
            len(places),
            {name: interval([column[place] for place in places]) for name, column in columns.items()},
        )
    return RetrievalReport(len(questions), {name: interval(column) for name, column in columns.items()}, by_language)


class AnswerScores(NamedTuple):
    """Figures of one answer; the first two are None where no answer was expected."""

    context_precision: float | None
    context_recall: float | None
    faithfulness: float
    answer_relevance: float


def answer_scores(
    question: str, answer: str, contexts: Sequence[str], embed: Embed, *, expected: str = ""
) -> AnswerScores:
    """Judge an answer by what was retrieved for it; see the module for what the figures mean.

    Args:
        question: As it was asked.
        answer: As it was given; an empty one is faithful and irrelevant.
        contexts: Retrieved texts, best first.
        embed: Any embedder, for cosines.
        expected: A right answer, where one is known.
    """
    support = _Support(contexts, embed)
    precision = recalled = None
    if expected:
        wanted = _sentences(expected)
        each = [support.chunks(sentence) for sentence in wanted]
        relevant = [any(column) for column in zip(*each, strict=True)] if contexts else []
        precision = _average_precision(relevant)
        recalled = sum(any(row) for row in each) / len(each) if each else 0.0
    given = _sentences(answer)
    faithful = sum(any(support.chunks(sentence)) for sentence in given) / len(given) if given else 1.0
    relevance = 0.0
    if given:
        asked, said = embed([question, answer])
        relevance = float(max(0.0, min(1.0, float(np.dot(asked, said)))))
    return AnswerScores(precision, recalled, faithful, relevance)


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text, longest=LONGEST_SENTENCE)]


def _average_precision(relevant: Sequence[bool]) -> float:
    hits, total = 0, 0.0
    for rank, each in enumerate(relevant, 1):
        if each:
            hits += 1
            total += hits / rank
    return total / hits if hits else 0.0


class _Support:
    """Which of some texts support a sentence."""

    def __init__(self, texts: Sequence[str], embed: Embed) -> None:
        self._languages = [detect(text) for text in texts]
        self._texts = texts
        self._embed: Callable[[Sequence[str]], NDArray[np.float32]] = embed
        pieces = [_sentences(text) for text in texts]
        flat = [sentence for each in pieces for sentence in each]
        self._vectors = embed(flat) if flat else np.zeros((0, 1), np.float32)
        self._bounds = np.cumsum([0, *map(len, pieces)])

    def chunks(self, sentence: str) -> list[bool]:
        """One answer per text."""
        if not self._texts:
            return []
        cosines = self._vectors @ self._embed([sentence])[0] if len(self._vectors) else np.zeros(0)
        found = []
        for place, text in enumerate(self._texts):
            wanted = set(analyse(sentence, self._languages[place]))
            there = set(analyse(text, self._languages[place]))
            share = len(wanted & there) / len(wanted) if wanted else 1.0
            near = max(cosines[self._bounds[place] : self._bounds[place + 1]], default=0.0)
            numbers = all(term in there for term in wanted if any(character.isdigit() for character in term))
            found.append(numbers and (share >= COVERED or (near >= NEAR and share >= COVERED_WHEN_NEAR)))
        return found
