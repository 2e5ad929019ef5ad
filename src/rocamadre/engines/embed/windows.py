"""Long texts in windows that an encoder reads whole."""

from __future__ import annotations

from collections.abc import Sequence

OVERLAP = 4
"""One part in so many of a window is also in the next one, so that no sentence is only seen cut in two."""


def windows(tokens: Sequence[int], longest: int) -> list[list[int]]:
    """A text's tokens in pieces, each with the text's own first and last token around it.

    Args:
        tokens: With the encoder's first and last token.
        longest: Most tokens of a piece, at least 6.

    Returns:
        At least one piece; every token is in one or more.

    >>> windows([0, 1, 2, 3, 4, 5, 6, 7, 9], 6)
    [[0, 1, 2, 3, 4, 9], [0, 4, 5, 6, 7, 9]]
    """
    if len(tokens) <= longest:
        return [list(tokens)]
    first, *inner, last = tokens
    size = longest - 2
    step = size - size // OVERLAP
    starts = range(0, max(1, len(inner) - size + step), step)
    return [[first, *inner[start : start + size], last] for start in starts]
