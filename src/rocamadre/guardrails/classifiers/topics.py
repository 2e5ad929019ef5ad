"""Whether a text is about a topic that somebody described in a few words, in any of three languages.

Each stretch of the text is compared with the topic's name and definition and with each example, in two ways: the cosine
of summed word vectors, and how much of either finds a like word in the other (as in Khattab & Zaharia, SIGIR 2020, with
static vectors). A logistic function of the two, fitted on topics that are not the customer's, gives a probability.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rocamadre.guardrails.classifiers.features import Words, fingerprints, words_of
from rocamadre.guardrails.classifiers.vectors import Floats, topic_vectors
from rocamadre.guardrails.classifiers.windows import windows
from rocamadre.guardrails.folding import fold

CLOSE_LOOKS = 6
"""Windows of a text that are compared word by word, for each topic: those whose sums are nearest."""
BLOCK_CHARACTERS = 100_000
_UNKNOWN_WEIGHT = 4.0
"""Weight of a word without a vector; that of others is their vector's squared length, 0.3 for "or", 10 for "shares"."""
_EMPHASIS = 3.0


@dataclass(frozen=True, slots=True)
class Passage:
    """Words as vectors.

    Attributes:
        names: A number for each word, equal for equal words.
        units: Their vectors at length 1, or zeros.
        weights: How much each word tells.
        total: The sum of the vectors at length 1.
    """

    names: npt.NDArray[np.uint32]
    units: Floats
    weights: Floats
    total: Floats


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients of the logistic function: of the cosine, of the two coverages, and the constant."""

    cosine: float
    covered: float
    covering: float
    constant: float


_HOW_ONE_DEFINES = re.compile(
    r"\b(?:recommend\w*|advice|advising|suggestions?|questions?|requests?|information|opinions?|discussions?|statements?|any|"
    r"anything|about|related|regarding|concerning|providing|giving|including|ways?|topics?|matters?|others?|content|"
    r"recomenda\w*|consejos?|conselhos?|aconsej\w*|aconselh\w*|preguntas?|perguntas?|peticiones|pedidos?|informaci\w+|"
    r"informaç\w+|opinio\w+|opiniõ\w+|cualquier\w*|qualquer|quaisquer|sobre|relacionad\w*|relativ\w*|incluyendo|"
    r"incluindo|formas?|temas?|asuntos?|assuntos?|cuestion\w*|quest\w+|otr[oa]s?|outr[oa]s?|contenidos?|conteúdos?)\b"
)
"""Words in which subjects are described rather than talked about."""

EXAMPLE = Fit(5.1, 2.6, 1.4, -2.35)
DEFINITION = Fit(6.0, 3.9, 4.0, -1.75)


def passage(names: npt.NDArray[np.uint32], vectors: Floats) -> Passage:
    """A passage of words with these vectors."""
    lengths = np.linalg.norm(vectors, axis=1)
    weights = np.where(lengths > 1e-6, lengths**2, _UNKNOWN_WEIGHT).astype(np.float32)
    units = vectors / np.maximum(lengths, 1e-6)[:, None]
    total = (vectors * lengths[:, None]).sum(axis=0)
    return Passage(names, units, weights, total / max(float(np.linalg.norm(total)), 1e-6))


def read_passage(text: str) -> Passage | None:
    """A text as a passage; None if it has no word."""
    words = words_of(fold(text).text)
    if not len(words):
        return None
    return passage(fingerprints(words)[0], topic_vectors().of(words))


def compared(probe: Passage, window: Passage) -> tuple[float, float, float]:
    """Cosine of the sums; the part of the probe that the window covers, and the reverse."""
    near = probe.units @ window.units.T
    near[probe.names[:, None] == window.names[None, :]] = 1.0
    near = np.clip(near, 0.0, 1.0) ** _EMPHASIS
    covered = float((near.max(axis=1) * probe.weights).sum() / probe.weights.sum())
    covering = float((near.max(axis=0) * window.weights).sum() / window.weights.sum())
    return float(probe.total @ window.total), covered, covering


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, ready to be looked for."""

    definition: Passage | None
    examples: tuple[Passage, ...]

    @classmethod
    def read(cls, name: str, definition: str, examples: Sequence[str]) -> Topic:
        """A topic from its description."""
        passages = (read_passage(each) for each in examples)
        plain = fold(f"{name}. {definition}").text
        told = read_passage(_HOW_ONE_DEFINES.sub(" ", plain)) or read_passage(plain)
        return cls(told, tuple(each for each in passages if each is not None))

    @property
    def probes(self) -> list[tuple[Passage, Fit]]:
        """What a text is compared with, and how the result is read."""
        own = [(self.definition, DEFINITION)] if self.definition is not None else []
        return own + [(each, EXAMPLE) for each in self.examples]


def topic_scores(folded: str, topics: Sequence[Topic]) -> list[float]:
    """For each topic the probability, 0 to 1, that some stretch of a folded text is about it."""
    highest = [0.0] * len(topics)
    for start in range(0, max(1, len(folded)), BLOCK_CHARACTERS):
        words = words_of(folded[start : start + BLOCK_CHARACTERS])
        if len(words):
            for place, score in enumerate(_block(words, topics)):
                highest[place] = max(highest[place], score)
    return highest


def _block(words: Words, topics: Sequence[Topic]) -> list[float]:
    vectors = topic_vectors().of(words)
    names = fingerprints(words)[0]
    first, end = windows(words.sentence)
    told = vectors * np.linalg.norm(vectors, axis=1, keepdims=True)
    sums = np.concatenate((np.zeros((1, vectors.shape[1])), np.cumsum(told, axis=0, dtype=np.float64)))
    totals = (sums[end] - sums[first]).astype(np.float32)
    totals /= np.maximum(np.linalg.norm(totals, axis=1, keepdims=True), 1e-6)
    made: dict[int, Passage] = {}
    scores = []
    for topic in topics:
        best = 0.0
        probes = topic.probes
        if probes:
            nearest = (totals @ np.stack([probe.total for probe, _ in probes]).T).max(axis=1)
            for window in np.argsort(-nearest, kind="stable")[:CLOSE_LOOKS]:
                a, b = int(first[window]), int(end[window])
                if a not in made:
                    made[a] = passage(names[a:b], vectors[a:b])
                best = max(best, *(probability(fit, *compared(probe, made[a])) for probe, fit in probes))
        scores.append(best)
    return scores


def probability(fit: Fit, cosine: float, covered: float, covering: float) -> float:
    """The logistic function of a comparison."""
    score = fit.cosine * cosine + fit.covered * covered + fit.covering * covering + fit.constant
    return float(1 / (1 + np.exp(-score)))
