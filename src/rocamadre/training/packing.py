"""Which examples are computed together, in which order. Pure functions of lengths and seed.

A *row* is what is counted by `batch_size`: one example, or with packing several whose lengths fill `capacity`. The
rows of all epochs follow each other in one endless stream, and optimiser step `i` takes rows `[i * n, (i + 1) * n)` of
it. So the place in the data is the step's number, and the order depends on nothing else: not on how many processes
share the rows, and not on where a run was killed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Indices: TypeAlias = npt.NDArray[np.int64]


def pack(lengths: Sequence[int], *, capacity: int) -> list[list[int]]:
    """Put examples into rows: the longest first, each where it fits best.

    How many rows there are, and how full they are, depends on the set of lengths alone, so all orders of the same
    examples give as many rows.

    Args:
        lengths: Tokens of each example, at most `capacity`.
        capacity: Tokens of a row.

    Returns:
        Indices of `lengths`, each in one row.

    Source: best-fit decreasing, Johnson 1973; for packing of training data Ding et al. 2024, arXiv:2404.10830.

    >>> pack([3, 5, 2, 4], capacity=7)
    [[1, 2], [3, 0]]
    """
    rows: list[list[int]] = []
    spare: dict[int, list[int]] = {}
    known: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda each: -lengths[each]):
        place = bisect_left(known, lengths[index])
        if place == len(known):
            row, left = len(rows), capacity
            rows.append([])
        else:
            left = known[place]
            row = spare[left].pop()
            if not spare[left]:
                del spare[left], known[place]
        rows[row].append(index)
        left -= lengths[index]
        if left > 0:
            if left not in spare:
                insort(known, left)
                spare[left] = []
            spare[left].append(row)
    return rows


class RowOrder:
    """The endless stream of rows.

    Args:
        lengths: Tokens of each example.
        capacity: Tokens of a row; only with `packing`.
        packing: Several examples to a row.
        seed: Of the order; each epoch has its own.

    Attributes:
        per_epoch: Rows in which every example comes once.
    """

    def __init__(self, lengths: npt.NDArray[np.int64], *, capacity: int, packing: bool, seed: int) -> None:
        self._lengths, self._capacity, self._packing, self._seed = lengths, capacity, packing, seed
        self._epoch = -1
        self._rows: list[Indices] = []
        self.per_epoch = len(self._rows_of(0))

    def rows(self, start: int, stop: int) -> list[Indices]:
        """Rows `start` to `stop` (excluded) of the stream, each as indices of examples."""
        found = []
        for index in range(start, stop):
            epoch, place = divmod(index, self.per_epoch)
            found.append(self._rows_of(epoch)[place])
        return found

    def _rows_of(self, epoch: int) -> list[Indices]:
        if epoch != self._epoch:
            dice = np.random.default_rng([self._seed, epoch])
            shuffled = dice.permutation(len(self._lengths))
            if self._packing:
                packed = pack(self._lengths[shuffled].tolist(), capacity=self._capacity)
                self._rows = [shuffled[packed[index]] for index in dice.permutation(len(packed))]
            else:
                self._rows = list(shuffled[:, None])
            self._epoch = epoch
        return self._rows
