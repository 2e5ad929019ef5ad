"""Whether a text is about a topic that somebody described in a few words, in any of three languages.

Each stretch of the text is compared with the topic's name, its definition and its examples by the cosine of their
vectors. How near is near depends on the stretch and on the topic: some sentences are near to everything. So two
cohorts take part, as in the verification of speakers (Auckenthaler et al., Digital Signal Processing 2000): subjects
that people talk about, and ordinary questions and sentences. A logistic function, fitted on topics that are not the
customer's, gives a probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from rocamadre.guardrails.classifiers.stretches import Floats, Space, Stretches, space

NEAREST_TEXTS = 60
NEAREST_SUBJECTS = 30
FEWEST_PIECES = 3
"""A stretch with fewer is said too little in to be about anything, unless it is all there is."""
ENOUGH_PIECES = 20
"""From here on a longer stretch is not surer."""
OF_PAIR = ("definition", "name", "middle", "nearest example", "mean of examples", "nearest")
OF_STRETCH = ("nearest subject", "nearest five", "nearest thirty", "spread of thirty", "length")
OF_TOPIC = ("near to ordinary texts", "spread of these")
_WEIGHTS = Path(__file__).with_name("weights") / "topics.npz"


@dataclass(frozen=True)
class Comparison:
    """What the comparison was fitted to.

    Attributes:
        texts: Ordinary texts, (texts, dimensions).
        subjects: Middles of what people talk about, (subjects, dimensions).
        bare: Coefficients for a topic without examples: of OF_PAIR, OF_STRETCH, OF_TOPIC, and the constant.
        told: The same for one with examples.
    """

    texts: Floats
    subjects: Floats
    bare: Floats
    told: Floats


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, ready to be looked for.

    Attributes:
        probes: Vectors of name and definition, of the name, of the middle of all, and of each example.
        itself: The numbers named in OF_TOPIC.
    """

    probes: Floats
    itself: Floats

    @classmethod
    def read(
        cls,
        name: str,
        definition: str,
        examples: Sequence[str],
        place: Space | None = None,
        beside: Comparison | None = None,
    ) -> Topic:
        """A topic from its description; in the space and by the comparison that ship, unless others are given."""
        beside, place = beside or comparison(), place or space()
        told, named = place.whole(f"{name}. {definition}"), place.whole(name)
        given = [place.whole(each) for each in examples if each.strip()]
        middle = np.mean([told, *given], axis=0)
        middle /= max(float(np.linalg.norm(middle)), 1e-6)
        near = np.sort(beside.texts @ told)[::-1][:NEAREST_TEXTS]
        return cls(np.stack([told, named, middle, *given]), np.array([near.mean(), near.std()], np.float32))

    @property
    def has_examples(self) -> bool:
        """Whether it was described with examples."""
        return len(self.probes) > len(("definition", "name", "middle"))


def numbers_of_stretches(stretches: Stretches, beside: Comparison) -> Floats:
    """The numbers named in OF_STRETCH, for each stretch."""
    near = stretches.vectors @ beside.subjects.T
    near = np.sort(np.partition(near, -NEAREST_SUBJECTS, axis=1)[:, -NEAREST_SUBJECTS:], axis=1)
    length = np.log1p(np.minimum(stretches.lengths, ENOUGH_PIECES))
    numbers = (near[:, -1], near[:, -5:].mean(axis=1), near.mean(axis=1), near.std(axis=1), length)
    return np.stack(numbers, axis=1).astype(np.float32)


def numbers_of_pairs(stretches: Stretches, topic: Topic) -> Floats:
    """The numbers named in OF_PAIR, for each stretch."""
    near = stretches.vectors @ topic.probes.T
    examples = near[:, 3:] if topic.has_examples else near[:, :1]
    numbers = (near[:, 0], near[:, 1], near[:, 2], examples.max(axis=1), examples.mean(axis=1), near.max(axis=1))
    return np.stack(numbers, axis=1)


def topic_scores(folded: str, topics: Sequence[Topic]) -> list[float]:
    """For each topic the probability, 0 to 1, that some stretch of a folded text is about it."""
    highest = np.full(len(topics), -np.inf, np.float32)
    for stretches in space().stretches(folded):
        np.maximum(highest, _log_odds(_telling(stretches), topics).max(axis=0), out=highest)
    return [float(each) for each in 1 / (1 + np.exp(-np.clip(highest, -30, 30)))]


def _telling(stretches: Stretches) -> Stretches:
    kept = stretches.lengths >= min(FEWEST_PIECES, int(stretches.lengths.max()))
    return Stretches(stretches.vectors[kept], stretches.lengths[kept])


def _log_odds(stretches: Stretches, topics: Sequence[Topic]) -> Floats:
    """Of each stretch and topic."""
    of_stretches = numbers_of_stretches(stretches, comparison())
    pair, stretch = len(OF_PAIR), len(OF_PAIR) + len(OF_STRETCH)
    plain = {id(each): of_stretches @ each[pair:stretch] for each in (comparison().bare, comparison().told)}
    made = np.empty((len(of_stretches), len(topics)), np.float32)
    for place, topic in enumerate(topics):
        weights = comparison().told if topic.has_examples else comparison().bare
        own = numbers_of_pairs(stretches, topic) @ weights[:pair]
        made[:, place] = own + plain[id(weights)] + (topic.itself @ weights[stretch:-1] + weights[-1])
    return made


@cache
def comparison() -> Comparison:
    """What ships, read once."""
    with np.load(_WEIGHTS, allow_pickle=False) as arrays:
        return Comparison(**{name: arrays[name].astype(np.float32) for name in Comparison.__dataclass_fields__})
