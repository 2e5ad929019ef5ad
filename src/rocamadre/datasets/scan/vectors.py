"""Texts as vectors of their words and letter runs, projected at random: near texts are near, with no model."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

DIMENSIONS = 256
_BUCKETS = 1 << 15
_LETTERS = 4
_WORDS = re.compile(r"\w+")
_BLOCK = 512
_DRAWS = 100

Vectors = npt.NDArray[np.float32]


class Space:
    """Vectors of texts, weighed by how few of some texts hold a word.

    Words, pairs of words and letter runs are projected by a fixed Gaussian matrix; cosines are those of the whole space
    within some 0.06.

    Args:
        texts: Their own vectors are `vectors`.

    Source: Achlioptas 2003, "Database-friendly random projections".
    """

    def __init__(self, texts: Sequence[str]) -> None:
        buckets = [Counter(_buckets(text)) for text in texts]
        held = np.zeros(_BUCKETS, np.float64)
        for each in buckets:
            held[list(each)] += 1
        self._weights = np.log((len(texts) + 1) / (held + 1)).astype(np.float32)
        self._matrix = np.random.default_rng(2003).standard_normal((_BUCKETS, DIMENSIONS), dtype=np.float32)
        self.vectors = self._project(buckets)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (texts, `DIMENSIONS`); the zero vector for a text without words."""
        return self._project([Counter(_buckets(text)) for text in texts])

    def _project(self, buckets: Sequence[Counter[int]]) -> Vectors:
        found = np.zeros((len(buckets), DIMENSIONS), np.float32)
        for number, each in enumerate(buckets):
            if each:
                places = np.fromiter(each.keys(), np.int64, len(each))
                counts = np.sqrt(np.fromiter(each.values(), np.float32, len(each)))
                found[number] = (counts * self._weights[places]) @ self._matrix[places]
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.where(lengths > 0, lengths, 1), np.float32)


class Chorus:
    """How alike texts are to each other, against as many taken at random.

    Args:
        vectors: Of all texts.
    """

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._usual: dict[int, tuple[float, float]] = {}

    def likeness(self, vectors: Vectors) -> float:
        """Standard deviations above what texts taken at random have."""
        size = len(vectors)
        if size not in self._usual:
            draw = np.random.default_rng(size)
            sets = [draw.choice(len(self._vectors), size, replace=False) for _ in range(_DRAWS)]
            likes = [_mean_cosine(self._vectors[each]) for each in sets]
            self._usual[size] = float(np.mean(likes)), float(np.std(likes))
        mean, deviation = self._usual[size]
        return (_mean_cosine(vectors) - mean) / max(deviation, 1e-9)


def _mean_cosine(vectors: Vectors) -> float:
    """Of all pairs."""
    together, size = vectors.sum(axis=0), len(vectors)
    return float(together @ together - (vectors * vectors).sum()) / (size * (size - 1))


def _buckets(text: str) -> list[int]:
    words = _WORDS.findall(text.lower())
    parts = list(words)
    parts += [f"{one} {other}" for one, other in pairwise(words)]
    for word in words:
        padded = f"<{word}>"
        parts += [padded[start : start + _LETTERS] for start in range(max(1, len(padded) - _LETTERS + 1))]
    return [zlib.crc32(part.encode()) % _BUCKETS for part in parts]


def neighbours(
    vectors: Vectors, rows: npt.NDArray[np.int64], *, leave_out: bool, most: int
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """The nearest rows of some rows.

    Args:
        vectors: Of all rows.
        rows: Whose neighbours are wanted.
        leave_out: Whether all of `rows` are no neighbours of each other; else only a row of itself.
        most: How many of each.

    Returns:
        Numbers and cosines, nearest first, each of shape (rows, most) or fewer columns.
    """
    most = min(most, len(vectors) - (len(rows) if leave_out else 1))
    if most <= 0:
        return np.empty((len(rows), 0), np.int64), np.empty((len(rows), 0), np.float32)
    numbers, cosines = [], []
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        likeness = vectors[part] @ vectors.T
        if leave_out:
            likeness[:, rows] = -2
        else:
            likeness[np.arange(len(part)), part] = -2
        nearest = np.argpartition(-likeness, most - 1, axis=1)[:, :most]
        near = np.take_along_axis(likeness, nearest, axis=1)
        order = np.argsort(-near, axis=1)
        numbers.append(np.take_along_axis(nearest, order, axis=1))
        cosines.append(np.take_along_axis(near, order, axis=1))
    return np.concatenate(numbers), np.concatenate(cosines)
