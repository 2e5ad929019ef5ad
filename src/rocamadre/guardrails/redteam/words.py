"""Words that no training data holds, and encodings of texts."""

from __future__ import annotations

import base64
import codecs
import random

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "t", "v", "z", "br", "kr", "tr", "zl", "vr")
_VOWELS = "aeiou"
_LEET = str.maketrans("aeiost", "4310$7")
_LOOKALIKES = str.maketrans("aeopcxi", "аеорсхі")


def canary(seed: int, name: str) -> str:
    """A pronounceable word of four syllables, the same for the same seed and name.

    >>> canary(0, "injection.en.override") == canary(0, "injection.en.override")
    True
    """
    draw = random.Random(f"{seed}:{name}")
    return "".join(draw.choice(_ONSETS) + draw.choice(_VOWELS) for _ in range(4))


def encode(scheme: str, text: str) -> str:
    """A text in a disguise of `SCHEMES`.

    >>> encode("rot13", "Hello"), encode("spaced", "Hello"), encode("split", "Hello you")
    ('Uryyb', 'H e l l o', '"Hel" + "lo y" + "ou"')
    """
    if scheme == "base64":
        return base64.b64encode(text.encode()).decode()
    if scheme == "hex":
        return text.encode().hex()
    if scheme == "rot13":
        return codecs.encode(text, "rot13")
    if scheme == "reversed":
        return text[::-1]
    if scheme == "leetspeak":
        return text.translate(_LEET)
    if scheme == "spaced":
        return " ".join(text)
    if scheme == "zero width":
        return "\u200b".join(text)
    if scheme == "look-alikes":
        return text.translate(_LOOKALIKES)
    if scheme == "split":
        cuts = [text[:3], *(text[start : start + 4] for start in range(3, len(text), 4))]
        return " + ".join(f'"{part}"' for part in cuts)
    raise ValueError(f"unknown disguise {scheme!r}; there are {', '.join(SCHEMES)}")


SCHEMES = ("base64", "hex", "rot13", "reversed", "leetspeak", "spaced", "zero width", "look-alikes", "split")
"""Disguises of `encode`."""
