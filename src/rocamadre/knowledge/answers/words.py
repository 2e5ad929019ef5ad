"""Words of a text with their places, and what a reader wants to know of each."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rocamadre.knowledge.answers.lexicon import FUNCTION_SETS, MONTHS, NUMBER_WORDS, TIME_WORDS
from rocamadre.knowledge.languages.analysis import analyse

_WORD = re.compile(r"(?:R\$|[$€£¥])?\s?\d+(?:[.,:/]\d+)*\s?%?|[^\W\d_]+(?:['’\-.][^\W\d_]+)*|\d+\w*|[^\w\s]")
_YEAR = re.compile(r"1\d{3}|20\d{2}")
_ROMAN = re.compile(r"[IVXLC]{1,6}")


class Word(NamedTuple):
    """One word or mark.

    Attributes:
        stem: As the lexical index knows it; empty for marks and function words.
        mark: Whether it is punctuation.
        function: Whether it is a word that only holds a sentence together.
        shape: Bits: 1 capital, 2 digits, 4 a year, 8 month or weekday, 16 a number in letters, 32 unit of time, 64 per
            cent or currency, 128 Roman numeral.
    """

    start: int
    end: int
    lower: str
    stem: str
    mark: bool
    function: bool
    shape: int


@lru_cache(maxsize=100_000)
def stem_of(word: str, language: str) -> str:
    """A word's stem; empty for a word that the index leaves out."""
    return "".join(analyse(word, language))


def words_of(text: str, language: str) -> list[Word]:
    """All words and marks, in order."""
    function = FUNCTION_SETS.get(language, FUNCTION_SETS["en"])
    found = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        while text[start].isspace():
            start += 1
        while text[end - 1].isspace():
            end -= 1
        raw = text[start:end]
        lower = raw.lower()
        mark = not any(map(str.isalnum, raw))
        held = lower in function
        stem = "" if mark or held else stem_of(raw, language)
        found.append(Word(start, end, lower, stem, mark, held, 0 if mark else _shape(raw, lower)))
    return found


def _shape(raw: str, lower: str) -> int:
    digits = any(map(str.isdigit, raw))
    return (
        (1 if raw[0].isupper() else 0)
        | (2 if digits else 0)
        | (4 if digits and _YEAR.search(raw) else 0)
        | (8 if lower in MONTHS else 0)
        | (16 if lower in NUMBER_WORDS else 0)
        | (32 if lower in TIME_WORDS else 0)
        | (64 if raw[-1] == "%" or raw[0] in "$€£¥" or raw.startswith("R$") else 0)
        | (128 if _ROMAN.fullmatch(raw) else 0)
    )
