"""Answers that are labels: which rows have one, what their neighbours say, and which contradict it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rocamadre.datasets.content import shown
from rocamadre.datasets.minhash import families, normal
from rocamadre.datasets.scan.types import MOST_PLACES, Finding, Row
from rocamadre.datasets.scan.vectors import Space, neighbours

NEIGHBOURS = 10
MOST_LABELLED = 20_000
"""Rows that are compared with each other: time grows with the square."""
_LABEL_WORDS = 8
_LEAST_ROWS = 5
"""Of a label."""
_MOST_LABELS = 0.2
"""Labels, as a share of the rows."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The rows whose answers are labels.

    Attributes:
        rows: They.
        labels: Number of each row's label.
        names: Of the labels.
        space: Vectors of what is asked.
    """

    rows: Sequence[Row]
    labels: npt.NDArray[np.int64]
    names: Sequence[str]
    space: Space


def find_labelled(rows: Sequence[Row]) -> Labelled | None:
    """The rows whose answer is one of few short ones; None when they are not most of the data."""
    answers = [normal(row.answer) if row.asked else "" for row in rows]
    counts = Counter(answer for answer in answers if answer and answer.count(" ") < _LABEL_WORDS)
    names = sorted(answer for answer, count in counts.items() if count >= _LEAST_ROWS)
    numbers = {name: number for number, name in enumerate(names)}
    chosen = [place for place, answer in enumerate(answers) if answer in numbers]
    if len(chosen) * 2 < len(rows) or len(names) < 2 or len(names) > _MOST_LABELS * len(chosen):
        return None
    chosen = chosen[:MOST_LABELLED]
    return Labelled(
        rows=[rows[place] for place in chosen],
        labels=np.array([numbers[answers[place]] for place in chosen], np.int64),
        names=names,
        space=Space([rows[place].asked for place in chosen]),
    )


def votes(data: Labelled, rows: npt.NDArray[np.int64], *, leave_out: bool = False) -> npt.NDArray[np.float32]:
    """What neighbours say: shape (rows, labels), each row's sum 1 where it has neighbours."""
    nearest, cosines = neighbours(data.space.vectors, rows, leave_out=leave_out, most=NEIGHBOURS)
    found = np.zeros((len(rows), len(data.names)), np.float32)
    weights = np.maximum(cosines, 0) ** 2 + 1e-6
    for column in range(nearest.shape[1]):
        np.add.at(found, (np.arange(len(rows)), data.labels[nearest[:, column]]), weights[:, column])
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-9), np.float32)


def find_flips(data: Labelled) -> list[Finding]:
    """Rows whose neighbours agree on another label, more than neighbours of that label's own rows usually do.

    Source: Northcutt, Jiang & Chuang 2021, "Confident learning", with neighbours in place of a classifier.
    """
    said = votes(data, np.arange(len(data.rows)))
    own = said[np.arange(len(data.rows)), data.labels]
    usual = np.array([own[data.labels == label].mean() for label in range(len(data.names))], np.float32)
    best = said.argmax(axis=1)
    highest = said.max(axis=1)
    wrong = (best != data.labels) & (highest >= np.maximum(usual[best], 0.5)) & (own <= 0.1)
    return [
        Finding(
            "label",
            data.rows[place].file,
            data.rows[place].line,
            f"labelled {data.names[data.labels[place]]!r}; its neighbours say {data.names[best[place]]!r}",
            float(highest[place] - own[place]),
            shown(data.rows[place].asked),
        )
        for place in np.flatnonzero(wrong).tolist()
    ]


def find_conflicts(data: Labelled) -> list[Finding]:
    """Nearly the same texts with different labels; the rarer label's rows are told."""
    heads = families([row.asked for row in data.rows])
    groups: dict[int, list[int]] = {}
    for place, head in enumerate(heads):
        groups.setdefault(head, []).append(place)
    found = []
    for places in groups.values():
        counts = Counter(int(data.labels[place]) for place in places)
        if len(counts) < 2:
            continue
        usual, most = counts.most_common(1)[0]
        for place in places:
            if data.labels[place] != usual:
                found.append(_conflict(data, place, usual, most / len(places), places))
    return found


def _conflict(data: Labelled, place: int, usual: int, score: float, places: Sequence[int]) -> Finding:
    row = data.rows[place]
    same = [data.rows[each] for each in places if data.labels[each] == usual][:MOST_PLACES]
    reason = f"labelled {data.names[data.labels[place]]!r}; nearly the same text is {data.names[usual]!r}"
    listed = tuple(f"{each.file}:{each.line}" for each in same)
    return Finding("conflict", row.file, row.line, reason, score, shown(row.asked), places=listed)
