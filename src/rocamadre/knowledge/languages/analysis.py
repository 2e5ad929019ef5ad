"""A text as terms: words in lower case without stop words, each as its stem."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import snowballstemmer

_WORD = re.compile(r"[^\W_]+")
_STEMMERS = {"en": "english", "es": "spanish", "pt": "portuguese"}


@cache
def _stemmer(language: str) -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer(_STEMMERS[language])


def analyse(text: str, language: str) -> list[str]:
    """The terms of a text in order; the same for a chunk and for a query.

    Args:
        text: Any text.
        language: `en`, `es`, `pt`, or anything else for words as they are.

    >>> analyse("The nations of Europe", "en")
    ['the', 'nation', 'of', 'europ']
    """
    words = _WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return _stemmer(language).stemWords(words) if language in _STEMMERS else words
