"""Ways to hide a text from a filter and leave it readable to a person or a model."""

from __future__ import annotations

import base64
from collections.abc import Callable

_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_CYRILLIC = str.maketrans(
    "aceopxyiACEOPXBHKMT",
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0410\u0421\u0415\u041e\u0420\u0425\u0412\u041d\u041a\u041c\u0422",
)
_AROUND = {
    "en": ("Mañana iremos al mercado con mis primos. ", " Después tomaremos un café en la plaza."),
    "es": ("Amanhã vamos à feira com os meus primos. ", " Depois tomamos um café na praça."),
    "pt": ("Tomorrow we are going to the market. ", " Afterwards we will have a coffee in the square."),
}


def leetspeak(text: str, language: str) -> str:
    """Digits for letters: 1gn0r3."""
    return text.translate(_LEET)


def zero_width(text: str, language: str) -> str:
    """An invisible space behind every other character."""
    return "".join(each + ("\u200b" if place % 2 else "") for place, each in enumerate(text))


def homoglyphs(text: str, language: str) -> str:
    """Cyrillic letters that look like Latin ones."""
    return text.translate(_CYRILLIC)


def spaced_letters(text: str, language: str) -> str:
    """L i k e  t h i s."""
    return "  ".join(" ".join(word) for word in text.split())


def in_base64(text: str, language: str) -> str:
    """The whole text in base64."""
    return base64.b64encode(text.encode()).decode()


def among_another_language(text: str, language: str) -> str:
    """Between two harmless sentences of another of the three languages."""
    before, behind = _AROUND[language]
    return before + text + behind


DISGUISES: dict[str, Callable[[str, str], str]] = {
    "leetspeak": leetspeak,
    "zero-width spaces": zero_width,
    "homoglyphs": homoglyphs,
    "spaced letters": spaced_letters,
    "base64": in_base64,
    "among another language": among_another_language,
}
