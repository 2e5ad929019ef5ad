"""Simpler ways to do what the guardrails do: words in a list, a linear model, overlap of words."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.guardrails_counting import best_limit, rates
from benchmarks.guardrails_sets import CALIBRATING, FILTERS, LANGUAGES, TRAINING, Example
from benchmarks.harness import ROOT
from rocamadre.guardrails.folding import fold

PROFANITY_CHECK = "1.9.1"
SIZES = (10, 25, 50, 100, 200)
_LEAST = 4
"""Training texts that a word of the list stands in at least."""


def words_of(text: str) -> list[str]:
    """Words of a text, disguises undone as the guardrails do."""
    return re.findall(r"\w{3,}", fold(text).text)


class Keywords:
    """For each filter and language the words that tell most in the training texts; any of them in a text is a hit.

    How many words a list has, calibrating texts say.
    """

    def __init__(self, examples: Iterable[Example]) -> None:
        counts: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
        sizes: Counter[tuple[str, str, int]] = Counter()
        calibrating: dict[tuple[str, str], list[tuple[set[str], int]]] = defaultdict(list)
        for each in examples:
            words = set(words_of(each.text))
            for category, value in zip(FILTERS, each.values, strict=True):
                if value < 0:
                    continue
                if each.role == TRAINING:
                    counts[category, each.language, value].update(words)
                    sizes[category, each.language, value] += 1
                elif each.role == CALIBRATING:
                    calibrating[category, each.language].append((words, value))
        self.lists = {
            (category, language): _chosen(
                _telling(
                    counts[category, language, 1],
                    counts[category, language, 0],
                    sizes[category, language, 1],
                    sizes[category, language, 0],
                ),
                calibrating[category, language],
            )
            for category in FILTERS
            for language in LANGUAGES
        }

    def hits(self, text: str, language: str) -> list[bool]:
        """Whether a text holds a word of each filter's list."""
        words = set(words_of(text))
        return [bool(words & self.lists[category, language]) for category in FILTERS]


def _telling(bad: Counter[str], good: Counter[str], bads: int, goods: int) -> list[str]:
    """Words by how much likelier they are in texts of a filter, times the root of their number there."""

    def worth(word: str) -> float:
        odds = (bad[word] + 0.5) / (bads + 1) / ((good[word] + 0.5) / (goods + 1))
        return math.log(odds) * math.sqrt(bad[word])

    return sorted((each for each in bad if bad[each] >= _LEAST), key=lambda one: (-worth(one), one))[: SIZES[-1]]


def _chosen(words: list[str], calibrating: Sequence[tuple[set[str], int]]) -> frozenset[str]:
    truth = [value for _, value in calibrating]
    if sum(truth) < 10:
        return frozenset(words[:50])

    def worth(size: int) -> float:
        some = frozenset(words[:size])
        value = rates([bool(each & some) for each, _ in calibrating], truth)["f1"]
        return float(value[0]) if value else 0.0

    return frozenset(words[: max(SIZES, key=worth)])


def linear(examples: Sequence[Example], texts: Sequence[str]) -> dict[str, Any]:
    """Scores of the linear baseline and of profanity-check, and the baseline's limits from calibrating texts.

    Made in an environment of their own, `.venv-baselines`, some 300 MB.
    """
    python = ROOT / ".venv-baselines" / "bin" / "python"
    if not list(python.parents[1].glob("lib/*/site-packages/sklearn")):
        print("installing scikit-learn and alt-profanity-check into .venv-baselines", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, f"alt-profanity-check=={PROFANITY_CHECK}"], check=True)
    train = [(each.text, each.values, each.weight) for each in examples if each.role == TRAINING]
    calibrating = [each for each in examples if each.role == CALIBRATING]
    done = subprocess.run(
        [str(python), "-m", "benchmarks.guardrails_linear"],
        input=json.dumps({"train": train, "texts": [*texts, *(each.text for each in calibrating)]}),
        stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    answer = dict(json.loads(done.stdout))
    scores = answer["linear"]
    limits = []
    for place in range(len(FILTERS)):
        rows = [(scores[len(texts) + n][place], each.values[place]) for n, each in enumerate(calibrating)]
        known = [each for each in rows if each[1] >= 0]
        limits.append(best_limit([score for score, _ in known], [value for _, value in known]))
    return {
        "linear": scores[: len(texts)],
        "limits": limits,
        "profanity": answer.get("profanity", [])[: len(texts)],
        "versions": answer["versions"],
    }


def overlap(text: str, other: str) -> float:
    """The part of a text's words that the other has: the baseline of grounding, relevance and topics."""
    words = set(words_of(text))
    return len(words & set(words_of(other))) / max(1, len(words))


class Cosine:
    """Cosine of TF-IDF, words weighed by the texts given: a baseline that knows no threshold."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.counts: Counter[str] = Counter()
        self.texts = 0
        for text in texts:
            self.counts.update(set(words_of(text)))
            self.texts += 1

    def vector(self, text: str) -> dict[str, float]:
        """Words with weights, of length 1."""
        made = {
            word: (1 + math.log(count)) * math.log((1 + self.texts) / (1 + self.counts[word]))
            for word, count in Counter(words_of(text)).items()
        }
        length = math.sqrt(sum(each * each for each in made.values())) or 1.0
        return {word: each / length for word, each in made.items()}

    def of(self, text: str, other: str) -> float:
        """How near two texts are."""
        one, two = self.vector(text), self.vector(other)
        return sum(weight * two.get(word, 0.0) for word, weight in one.items())
