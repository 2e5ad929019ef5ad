"""Stretches of a text that are judged by themselves, so that one sentence in a long text is not drowned."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WINDOW_WORDS = 48
UNIT_WORDS = 24

Numbers = npt.NDArray[np.int64]


def units(sentence: npt.NDArray[np.bool_]) -> Numbers:
    """Where units begin, in words: sentences, the long ones cut.

    Args:
        sentence: For each word whether a sentence ends after it.
    """
    begins = np.flatnonzero(np.concatenate(([True], sentence[:-1])))
    lengths = np.diff(np.append(begins, len(sentence)))
    pieces = -(-lengths // UNIT_WORDS)
    if int(pieces.max()) == 1:
        return begins
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    cut: Numbers = np.repeat(begins, pieces) + (np.arange(int(pieces.sum())) - first) * UNIT_WORDS
    return cut


def windows(sentence: npt.NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """First word and the word after the last of each window: every unit alone, and whole units up to `WINDOW_WORDS`.

    Of those that hold several, one that lies within the one before it is left out.

    >>> [each.tolist() for each in windows(np.array([False, True, False, True]))]
    [[0, 0, 2], [4, 2, 4]]
    """
    begins = units(sentence)
    stops = np.append(begins[1:], len(sentence))
    last = np.searchsorted(stops, begins + WINDOW_WORDS, side="right")
    ends = stops[np.maximum(last - 1, np.arange(len(begins)))]
    fresh = np.concatenate(([True], ends[1:] > ends[:-1])) & (ends > stops)
    return np.concatenate((begins[fresh], begins)), np.concatenate((ends[fresh], stops))
