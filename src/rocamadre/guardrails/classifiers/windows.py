"""Stretches of a text that are judged by themselves, so that one sentence in a long text is not drowned."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WINDOW_WORDS = 48
UNIT_WORDS = 24

Numbers = npt.NDArray[np.int64]


def units(sentence: npt.NDArray[np.bool_], most: int = UNIT_WORDS) -> Numbers:
    """Where units begin, in words: sentences, the long ones cut.

    Args:
        sentence: For each word whether a sentence ends after it.
        most: Words of a unit.
    """
    begins = np.flatnonzero(np.concatenate(([True], sentence[:-1])))
    lengths = np.diff(np.append(begins, len(sentence)))
    pieces = -(-lengths // most)
    if int(pieces.max()) == 1:
        return begins
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    cut: Numbers = np.repeat(begins, pieces) + (np.arange(int(pieces.sum())) - first) * most
    return cut


def windows(
    sentence: npt.NDArray[np.bool_], unit: int = UNIT_WORDS, window: int = WINDOW_WORDS
) -> tuple[Numbers, Numbers]:
    """First word and the word after the last of each window: every unit alone, and whole units up to a window's length.

    Of those that hold several, one that lies within the one before it is left out. What is said of words here holds for
    pieces of words too, with lengths that suit them.

    Args:
        sentence: For each word whether a sentence ends after it.
        unit: Words of a unit at most.
        window: Words of a window at most, unless a unit is longer.

    >>> [each.tolist() for each in windows(np.array([False, True, False, True]))]
    [[0, 0, 2], [4, 2, 4]]
    """
    begins = units(sentence, unit)
    stops = np.append(begins[1:], len(sentence))
    last = np.searchsorted(stops, begins + window, side="right")
    ends = stops[np.maximum(last - 1, np.arange(len(begins)))]
    fresh = np.concatenate(([True], ends[1:] > ends[:-1])) & (ends > stops)
    return np.concatenate((begins[fresh], begins)), np.concatenate((ends[fresh], stops))
