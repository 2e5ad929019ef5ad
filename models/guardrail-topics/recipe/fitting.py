"""The logistic functions of the comparison, and what they are worth on topics that they have not seen."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import reading

from rocamadre.guardrails.classifiers import topics as runtime
from rocamadre.guardrails.classifiers.stretches import Space, Stretches
from rocamadre.guardrails.folding import fold

OTHERS = 8
PASSAGES = 2
"""Passages for each topic and pair of languages; what counts of them is the stretch that is most like the topic."""
SHRINK = 30.0
WEIGHTS = {"inside": 1.4, "beside": 1.0, "other": 1.5, "plain": 1.0, "passage": 1.5}
INTENT_WEIGHT = 0.6


class Texts:
    """Vectors and numbers of texts, made once."""

    def __init__(self, place: Space, ordinary: np.ndarray, subjects: np.ndarray) -> None:
        self.place = place
        empty = np.zeros(0, np.float32)
        self.comparison = runtime.Comparison(ordinary, subjects, empty, empty)
        self._known: dict[str, tuple[Stretches, np.ndarray]] = {}
        self._long: dict[str, tuple[Stretches, np.ndarray]] = {}

    def of(self, text: str) -> tuple[Stretches, np.ndarray]:
        if text not in self._known:
            pieces = len(self.place.tokenizer.encode(text, add_special_tokens=False).ids)
            whole = Stretches(self.place.whole(text)[None], np.array([pieces]))
            self._known[text] = whole, runtime.numbers_of_stretches(whole, self.comparison)[0]
        return self._known[text]

    def row(self, topic: runtime.Topic, text: str) -> np.ndarray:
        whole, itself = self.of(text)
        return np.concatenate((runtime.numbers_of_pairs(whole, topic)[0], itself, topic.itself))

    def hardest(self, topic: runtime.Topic, passage: str, coefficients: dict[bool, np.ndarray] | None) -> np.ndarray:
        """Numbers of the stretch of a passage that is most like a topic; of some stretch while that is not known."""
        if passage not in self._long:
            (found,) = self.place.stretches(fold(passage).text[:1200])
            self._long[passage] = found, runtime.numbers_of_stretches(found, self.comparison)
        found, itself = self._long[passage]
        own = np.tile(topic.itself, (len(itself), 1))
        numbers = np.concatenate((runtime.numbers_of_pairs(found, topic), itself, own), axis=1)
        if coefficients is None:
            return numbers[len(passage) % len(numbers)]
        return numbers[int((numbers @ coefficients[topic.has_examples][:-1]).argmax())]

    def topic(self, name: str, definition: str, examples: list[str]) -> runtime.Topic:
        return runtime.Topic.read(name, definition, examples, self.place, self.comparison)


def from_written(
    texts: Texts, material: reading.Material, names: list[str], coefficients: dict[bool, np.ndarray] | None = None
) -> Iterator[tuple]:
    """(group, has examples, kind, row) of topics written for this, in all pairs of languages."""
    draw = random.Random(reading.SEED)
    for name in names:
        for language in reading.LANGUAGES:
            told = material.topics[name][language]
            for examples in ([], told.examples):
                topic = texts.topic(name, told.definition, examples)
                for other in reading.LANGUAGES:
                    here = material.topics[name][other]
                    group, full = ("same language" if other == language else "another language"), bool(examples)
                    for text in here.inside:
                        yield group, full, "inside", texts.row(topic, text)
                    for text in here.beside:
                        yield group, full, "beside", texts.row(topic, text)
                    for far in draw.sample([each for each in names if each != name], OTHERS):
                        there = material.topics[far][other]
                        text = draw.choice(there.inside if draw.random() < 0.7 else there.beside)
                        yield group, full, "other", texts.row(topic, text)
                    plain = draw.sample(material.sentences(other), 2) + draw.sample(material.questions[other], 1)
                    for text in plain:
                        yield group, full, "plain", texts.row(topic, text)
                    for text in draw.sample(material.passages[other], PASSAGES):
                        yield group, full, "passage", texts.hardest(topic, text, coefficients)


def from_intents(texts: Texts, material: reading.Material, *, held: bool) -> Iterator[tuple]:
    """The same of intents, whose name is all that describes them."""
    draw = random.Random(reading.SEED)
    by_name: dict[str, list[str]] = {}
    for text, name in material.intents:
        by_name.setdefault(name, []).append(text)
    for name in sorted(by_name):
        found = by_name[name]
        if len(found) < 12 or (reading.part(name, reading.HELD) == 0) != held:
            continue
        words, many = name.partition(":")[2].replace("_", " "), draw.choice((0, 2, 4))
        way = draw.choice(("Questions and requests about ", "Anything to do with ", ""))
        topic = texts.topic(words, f"{way}{words}.", found[:many])
        for text in found[4:9]:
            yield "intents", bool(many), "inside", texts.row(topic, text)
        for other in draw.sample([each for each in by_name if each != name], OTHERS):
            yield "intents", bool(many), "other", texts.row(topic, draw.choice(by_name[other]))


def logistic(rows: list[tuple]) -> np.ndarray:
    """Ridge logistic regression by Newton's method, coefficients for numbers as they come."""
    numbers = np.array([each[3] for each in rows], np.float64)
    truth = np.array([each[2] == "inside" for each in rows], np.float64)
    weight = np.array([WEIGHTS[each[2]] * (INTENT_WEIGHT if each[0] == "intents" else 1) for each in rows])
    middle, spread = numbers.mean(axis=0), numbers.std(axis=0) + 1e-6
    x = np.column_stack(((numbers - middle) / spread, np.ones(len(rows))))
    shrink = SHRINK * np.eye(x.shape[1])
    shrink[-1, -1] = 1e-6
    found = np.zeros(x.shape[1])
    for _ in range(40):
        p = 1 / (1 + np.exp(-(x @ found)))
        slope = x.T @ (weight * (p - truth)) + shrink @ found
        found -= np.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x + shrink, slope)
    plain = found[:-1] / spread
    return np.append(plain, found[-1] - plain @ middle)


def both(rows: list[tuple]) -> dict[bool, np.ndarray]:
    """Coefficients for topics with examples and without."""
    return {full: logistic([each for each in rows if each[1] == full]) for full in (True, False)}


def hardened(texts: Texts, material: reading.Material, names: list[str], seen: list[tuple]) -> dict[bool, np.ndarray]:
    """Coefficients, fitted again to the stretches of passages that the ones before took for a topic most."""
    found = None
    for _ in range(3):
        found = both(list(from_written(texts, material, names, found)) + seen)
    return found


def chances(rows: list[tuple], coefficients: dict[bool, np.ndarray]) -> np.ndarray:
    odds = [float(each[3] @ coefficients[each[1]][:-1] + coefficients[each[1]][-1]) for each in rows]
    return 1 / (1 + np.exp(-np.array(odds)))


def area(good: np.ndarray, bad: np.ndarray) -> float:
    order = np.argsort(np.concatenate((good, bad)), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    return float((ranks[: len(good)].sum() - len(good) * (len(good) + 1) / 2) / (len(good) * len(bad)))


def measured(rows: list[tuple], scores: np.ndarray) -> dict:
    made: dict = {}
    for group in dict.fromkeys(each[0] for each in rows):
        for full in (True, False):
            of = {
                kind: scores[[place for place, each in enumerate(rows) if each[:3] == (group, full, kind)]]
                for kind in WEIGHTS
            }
            of = {kind: found for kind, found in of.items() if len(found)}
            cell: dict = {"recall": round(float((of["inside"] >= 0.5).mean()), 3)}
            for kind in set(of) - {"inside"}:
                cell[f"{kind} found"] = round(float((of[kind] >= 0.5).mean()), 3)
                cell[f"{kind} AUROC"] = round(area(of["inside"], of[kind]), 3)
            made[f"{group}, {'with examples' if full else 'definition alone'}"] = dict(sorted(cell.items()))
    return made


def fitted(material: reading.Material, place: Space, ordinary: np.ndarray, subjects: np.ndarray) -> tuple[dict, dict]:
    """Coefficients for all that there is, and figures of halves that saw the other half of the topics only."""
    texts = Texts(place, ordinary, subjects)
    names = list(material.topics)
    seen, held = (list(from_intents(texts, material, held=held)) for held in (False, True))
    rows: list[tuple] = []
    scores: list[np.ndarray] = []
    for half in (0, 1):
        others = hardened(texts, material, names[1 - half :: 2], seen)
        mine = list(from_written(texts, material, names[half::2], others))
        rows += mine + held
        scores.append(chances(mine + held, others))
    coefficients = hardened(texts, material, names, seen)
    made = {"bare": coefficients[False].astype(np.float32), "told": coefficients[True].astype(np.float32)}
    numbers = (*runtime.OF_PAIR, *runtime.OF_STRETCH, *runtime.OF_TOPIC, "constant")
    shown = {
        name: {number: round(float(value), 2) for number, value in zip(numbers, each, strict=True)}
        for name, each in made.items()
    }
    return made, {"unseen topics": measured(rows, np.concatenate(scores)), "coefficients": shown}
