"""When to answer: learned on articles that the network did not see, from scenes of several retrieved passages."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from data import Example

from benchmarks.answers import token_f1
from benchmarks.answers_reader import Paragraphs, passages_of
from rocamadre.knowledge.answers.extractor.reader import TrainedReader, sentence_around
from rocamadre.knowledge.answers.types import Passage

SHARES = {"answerable": 0.5, "unanswerable": 0.2, "away": 0.3}
"""How much each kind of question counts."""
ANSWERED = 0.85
"""Share of the answerable questions that are to be answered; as many of the others as that allows are refused."""
BY_WORDS = 2.0
"""How much the log-linear reader's opinion counts. On articles aside from training 1 is better by 0.01, within chance;
2 reads short texts of every day better, where the network's narrow view misleads it."""
SURE = 0.7
"""Mean F1 of the spans that are given without their sentences."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One question and what was found for it."""

    kind: str
    language: str
    example: Example
    passages: list[Passage]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reader made of a scene: `right`, that the sentence holds an accepted answer; `f1` of the span."""

    kind: str
    language: str
    holding: np.ndarray
    sure: float
    f1: float
    right: bool


def scenes(examples: Sequence[Example], most: int, chance: random.Random) -> list[Scene]:
    """Of one language: answerable, written to be unanswerable, and with the article taken away."""
    if not examples:
        return []
    language = examples[0].language
    titles = {each.passage: each.title for each in examples}
    search = Paragraphs(list(titles), language)
    good, bad = ([each for each in examples if bool(each.spans) == kind] for kind in (True, False))
    wanted = [
        *(("answerable", each) for each in chance.sample(good, min(most, len(good)))),
        *(("unanswerable", each) for each in chance.sample(bad, min(most // 2, len(bad)))),
        *(("away", each) for each in chance.sample(good, min(most // 2, len(good)))),
    ]
    made = []
    for kind, each in wanted:
        hidden = each.title if kind == "away" else ""
        near = search.best(each.question, 5, lambda k, hidden=hidden: titles[search.texts[k]] != hidden)  # type: ignore[misc]
        if near:
            made.append(Scene(kind, language, each, passages_of(search, near)))
    return made


def by_search(read: Callable[[float], TrainedReader], found: Sequence[Scene]) -> float:
    """How much the search counts, by what is right most often on answerable questions."""
    answerable = [each for each in found if each.kind == "answerable"]
    return max((4.0, 8.0), key=lambda value: sum(each.f1 + each.right for each in look(read(value), answerable)))


def look(reader: TrainedReader, found: Sequence[Scene]) -> list[Seen]:
    """Read every scene."""
    made = []
    for scene in found:
        seen = reader.look(scene.example.question, scene.passages)
        if seen is None:
            continue
        best = seen.spans[0]
        text = scene.passages[best.passage].text
        golds = scene.example.golds if scene.kind == "answerable" else ()
        start, end = sentence_around(text, best.start, best.end)
        right = any(gold.lower() in text[start:end].lower() for gold in golds)
        f1 = token_f1(text[best.start : best.end], golds, scene.language)
        made.append(Seen(scene.kind, scene.language, seen.holding, reader.sureness(best), f1, right))
    return made


def learn(seen: Sequence[Seen], rounds: int = 2500) -> dict:
    """Logistic regression on whether the answer is right, the probability to refuse below, and that for spans."""
    kinds, x = np.array([each.kind for each in seen]), np.array([each.holding for each in seen], float)
    y = np.array([each.right and each.f1 > 0 for each in seen], float)
    weight = sum(np.where(kinds == kind, share / max(1, (kinds == kind).sum()), 0.0) for kind, share in SHARES.items())
    mean, spread = x.mean(0), np.where(x.std(0) < 1e-6, 1.0, x.std(0))
    mean[0], spread[0] = 0.0, 1.0
    z = (x - mean) / spread

    def fitted(at: np.ndarray) -> np.ndarray:
        b = np.zeros(z.shape[1])
        for _ in range(rounds):
            p = 1 / (1 + np.exp(-z[at] @ b))
            b -= 0.5 * (z[at].T @ ((p - y[at]) * weight[at] / weight[at].sum()) + 4e-3 * np.r_[0.0, b[1:]])
        return b

    fold = np.arange(len(y)) % 5
    held = np.zeros(len(y))
    for each in range(5):
        held[fold == each] = 1 / (1 + np.exp(-z[fold == each] @ fitted(fold != each)))

    refuse_below = round(float(np.quantile(held[kinds == "answerable"], 1 - ANSWERED)), 3)
    b = fitted(np.ones(len(y), bool))
    raw = b / spread
    raw[0] = b[0] - (b[1:] * mean[1:] / spread[1:]).sum()
    said = sorted(((each.sure, each.f1) for each, p in zip(seen, held, strict=True)
                   if each.kind == "answerable" and p >= refuse_below), reverse=True)  # fmt: skip
    means = np.cumsum([f1 for _, f1 in said]) / np.arange(1, len(said) + 1)
    good = [k for k in range(20, len(said)) if means[k] >= SURE]
    figures = {}
    for language in sorted({each.language for each in seen}):
        for kind in SHARES:
            at = np.array([each.kind == kind and each.language == language for each in seen])
            if at.any():
                figures[f"{language}-{kind}-answered"] = round(float((held[at] >= refuse_below).mean()), 3)
        at = np.array([each.kind == "answerable" and each.language == language for each in seen])
        figures[f"{language}-right"] = round(float(y[at].mean()), 3)
        figures[f"{language}-f1"] = round(float(np.mean([e.f1 for e, own in zip(seen, at, strict=True) if own])), 3)
    return {
        "calibration": {
            "holds": [round(float(value), 4) for value in raw],
            "refuse_below": refuse_below,
            "span_from": round(said[good[-1]][0], 3) if good else 0.95,
        },
        "figures": figures,
    }
