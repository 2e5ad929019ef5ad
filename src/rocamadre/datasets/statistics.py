"""What is in a data set, in figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rocamadre.datasets.canonical import encode
from rocamadre.datasets.content import digest64, learned_text, plain_text, shown
from rocamadre.datasets.languages import detect_language
from rocamadre.datasets.minhash import NearIndex, normal, signature
from rocamadre.datasets.personal import count_personal
from rocamadre.datasets.rendered import both_answers, render_example
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Example, Preference, Text

MOST_COMPARED = 200_000
"""Examples that are looked at for near duplicates; each takes some two kilobytes of memory."""

_PAIRS = 5
_BARS = 24


@dataclass(slots=True)
class Distribution:
    """How numbers spread.

    Attributes:
        values: All of them.
    """

    values: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Least, quartiles, 95th percentile, most, mean, sum, and bars of equal width."""
        if not self.values:
            return {"count": 0}
        ordered = sorted(self.values)
        return {
            "count": len(ordered),
            "least": ordered[0],
            "quarter": _at(ordered, 0.25),
            "median": _at(ordered, 0.5),
            "three_quarters": _at(ordered, 0.75),
            "p95": _at(ordered, 0.95),
            "most": ordered[-1],
            "mean": round(sum(ordered) / len(ordered), 2),
            "sum": sum(ordered),
            "bars": _bars(ordered),
        }


@dataclass(slots=True)
class Statistics:
    """What was counted.

    Attributes:
        unit: Of `lengths`: `tokens`, or `words` without a tokenizer.
        lengths: Of whole examples, as the model reads them.
        learned: Of what is learned.
        turns: Of conversations.
        languages: By language, by the whole text.
        tasks: By name; only of mixes.
        exact_duplicates: Examples that were there before.
        near_duplicates: Examples that are nearly the same as one before, and not the same.
        near_pairs: Some of them, as (number, number, text, text).
        personal: Pieces of personal data by kind.
        with_personal: Examples that hold any.
    """

    unit: str
    records: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    letters: int = 0
    lengths: Distribution = field(default_factory=Distribution)
    learned: Distribution = field(default_factory=Distribution)
    turns: Counter[int] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    exact_duplicates: int = 0
    near_duplicates: int = 0
    near_pairs: list[tuple[int, int, str, str]] = field(default_factory=list)
    personal: Counter[str] = field(default_factory=Counter)
    with_personal: int = 0

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "records": self.records,
            "kinds": dict(self.kinds),
            "letters": self.letters,
            "unit": self.unit,
            "lengths": self.lengths.as_json(),
            "learned": self.learned.as_json(),
            "turns": {str(count): self.turns[count] for count in sorted(self.turns)},
            "languages": dict(self.languages.most_common()),
            "tasks": dict(self.tasks.most_common()),
            "exact_duplicates": self.exact_duplicates,
            "near_duplicates": self.near_duplicates,
            "near_pairs": [
                {"records": [first, second], "texts": [one, other]} for first, second, one, other in self.near_pairs
            ],
            "compared": min(self.records, MOST_COMPARED),
            "personal": dict(self.personal.most_common()),
            "with_personal": self.with_personal,
        }


def count_all(examples: Iterable[Example], tokenizer: ModelTokenizer | None = None) -> Statistics:
    """Count everything in one pass; what is kept is some numbers and a signature for each example.

    Args:
        examples: In order.
        tokenizer: Of the model that is to read them; without one words are counted.

    Raises:
        InvalidRequest: the model's template refuses an example.
    """
    statistics = Statistics("tokens" if tokenizer is not None else "words")
    seen: set[int] = set()
    index = NearIndex()
    texts: list[tuple[int, str]] = []
    for number, example in enumerate(examples, start=1):
        text = plain_text(example)
        _count(statistics, example, text, tokenizer)
        key = digest64(encode(example))
        if key in seen:
            statistics.exact_duplicates += 1
            continue
        seen.add(key)
        if number > MOST_COMPARED or not normal(text):
            continue
        new = signature(text)
        if near := index.near(new):
            statistics.near_duplicates += 1
            if len(statistics.near_pairs) < _PAIRS:
                first, said = texts[near[0]]
                statistics.near_pairs.append((first, number, said, shown(text)))
        index.add(new)
        texts.append((number, shown(text)))
    return statistics


def _count(statistics: Statistics, example: Example, text: str, tokenizer: ModelTokenizer | None) -> None:
    statistics.records += 1
    statistics.kinds[type(example).__name__.lower()] += 1
    statistics.letters += len(text)
    whole, learned = _lengths(example, text, tokenizer)
    statistics.lengths.values.append(whole)
    statistics.learned.values.append(learned)
    if not isinstance(example, Text):
        statistics.turns[len(example.turns) + isinstance(example, Preference)] += 1
    if task := getattr(example, "task", ""):
        statistics.tasks[task] += 1
    statistics.languages[detect_language(text)] += 1
    if personal := count_personal(text):
        statistics.personal.update(personal)
        statistics.with_personal += 1


def _lengths(example: Example, text: str, tokenizer: ModelTokenizer | None) -> tuple[int, int]:
    if tokenizer is None:
        return len(text.split()), len(learned_text(example).split())
    one = both_answers(example)[0] if isinstance(example, Preference) else example
    rendered = render_example(one, tokenizer, tokenizer.template)
    return len(rendered.ids), sum(rendered.trained)


def _at(ordered: Sequence[int], share: float) -> int:
    """The nearest-rank percentile."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _bars(ordered: Sequence[int]) -> list[dict[str, int]]:
    least, most = ordered[0], ordered[-1]
    width = max(1, math.ceil((most - least + 1) / _BARS))
    counts = Counter((value - least) // width for value in ordered)
    return [
        {"from": least + bar * width, "to": min(most, least + (bar + 1) * width - 1), "count": counts[bar]}
        for bar in range((most - least) // width + 1)
    ]
