"""Texts within a text: what was written in base64, hexadecimal, rot13 or backwards so that no filter would read it."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

MOST_PIECES = 24
MOST_CHARACTERS = 20_000
"""Limits on what is decoded of one text; turned and shifted text is looked for in its first part only."""
_TURNED_CHARACTERS = 4_000

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}(?![A-Za-z0-9+/_=-])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[\s,:]{0,2}){8,}(?![0-9A-Za-z])")
_BITS = re.compile(r"(?<!\d)(?:[01]{8}[\s,]{0,2}){5,}(?!\d)")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|&#?\w{2,8};|\\u[0-9A-Fa-f]{4}")


def hidden_texts(text: str, plausible: Callable[[str], float]) -> Iterator[str]:
    """What can be decoded, at most `MOST_PIECES` texts.

    Args:
        text: As the caller wrote it.
        plausible: How much a text looks like one of our languages: the part of its words that are known, 0 to 1.

    >>> list(hidden_texts("please do: aGVsbG8gd29ybGQgZnJpZW5k", lambda each: 0.0))
    ['hello world friend']
    """
    head = text[:MOST_CHARACTERS]
    left = MOST_PIECES
    for decoded in _decoded(head):
        yield decoded
        left -= 1
        if not left:
            return
    escapes = _ESCAPED.findall(head)
    if len(escapes) >= 4:
        yield _unescaped(head)
    first = text[:_TURNED_CHARACTERS]
    # Only a text that is no language as it stands is worth turning.
    as_written = plausible(first)
    if as_written < 0.55:
        for other in (codecs.decode(first, "rot13"), first[::-1]):
            if plausible(other) > as_written + 0.25:
                yield other


def _unescaped(text: str) -> str:
    plain = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), text)
    return html.unescape(unquote(plain, errors="replace"))


def _decoded(text: str) -> Iterator[str]:
    for match in _BASE64.finditer(text):
        piece = match.group().rstrip("=").replace("-", "+").replace("_", "/")
        try:
            data = base64.b64decode(piece + "=" * (-len(piece) % 4))
        except (binascii.Error, ValueError):
            continue
        if (found := _readable(data)) is not None:
            yield found
    for match in _HEX.finditer(text):
        digits = re.sub(r"0x|\\x|[^0-9A-Fa-f]", "", match.group())
        if (found := _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))) is not None:
            yield found
    for match in _BITS.finditer(text):
        bits = re.sub(r"[^01]", "", match.group())
        data = bytes(int(bits[place : place + 8], 2) for place in range(0, len(bits) - 7, 8))
        if (found := _readable(data)) is not None:
            yield found


def _readable(data: bytes) -> str | None:
    """Bytes as text, if that is what they are: letters and blanks for the most part."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    letters = sum(each.isalpha() or each == " " for each in text)
    return text if len(text) >= 6 and letters >= 0.8 * len(text) else None
