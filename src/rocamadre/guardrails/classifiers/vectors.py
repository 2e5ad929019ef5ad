"""Vectors of English, Spanish and Portuguese words in one space: those that mean alike lie close to each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rocamadre.guardrails.classifiers.features import Words, fingerprints

_FOLDER = Path(__file__).with_name("weights")

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WordVectors:
    """A table of vectors.

    Attributes:
        words: Fingerprints of words, sorted; the first rows of the table are theirs.
        stems: Fingerprints of stems, sorted; the other rows.
        table: int8.
        scales: What the integers of each row are multiplied by. How long a vector is says how much its word tells.
    """

    words: npt.NDArray[np.uint32]
    stems: npt.NDArray[np.uint32]
    table: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float16]

    def of(self, words: Words) -> Floats:
        """A vector for each word, the sum of its own and that of its stem; zeros where neither is known."""
        found = np.zeros((len(words), self.table.shape[1]), np.float32)
        own, stems = fingerprints(words)
        for values, vocabulary, first in ((own, self.words, 0), (stems, self.stems, len(self.words))):
            places = np.minimum(np.searchsorted(vocabulary, values), len(vocabulary) - 1)
            hits = np.flatnonzero(vocabulary[places] == values)
            rows = places[hits] + first
            found[hits] += self.table[rows] * self.scales[rows].astype(np.float32)[:, None]
        return found


def _read(name: str) -> WordVectors:
    with np.load(_FOLDER / name, allow_pickle=False) as arrays:
        return WordVectors(**{field: arrays[field] for field in WordVectors.__dataclass_fields__})


@cache
def word_vectors() -> WordVectors:
    """The vectors that the filters were trained with, read once."""
    return _read("vectors.npz")
