"""The catalogs of texts, and numbers as each language writes them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = {"en": "English", "es": "Español", "pt": "Português"}
"""Code and own name of each language there is."""

HTML_LANGUAGES = {"en": "en-US", "es": "es", "pt": "pt"}
"""What the page's `lang` attribute says."""

_COMMA = frozenset({"es", "pt"})
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


@cache
def catalog(language: str) -> Mapping[str, str]:
    """All texts of a language by `table.key`."""
    tables = tomllib.loads((files("rocamadre.console.texts") / f"{language}.toml").read_text("utf-8"))
    return {f"{table}.{key}": value for table, texts in tables.items() for key, value in texts.items()}


def choose_language(wish: str, accepted: str) -> str:
    """The language of a visitor.

    Args:
        wish: What was chosen before; may be anything.
        accepted: An Accept-Language header.

    >>> choose_language("", "fr-CH, pt-BR;q=0.9, en;q=0.8"), choose_language("es", "en"), choose_language("xx", "")
    ('pt', 'es', 'en')
    """
    if wish in LANGUAGES:
        return wish
    ranked = []
    for place, item in enumerate(accepted.split(",")[:20]):
        name, _, quality = item.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, name.partition("-")[0].lower()))
        except ValueError:
            continue
    return next((name for _, _, name in sorted(ranked) if name in LANGUAGES), "en")


class Translator:
    r"""Texts and numbers in one language.

    >>> say = Translator("es")
    >>> say.number(1234567.25, digits=1), say.size(7_949_920), say.duration(75)
    ('1\xa0234\xa0567,2', '7,9 MB', '1 min 15 s')
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalog(language)

    def __call__(self, name: str, /, **values: Any) -> str:
        """The text of a name, its `{}` filled in.

        Raises:
            KeyError: the catalog has no such text.
        """
        text = self._texts[name]
        return text.format(**values) if values else text

    def number(self, value: float, *, digits: int = 0) -> str:
        """Digits in groups of three, with the language's decimal sign."""
        text = f"{value:,.{digits}f}"
        if self.language in _COMMA:
            return text.replace(",", "\xa0").replace(".", ",")
        return text

    def size(self, size_bytes: float) -> str:
        """Bytes in powers of a thousand."""
        units = ("B", "kB", "MB", "GB", "TB")
        power = next((n for n in range(4) if abs(size_bytes) < 1000 ** (n + 1)), 4)
        value = size_bytes / 1000**power
        return f"{self.number(value, digits=0 if power == 0 or value >= 100 else 1)} {units[power]}"

    def dollars(self, usd: float) -> str:
        """US dollars with two digits that matter, whatever their size.

        >>> [Translator("en").dollars(value) for value in (12.5, 0.0341, 0.000012, 0)]
        ['$12.50', '$0.034', '$0.000012', '$0.00']
        """
        digits = 2 if usd <= 0 or usd >= 0.1 else min(9, 1 - math.floor(math.log10(usd)))
        return f"${self.number(usd, digits=digits)}"

    def duration(self, seconds: float) -> str:
        """Seconds in the two largest units that matter."""
        if seconds < 1:
            return f"{self.number(seconds * 1000)} ms"
        if seconds < _MINUTE_S:
            return f"{self.number(seconds, digits=1 if seconds < 10 else 0)} s"
        for unit, name, smaller, below in (
            (_DAY_S, "d", _HOUR_S, "h"),
            (_HOUR_S, "h", _MINUTE_S, "min"),
            (_MINUTE_S, "min", 1, "s"),
        ):
            if seconds >= unit:
                rest = int(seconds % unit // smaller)
                return f"{int(seconds // unit)} {name}" + (f" {rest} {below}" if rest else "")
        raise AssertionError("a minute at least")

    def moment(self, at: datetime) -> str:
        """Date and time of day, UTC."""
        return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
