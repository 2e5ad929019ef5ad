"""Ways to hide a text from a filter and leave it readable to a person or a model."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable

_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_CYRILLIC = str.maketrans(
    "aceopxyiACEOPXBHKMT",
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0410\u0421\u0415\u041e\u0420\u0425\u0412\u041d\u041a\u041c\u0422",
)
_AROUND = {
    "es": (
        ("Mañana iremos al mercado con mis primos. ", " Después tomaremos un café en la plaza."),
        ("El tren de las nueve llega con retraso. ", " Avisaré a la oficina por teléfono."),
        ("La receta lleva arroz, caldo y azafrán. ", " Se sirve caliente para cuatro personas."),
        ("El informe del trimestre está casi terminado. ", " Falta revisar los gráficos de la página dos."),
    ),
    "pt": (
        ("Amanhã vamos à feira com os meus primos. ", " Depois tomamos um café na praça."),
        ("O ônibus das nove está atrasado. ", " Vou avisar o escritório por telefone."),
        ("A receita leva arroz, caldo e açafrão. ", " Serve-se quente para quatro pessoas."),
        ("O relatório do trimestre está quase pronto. ", " Falta rever os gráficos da página dois."),
    ),
    "en": (
        ("Tomorrow we are going to the market. ", " Afterwards we will have a coffee in the square."),
        ("The nine o'clock train is late. ", " I will let the office know by phone."),
        ("The recipe takes rice, stock and saffron. ", " It is served hot, for four people."),
        ("The report of the quarter is nearly done. ", " The charts on page two are still to be checked."),
    ),
}
"""Harmless sentences for before and behind a text."""
_OTHER = {"en": "es", "es": "pt", "pt": "en"}


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
    """Between two harmless sentences of another of the three languages, always the same ones for a text."""
    pairs = _AROUND[_OTHER[language]]
    before, behind = pairs[zlib.crc32(text.encode()) % len(pairs)]
    return before + text + behind


DISGUISES: dict[str, Callable[[str, str], str]] = {
    "leetspeak": leetspeak,
    "zero-width spaces": zero_width,
    "homoglyphs": homoglyphs,
    "spaced letters": spaced_letters,
    "base64": in_base64,
    "among another language": among_another_language,
}
