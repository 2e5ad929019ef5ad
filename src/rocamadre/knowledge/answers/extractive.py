"""The reader without a network and with hardly any weights: spans and sentences weighed by a log-linear model.

What it knows was learned from the train articles of SQuAD in English and Spanish, and of SQuAD and FaQuAD in Portuguese
(`benchmarks/answers_reader.py` makes `weights.json` again): how much each of some seventy plain numbers says, for each
kind of question, and from when on the passages do not hold the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from rocamadre.knowledge.answers.lexicon import KINDS
from rocamadre.knowledge.answers.questions import Question, read_question
from rocamadre.knowledge.answers.spans import (
    SENTENCE_FEATURES,
    Candidates,
    Scene,
    SentenceView,
    candidates_of,
    set_scene,
)
from rocamadre.knowledge.answers.types import Answer, Embed, Passage, Statement, Support
from rocamadre.knowledge.languages import detect

if TYPE_CHECKING:
    from numpy.typing import NDArray

READ = 6
"""Sentences whose spans are weighed."""
_COMPARED = 16
PULL = 3.0
"""How much more a span counts in a sentence that is near the question; chosen on train articles."""
_OPEN = 3
_SIMILAR = SENTENCE_FEATURES.index("similar")
_RANK = SENTENCE_FEATURES.index("rank")
MOST_PASSAGES = 20


class _File(msgspec.Struct):
    """`weights.json` for one language."""

    spans: list[list[float]]
    before: list[list[float]]
    after: list[list[float]]
    holds: list[float]
    refuse_below: float
    span_from: float
    compares: bool


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned for one language.

    Attributes:
        spans: (kinds, span features).
        before: (kinds, neighbours).
        after: (kinds, neighbours).
        holds: Of `holding_features`.
        refuse_below: Least probability that the passages hold the answer.
        span_from: Least probability of a span from which it is given alone, without its sentence.
        compares: Whether vectors were there to learn from; else none are asked for.
    """

    spans: NDArray[np.float32]
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    holds: NDArray[np.float32]
    refuse_below: float
    span_from: float
    compares: bool = False


@lru_cache(maxsize=1)
def weights() -> Mapping[str, Weights]:
    """By language; `en+vectors` is for English sentences compared by vectors, too."""
    data = files("rocamadre.knowledge.answers").joinpath("weights.json").read_bytes()
    found = msgspec.json.decode(data, type=dict[str, _File])
    return {
        language: Weights(
            np.array(each.spans, np.float32),
            np.array(each.before, np.float32),
            np.array(each.after, np.float32),
            np.array(each.holds, np.float32),
            each.refuse_below,
            each.span_from,
            each.compares,
        )
        for language, each in found.items()
    }


def weights_of(language: str, *, compares: bool) -> Weights:
    """Those for a language; any other is read as English is. With vectors, those that learned with vectors."""
    known = weights()
    name = language if language in known else "en"
    return known.get(f"{name}+vectors", known[name]) if compares else known[name]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen in the passages, before it is decided whether to answer.

    Attributes:
        views: The sentences weighed, best first; with the probability of each.
        span: Of the best one's best span, in characters of its passage.
        span_probability: Among all spans weighed.
        holding: See `holding_features`.
    """

    question: Question
    views: tuple[tuple[SentenceView, float], ...]
    span: Support
    span_probability: float
    holding: NDArray[np.float32]


class ExtractiveReader:
    """See `types.Reader`.

    Args:
        embed: Vectors that tell which sentence is near the question; None: words alone decide.
        form: `auto` (a span where it is sure, else the sentence), `span` or `sentence`.
    """

    def __init__(self, embed: Embed | None = None, form: str = "auto") -> None:
        self._embed = embed
        self._form = form

    def read(self, question: str, passages: Sequence[Passage]) -> Answer | None:
        """See `Reader.read`."""
        passages = passages[:MOST_PASSAGES]
        language = language_of(question, passages)
        learned = weights_of(language, compares=self._embed is not None)
        embed = self._embed if learned.compares else None
        found = look(read_question(question, language), passages, learned, embed)
        if found is None:
            return None
        confidence = float(1 / (1 + np.exp(-found.holding @ learned.holds)))
        if confidence < learned.refuse_below:
            return None
        facts = {
            "kind": KINDS[found.question.kind],
            "holds": round(confidence, 3),
            "span": round(found.span_probability, 3),
        }
        if not found.question.asks:
            kept = [view for view, _ in found.views[:_OPEN]]
            return Answer(tuple(_sentence(passages, view) for view in kept), confidence, "sentence", facts)
        alone = self._form == "span" or (self._form == "auto" and found.span_probability >= learned.span_from)
        if alone:
            text = passages[found.span.passage].text[found.span.start : found.span.end]
            return Answer((Statement(text, (found.span,)),), confidence, "span", facts)
        view = next(view for view, _ in found.views if _holds(view, found.span))
        return Answer((_sentence(passages, view),), confidence, "sentence", facts)


def language_of(question: str, passages: Sequence[Passage]) -> str:
    """The question's language; where it is too short to tell, that of the first passage."""
    return detect(question) or next((passage.language for passage in passages if passage.language), "en")


def look(question: Question, passages: Sequence[Passage], learned: Weights, embed: Embed | None) -> Reading | None:
    """Weigh sentences and spans; None where nothing in the passages has to do with the question."""
    scene = set_scene(question, passages)
    compare(question, passages, scene, embed)
    read = sorted(scene.sentences, key=lambda view: -nearness(view))[:READ]
    weighed: list[tuple[SentenceView, Candidates, NDArray[np.float32]]] = []
    for view in read:
        if (candidates := candidates_of(question, scene, view)) is not None:
            weighed.append((view, candidates, scores(candidates, question.kind, learned)))
    if not weighed or not any(view.facts[0] > 0 or view.facts[_SIMILAR] > 0 for view in read):
        return None
    weighed = [(view, spans, points + PULL * nearness(view)) for view, spans, points in weighed]
    top = max(float(each.max()) for _, _, each in weighed)
    masses = [np.exp(each - top) for _, _, each in weighed]
    total = float(sum(mass.sum() for mass in masses))
    shares = [float(mass.sum()) / total for mass in masses]
    order = sorted(range(len(weighed)), key=lambda k: -shares[k])
    best = max(range(len(weighed)), key=lambda k: float(masses[k].max()))
    view, candidates, points = weighed[best]
    k = int(points.argmax())
    first, last = view.words[int(candidates.first[k])], view.words[int(candidates.last[k])]
    probability = float(masses[best][k]) / total
    span = Support(view.passage, view.start + first.start, view.start + last.end)
    holding = holding_features(question, scene, view, top=top, probability=probability, share=shares[best])
    return Reading(question, tuple((weighed[k][0], shares[k]) for k in order), span, probability, holding)


def compare(question: Question, passages: Sequence[Passage], scene: Scene, embed: Embed | None) -> None:
    """Ask for the vectors of the sentences that share most with the question, and note how near each is."""
    if embed is None:
        return
    views = sorted(scene.sentences, key=lambda view: -nearness(view))[:_COMPARED]
    texts = [passages[view.passage].text[view.start : view.end] for view in views]
    vectors = embed([question.text, *texts])
    for view, similar in zip(views, vectors[1:] @ vectors[0], strict=True):
        view.facts[_SIMILAR] = similar


def nearness(view: SentenceView) -> float:
    """By which sentences are chosen to be read."""
    return float(view.facts[0] + view.facts[1] + view.facts[_SIMILAR] + 0.3 * view.facts[_RANK])


def scores(candidates: Candidates, kind: int, learned: Weights) -> NDArray[np.float32]:
    """A number per candidate; the larger, the better."""
    inner = candidates.features @ learned.spans[kind]
    return np.asarray(
        inner + learned.before[kind, candidates.before] + learned.after[kind, candidates.after], np.float32
    )


def holding_features(
    question: Question, scene: Scene, view: SentenceView, *, top: float, probability: float, share: float
) -> NDArray[np.float32]:
    """What tells whether the passages hold the answer at all."""
    views = scene.sentences
    facts = np.stack([each.facts for each in views])
    names = question.names
    whole: dict[int, set[str]] = {}
    for each in views:
        whole.setdefault(each.passage, set()).update(each.stems)
    named = max((len(names & stems) / len(names) for stems in whole.values()), default=0.0) if names else 1.0
    missing = sum(1 for stem in question.stems if not any(stem in stems for stems in whole.values()))
    kinds = [1.0 if place == question.kind else 0.0 for place in range(len(KINDS))]
    return np.array(
        [
            1.0, *view.facts[: _SIMILAR + 1], facts[:, 0].max(), facts[:, 1].max(), facts[:, 2].max(),
            facts[:, _SIMILAR].max(), top / 10, probability, share, named, 1.0 if names else 0.0,
            missing / max(1, len(question.stems)), min(len(question.stems), 12) / 12, 1.0 / (1 + view.passage), *kinds,
        ],
        dtype=np.float32,
    )  # fmt: skip


def _holds(view: SentenceView, span: Support) -> bool:
    return view.passage == span.passage and view.start <= span.start and span.end <= view.end


def _sentence(passages: Sequence[Passage], view: SentenceView) -> Statement:
    support = Support(view.passage, view.start, view.end)
    return Statement(passages[view.passage].text[view.start : view.end], (support,))
