"""The reader with a trained network, which points at spans of the retrieved passages.

The network reads closely but only a few words at a time; the log-linear reader sees which sentence is near the
question. What one of them takes for the answer counts more if the other does, too.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from rocamadre.catalog.embedded import embedded_dir
from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.answers.extractive import ExtractiveReader, Reading, language_of, weights_of
from rocamadre.knowledge.answers.extractive import look as weigh
from rocamadre.knowledge.answers.extractor.features import Array, Asked, ask, pair, take
from rocamadre.knowledge.answers.extractor.network import FILE, Network, best_spans
from rocamadre.knowledge.answers.extractor.space import WordSpace
from rocamadre.knowledge.answers.lexicon import KINDS
from rocamadre.knowledge.answers.types import Answer, Embed, Passage, Reader, Statement, Support
from rocamadre.knowledge.answers.words import Word, words_of
from rocamadre.knowledge.chunkers.sentences import LONGEST_SENTENCE, sentences

logger = logging.getLogger(__name__)

FOLDER = "answer-extractor"
SPACE_FOLDER = "roca-embed"
MOST_PASSAGES = 5
"""Passages that are read, best first."""
PART, OVERLAP = 260, 60
"""Words that are read at once, as in training, and how many of them the next part repeats."""
_SPANS = 6
"""Of each part; of those of all, the best is chosen with what the other reader says."""
_LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Found:
    """A span.

    Attributes:
        chance: Logarithm of its probability among all spans of its part and none.
        beside: What the log-linear reader says of it, see `_beside`.
        value: By which spans of several passages are compared.
        none: Logarithm of the probability that this part does not answer.
        facts: Of the question and the part, see `features.pair`.
    """

    passage: int
    start: int
    end: int
    chance: float
    beside: float
    value: float
    none: float
    facts: Array


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, before it is decided whether to answer.

    Attributes:
        spans: Best first; at least one.
        holding: What tells whether the best one is right; see `_holding`.
    """

    asked: Asked
    spans: tuple[Found, ...]
    holding: Array


class TrainedReader:
    """See `types.Reader`.

    Args:
        network: The weights.
        space: The words' vectors.
        otherwise: Reads for wishes that no short answer settles ("describe…").
        form: `auto` (a span where it is sure, else its sentence), `span` or `sentence`.
    """

    def __init__(self, network: Network, space: WordSpace, otherwise: Reader, form: str = "auto") -> None:
        self._network, self._space = network, space
        self._otherwise, self._form = otherwise, form
        self._words = ExtractiveReader(None, "sentence")

    def read(self, question: str, passages: Sequence[Passage]) -> Answer | None:
        """See `Reader.read`."""
        found = self.look(question, passages)
        if found is None:
            return None
        if not found.asked.question.asks:
            return self._otherwise.read(question, passages)
        known, confidence = self._network.calibration, self.confidence(found)
        if confidence < known.refuse_below:
            return None
        best = found.spans[0]
        chance = self.sureness(best)
        facts = {"kind": KINDS[found.asked.question.kind], "holds": round(confidence, 3), "span": round(chance, 3)}
        text = passages[best.passage].text
        if self._form == "span" or (self._form == "auto" and chance >= known.span_from):
            support = Support(best.passage, best.start, best.end)
            return Answer((Statement(text[best.start : best.end], (support,)),), confidence, "span", facts)
        start, end = sentence_around(text, best.start, best.end)
        if chance < known.span_from:
            start, end = self._with_neighbour(question, passages[best.passage], start, end)
        support = Support(best.passage, start, end)
        return Answer((Statement(text[start:end], (support,)),), confidence, "sentence", facts)

    def _with_neighbour(self, question: str, passage: Passage, start: int, end: int) -> tuple[int, int]:
        """A sentence and the one beside it, where the network is not sure and the words speak for that one."""
        other = self._words.read(question, [passage])
        if other is None or len(other.statements) != 1:
            return start, end
        (support,) = other.statements[0].supports
        between = passage.text[min(end, support.end) : max(start, support.start)]
        if between.strip():
            return start, end
        return min(start, support.start), max(end, support.end)

    def confidence(self, found: Look) -> float:
        """The probability that the best span is right."""
        return 1 / (1 + math.exp(-float(np.dot(found.holding, self._network.calibration.holds))))

    def sureness(self, found: Found) -> float:
        """From 0 to 1: how sure it is of a span, by both readers; compared with `span_from`."""
        return math.exp(min(0.0, found.chance + self._network.calibration.by_words * (found.beside - 1)))

    def look(self, question: str, passages: Sequence[Passage]) -> Look | None:
        """Read the first passages; None where there is nothing to read."""
        passages = passages[:MOST_PASSAGES]
        language = language_of(question, passages)
        asked = ask(question, language, self._space, self._network.common)
        parts = [
            (place, words)
            for place, passage in enumerate(passages)
            for words in _parts(words_of(passage.text, passage.language or language))
        ]
        if not parts or not asked.words:
            return None
        pairs = [pair(asked, take(words, self._space, self._network.common)) for _, words in parts]
        top = max((passage.score for passage in passages), default=0.0) or 1.0
        other = weigh(asked.question, passages, weights_of(language, compares=False), None)
        known = self._network.calibration
        spans: list[Found] = []
        for (place, words), held, scores in zip(parts, pairs, self._network.scores(pairs), strict=True):
            best = best_spans(scores, _SPANS)
            none = scores.none - (float(scores.start[best[0][0]] + scores.end[best[0][1]]) - best[0][2])
            by_search = known.by_search * (passages[place].score / top)
            for first, last, chance in best:
                start, end = words[first].start, words[last].end
                beside = _beside(other, place, start, end)
                value = chance + by_search + known.by_words * beside
                spans.append(Found(place, start, end, chance, beside, value, none, held.facts))
        spans.sort(key=lambda each: -each.value)
        return Look(asked, tuple(spans), _holding(asked, spans, passages, top))


def _holding(asked: Asked, spans: Sequence[Found], passages: Sequence[Passage], top: float) -> Array:
    best = spans[0]
    others = [each for each in spans[1:] if each.passage != best.passage]
    other = others[0].value if others else -12.0
    nones = {each.passage: each.none for each in spans}
    kinds = [1.0 if place == asked.question.kind else 0.0 for place in range(len(KINDS))]
    return np.array(
        [
            1.0, max(best.chance, -12.0), max(best.none, -12.0), math.exp(best.chance), math.exp(best.none),
            max(best.chance - best.none, -8.0), min(nones.values()), best.value - other,
            best.beside, *best.facts[:7], passages[best.passage].score / top, 1.0 / (1 + best.passage),
            1.0 / len(passages), *kinds,
        ],
        np.float32,
    )  # fmt: skip


def _beside(other: Reading | None, passage: int, start: int, end: int) -> float:
    """The logarithm of the probability of the span's sentence, and 1 more if its span is the same or overlaps."""
    if other is None:
        return math.log(_LEAST_SHARE)
    share = max(
        (part for view, part in other.views if view.passage == passage and view.start < end and view.end > start),
        default=0.0,
    )
    agrees = other.span.passage == passage and other.span.start < end and other.span.end > start
    return math.log(share + _LEAST_SHARE) + (1.0 if agrees else 0.0)


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence that holds a span; several where it reaches into more."""
    inside = [each for each in sentences(text, longest=LONGEST_SENTENCE) if each.end > start and each.start < end]
    return min(start, *(each.start for each in inside), start), max(end, *(each.end for each in inside), end)


def _parts(words: list[Word]) -> list[list[Word]]:
    if len(words) <= PART:
        return [words] if words else []
    return [words[at : at + PART] for at in range(0, len(words) - OVERLAP, PART - OVERLAP)]


@lru_cache(maxsize=2)
def _loaded(file: Path, space: Path, _changed: tuple[int, int]) -> tuple[Network, WordSpace]:
    network, words = Network(file), WordSpace(space)
    if network.space != words.sha256:
        raise InvalidRequest(
            f"{file}: trained with the word vectors {network.space[:12]}, and {space} has {words.sha256[:12]}"
        )
    return network, words


def make_reader(embed: Embed | None, form: str) -> Reader:
    """The trained reader; the one that weighs words where the network's files are not there or damaged.

    Args:
        embed: For the other reader.
        form: The setting `answers.form`.
    """
    otherwise = ExtractiveReader(embed, form)
    folder, space = embedded_dir(FOLDER), embedded_dir(SPACE_FOLDER)
    if folder is None or space is None:
        return otherwise
    try:
        changed = (folder / FILE).stat().st_mtime_ns, (space / "static.safetensors").stat().st_mtime_ns
        network, words = _loaded(folder / FILE, space, changed)
    except FileNotFoundError:
        return otherwise
    except (OSError, InvalidRequest) as error:
        logger.warning("answers.extractor_damaged", extra={"file": FILE, "reason": str(error)})
        return otherwise
    return TrainedReader(network, words, otherwise, form)
