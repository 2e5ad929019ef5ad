"""Texts that are nearly the same: MinHash signatures, and bands of them that bring likely pairs together.

Source: Broder 1997, "On the resemblance and containment of documents"; bands as in Leskovec, Rajaraman & Ullman,
"Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from rocamadre.datasets.content import digest64

SIZE = 64
"""Hashes of a signature; the estimate's standard error is at most 1/16."""
BANDS = 16
ROWS = SIZE // BANDS
SHINGLE = 5
"""Letters that follow each other, taken together."""

_PRIME = np.uint64((1 << 31) - 1)
_WORDS = re.compile(r"[^\W_]+")
_RANDOM = np.random.default_rng(1997)
_FACTORS = _RANDOM.integers(1, int(_PRIME), SIZE, dtype=np.uint64)
_ADDENDS = _RANDOM.integers(0, int(_PRIME), SIZE, dtype=np.uint64)
_CHUNK = 4096
_MOST_CANDIDATES = 64
"""Of one band: texts made by one pattern share bands by the thousand."""

Signature = npt.NDArray[np.uint32]


def normal(text: str) -> str:
    """The words of a text in lower case, one blank between: what counts when texts are compared.

    >>> normal("The cat -- THE cat!")
    'the cat the cat'
    """
    return " ".join(_WORDS.findall(text.lower()))


def signature(text: str) -> Signature:
    """A text's signature: uint32, shape (`SIZE`,). Equal places of two estimate the Jaccard index of their shingles."""
    shingles = _shingles(normal(text))
    lowest = np.full(SIZE, int(_PRIME), np.uint64)
    for start in range(0, len(shingles), _CHUNK):
        # Below 2**31 both, so that the product fits 64 bits.
        part = shingles[start : start + _CHUNK, None] * _FACTORS + _ADDENDS
        lowest = np.minimum(lowest, (part % _PRIME).min(axis=0))
    return lowest.astype(np.uint32)


def likeness(one: Signature, other: Signature) -> float:
    """The estimated Jaccard index, in [0, 1].

    >>> likeness(signature("the quick brown fox jumps"), signature("The quick, brown fox jumps!"))
    1.0
    """
    return float((one == other).mean())


def _shingles(text: str) -> npt.NDArray[np.uint64]:
    """Hashes below 2**31 of all runs of `SHINGLE` letters, each once; at least one."""
    codes = np.array([ord(letter) for letter in text.ljust(SHINGLE)], np.uint64)
    count = len(codes) - SHINGLE + 1
    mixed: npt.NDArray[np.uint64] = np.zeros(count, np.uint64)
    for place in range(SHINGLE):
        mixed = np.asarray(mixed * np.uint64(0x9E3779B97F4A7C15) + codes[place : place + count], np.uint64)
        mixed ^= mixed >> np.uint64(29)
    # Once more, or the last letter would not reach the upper bits.
    mixed = np.asarray(mixed * np.uint64(0x9E3779B97F4A7C15), np.uint64)
    return np.asarray(np.unique(mixed >> np.uint64(33)), np.uint64)


class NearIndex:
    """Signatures seen so far, and what is near to a new one; some two kilobytes for each.

    Args:
        threshold: Least estimated Jaccard index of texts that count as nearly the same. With bands of four, pairs of
            0.8 and more are found with probability 0.9998, of 0.5 with 0.64.
    """

    def __init__(self, threshold: float = 0.8) -> None:
        self.threshold = threshold
        self._count = 0
        self._signatures: npt.NDArray[np.uint32] = np.empty((256, SIZE), np.uint32)
        # By band: a key's latest number; and for each number the one before it that has the same key.
        self._latest: list[dict[int, int]] = [{} for _ in range(BANDS)]
        self._before: list[array[int]] = [array("i") for _ in range(BANDS)]

    def near(self, new: Signature) -> list[int]:
        """Numbers of those that are near, in the order in which they were added; of very many the latest."""
        found: set[int] = set()
        for latest, before, key in zip(self._latest, self._before, _keys(new), strict=True):
            number = latest.get(key, -1)
            for _ in range(_MOST_CANDIDATES):
                if number < 0:
                    break
                found.add(number)
                number = before[number]
        if not found:
            return []
        numbers = np.fromiter(found, np.int64)
        alike = (self._signatures[numbers] == new).mean(axis=1) >= self.threshold
        return sorted(numbers[alike].tolist())

    def add(self, new: Signature) -> int:
        """Keep a signature; returns its number, from 0."""
        number = self._count
        if number == len(self._signatures):
            self._signatures = np.concatenate([self._signatures, np.empty_like(self._signatures)])
        self._signatures[number] = new
        self._count += 1
        for latest, before, key in zip(self._latest, self._before, _keys(new), strict=True):
            before.append(latest.get(key, -1))
            latest[key] = number
        return number


def _keys(one: Signature) -> list[int]:
    """A number of 64 bits for each band."""
    mixed: npt.NDArray[np.uint64] = np.zeros(BANDS, np.uint64)
    for place in range(ROWS):
        mixed = np.asarray((mixed ^ one[place::ROWS]) * np.uint64(0x9E3779B97F4A7C15), np.uint64)
        mixed ^= mixed >> np.uint64(32)
    return [int(key) for key in mixed]


class Families:
    """Which of n things belong together, by pairs (union-find)."""

    def __init__(self) -> None:
        self._parents: list[int] = []

    def add(self) -> int:
        """A thing alone; returns its number."""
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def join(self, one: int, other: int) -> None:
        """These two belong together."""
        first, second = sorted((self.head(one), self.head(other)))
        self._parents[second] = first

    def head(self, one: int) -> int:
        """The lowest number that it belongs together with."""
        while self._parents[one] != one:
            self._parents[one] = self._parents[self._parents[one]]
            one = self._parents[one]
        return one


def families(texts: Iterable[str], also: Sequence[Sequence[str]] = (), *, threshold: float = 0.8) -> list[int]:
    """For each text the number of the first that it is nearly the same as, directly or through others.

    Args:
        texts: One after another.
        also: More texts of each, of which equality alone joins, when they are not empty.
        threshold: See `NearIndex`.

    >>> families(["The cat sat on the mat.", "Something else", "the cat sat on the mat"])
    [0, 1, 0]
    """
    index, found = NearIndex(threshold), Families()
    first: dict[int, int] = {}
    twins: dict[int, int] = {}
    known: list[int] = []
    for number, text in enumerate(texts):
        found.add()
        key = digest64(normal(text).encode())
        if key in first:
            found.join(number, first[key])
        else:
            first[key] = number
            new = signature(text)
            for near in index.near(new):
                found.join(number, known[near])
            index.add(new)
            known.append(number)
        for other in also[number] if also else ():
            if other:
                found.join(number, twins.setdefault(digest64(normal(other).encode(), seed=1), number))
    return [found.head(number) for number in range(len(found._parents))]
