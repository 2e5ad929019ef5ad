"""Where a text may be cut without tearing a character apart."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"
_LONGEST = 64
"""Code points; longer clusters are made to annoy, and are cut."""


def is_boundary(text: str, at: int) -> bool:
    r"""Whether a character as people see it ends before position `at`.

    Accents, joined emoji, flags, and Korean syllables in parts are kept whole; so are a carriage return and its line
    feed. This is the part of UAX #29 that can be told from the neighbours.

    >>> [is_boundary("e\u0301x", at) for at in range(4)]
    [True, False, True, True]
    """
    if at <= 0 or at >= len(text):
        return True
    after, before = text[at], text[at - 1]
    if after < "\u0300" and before < "\u0300":
        return not (before == "\r" and after == "\n")
    if _extends(after):
        return before in "\r\n"
    if before == _JOINER:
        return unicodedata.category(after) != "So"
    if _is_flag(after) and _is_flag(before):
        return _flags_before(text, at) % 2 == 0
    return not _is_korean_pair(before, after)


def boundary_before(text: str, at: int) -> int:
    """The nearest boundary at or before a position; the position itself within a cluster of over 64 code points."""
    for place in range(at, max(0, at - _LONGEST) - 1, -1):
        if is_boundary(text, place):
            return place
    return at


def _extends(character: str) -> bool:
    """Whether it belongs to the character before it."""
    code = ord(character)
    if code < 0x300:
        return False
    return (
        code in (0x200C, 0x200D)
        or 0x1F3FB <= code <= 0x1F3FF
        or 0xE0020 <= code <= 0xE007F
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
    )


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flags_before(text: str, at: int) -> int:
    """Letters of flags in a row before a position; a long row is looked at in part, an even number of letters."""
    count = 0
    while count < _LONGEST and at - count > 0 and _is_flag(text[at - count - 1]):
        count += 1
    return count


def _is_korean_pair(before: str, after: str) -> bool:
    left, right = ord(before), ord(after)
    leads, vowels, tails = 0x1100 <= left <= 0x115F, 0x1160 <= right <= 0x11A7, 0x11A8 <= right <= 0x11FF
    if leads:
        return vowels or 0x1100 <= right <= 0x115F or 0xAC00 <= right <= 0xD7A3
    syllable = 0xAC00 <= left <= 0xD7A3
    if (syllable and (left - 0xAC00) % 28 == 0) or 0x1160 <= left <= 0x11A7:
        return vowels or tails
    return (syllable or 0x11A8 <= left <= 0x11FF) and tails
