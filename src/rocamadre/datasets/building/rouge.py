"""ROUGE-L between short texts, quick enough to compare each new one with all before it.

Source: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries"; the longest common subsequence by bit
vectors as in Crochemore et al. 2001, "A fast and practical bit-vector algorithm for the longest common subsequence".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_WORDS = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Words in lower case, without signs."""
    return _WORDS.findall(text.lower())


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    >>> longest_common("a b c d".split(), "a c x d".split())
    3
    """
    places: dict[str, int] = {}
    for index, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << index
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        same = row & places.get(word, 0)
        row = ((row + same) | (row - same)) & full
    return len(first) - row.bit_count()


def rouge_l(first: Sequence[str], second: Sequence[str]) -> float:
    """The F-measure, in [0, 1].

    >>> rouge_l(words("The cat sat."), words("the cat sat down")) == 2 * 3 / 7
    True
    """
    if not first or not second:
        return 0.0
    return 2 * longest_common(first, second) / (len(first) + len(second))


class Similar:
    """Texts so far, and which of them is too like a new one.

    Args:
        threshold: ROUGE-L above which two are too like.
    """

    def __init__(self, threshold: float = 0.7) -> None:
        self.threshold = threshold
        self._texts: list[tuple[list[str], Counter[str]]] = []

    def add(self, text: str) -> None:
        """Keep a text."""
        found = words(text)
        self._texts.append((found, Counter(found)))

    def like(self, text: str) -> bool:
        """Whether one is too like it."""
        new = words(text)
        counts = Counter(new)
        for old, old_counts in self._texts:
            # No subsequence is longer than what both have at all.
            bound = 2 * (counts & old_counts).total() / max(1, len(new) + len(old))
            if bound > self.threshold and rouge_l(new, old) > self.threshold:
                return True
        return False
