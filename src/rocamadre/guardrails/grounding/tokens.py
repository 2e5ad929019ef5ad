"""A text as sentences of tokens: stems, names, numbers and negators, in the language it is written in."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache

import snowballstemmer

from rocamadre.guardrails.folding import without_accents
from rocamadre.guardrails.grounding.vocabulary import NEGATORS, SMALL, guess_words, number_word, opposites

SMALL_WORD, CONTENT, NAME, NUMBER, NEGATOR = range(5)
"""Kinds of tokens."""

_TOKEN = re.compile(
    r"(?P<number>\d+(?:[.,\u00a0\u202f]\d{3})*(?:[.,]\d+)?)|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)?)"
    r"|(?P<end>[.!?…:;]+(?=[\s\"'”»)\]]|$)|\n+)|(?P<percent>%)"
)
_WORD = re.compile(r"[^\W\d_]+")
_ABBREVIATIONS = frozenset("mr mrs ms dr st sr sra prof no vs etc inc ltd co jr gen rev fig vol pp dra srta".split())
_LANGUAGES = {"en": "english", "es": "spanish", "pt": "portuguese"}
_LONGEST = 48
_MOST_WORDS = 30_000
_WORDS: dict[str, dict[tuple[str, bool], tuple[str, str, int]]] = {}
"""By language, what words are, as written and whether first in their sentence: the same ones come again and again."""
_STEMMING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text cut up; one entry per token in each list.

    Attributes:
        language: en, es or pt.
        terms: Stems without accents; numbers as `#` and their value.
        words: The words in lower case without accents.
        kinds: SMALL_WORD, CONTENT, NAME, NUMBER or NEGATOR.
        ends: For each sentence, the place behind its last token.
    """

    language: str
    terms: list[str]
    words: list[str]
    kinds: list[int]
    ends: list[int]

    def sentences(self) -> list[range]:
        """Places of the tokens of each sentence."""
        starts = [0, *self.ends[:-1]]
        return [range(start, end) for start, end in zip(starts, self.ends, strict=True)]


def guess_language(text: str, default: str = "en") -> str:
    """en, es or pt by a text's small words; the default where they do not tell.

    >>> guess_language("La casa es de los padres"), guess_language("A casa não é do pai"), guess_language("42")
    ('es', 'pt', 'en')
    """
    counts = dict.fromkeys(_LANGUAGES, 0)
    words = Counter(_WORD.findall(text[:6000].lower()))
    for word, languages in _telling_words().items():
        for language in languages if word in words else ():
            counts[language] += words[word]
    best = max(counts, key=lambda each: (counts[each], each == default))
    return best if counts[best] else default


@cache
def _telling_words() -> dict[str, tuple[str, ...]]:
    """Languages by the small words that speak for them."""
    lists = guess_words()
    return {
        word: tuple(language for language, small in lists.items() if word in small)
        for word in frozenset().union(*lists.values())
    }


@cache
def _stemmer(language: str) -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer(_LANGUAGES[language])


def stem(word: str, language: str) -> str:
    """The stem of a word in lower case, without accents."""
    if language == "pt":
        for typed, meant in (("ções", "ção"), ("sões", "são"), ("ões", "ão"), ("ães", "ão")):
            if word.endswith(typed) and len(word) > len(typed) + 1:
                word = word.removesuffix(typed) + meant
                break
    with _STEMMING:
        found: str = _stemmer(language).stemWord(word)
    return without_accents(found)[:_LONGEST]


@cache
def opposite_stems(language: str) -> dict[str, frozenset[str]]:
    """Words without accents and their opposites, those as stems and, since small words have none, as words."""
    return {
        word: frozenset(stem(each, language) for each in others) | others
        for word, others in opposites(language).items()
    }


@lru_cache(maxsize=4096)
def number_value(written: str, language: str) -> str:
    """The value of digits as they are written in a language, in one form for all.

    >>> number_value("1,000", "en"), number_value("1.000", "es"), number_value("3,50", "pt")
    ('1000', '1000', '3.5')
    """
    plain = written.replace("\u00a0", "").replace("\u202f", "")
    thousands, decimal = (",", ".") if language == "en" else (".", ",")
    for mark, other in ((thousands, decimal), (decimal, thousands)):
        # The language's own way first; then the other one, which people also use.
        parts = plain.split(mark)
        if len(parts) > 1 and all(len(each) == 3 for each in parts[1:] if other not in each):
            head, _, tail = parts[-1].partition(other)
            if len(head) == 3 and (mark == thousands or len(parts) > 2):
                return _plain_number("".join([*parts[:-1], head]), tail)
    whole, _, tail = plain.replace(",", ".").partition(".")
    return _plain_number(whole, tail.replace(".", ""))


def _plain_number(whole: str, fraction: str) -> str:
    whole = whole.replace(",", "").replace(".", "").lstrip("0") or "0"
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def tokenise(text: str, language: str = "") -> Tokens:
    """Sentences and tokens of a text, in linear time.

    >>> found = tokenise("She did not sell 1,000 boats to Ana.", "en")
    >>> found.terms, found.kinds
    (['she', 'did', 'not', 'sell', '#1000', 'boat', 'to', 'ana'], [0, 0, 4, 1, 3, 1, 0, 2])
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    language = language or guess_language(plain)
    known = _WORDS.setdefault(language, {})
    if len(known) > _MOST_WORDS:
        _WORDS[language] = known = {}
    found: list[tuple[str, str, int]] = []
    ends: list[int] = []
    begin = 0
    for match in _TOKEN.finditer(plain):
        group = match.lastgroup
        written = match[0]
        if group == "word":
            key = (written, len(found) == begin)
            entry = known.get(key)
            if entry is None:
                entry = known[key] = _word(written, language, key[1])
            found.append(entry)
        elif group == "number":
            found.append(("#" + number_value(written, language), written, NUMBER))
        elif group == "percent":
            found.append(("#percent", "%", NUMBER))
        elif written not in {":", ";"} and not (
            written == "." and found and _goes_on(found[-1][1], len(found) > begin)
        ):
            if len(found) > begin:
                ends.append(len(found))
                begin = len(found)
    if len(found) > begin or not ends:
        ends.append(len(found))
    terms, words, kinds = (list(each) for each in zip(*found, strict=True)) if found else ([], [], [])
    return Tokens(language, terms, words, kinds, ends)


def _goes_on(word: str, inside: bool) -> bool:
    """Whether a sentence goes on after a word and a point: after an abbreviation, or an initial within it."""
    return word in _ABBREVIATIONS or (inside and len(word) == 1 and word.isalpha())


def _word(written: str, language: str, first: bool) -> tuple[str, str, int]:
    """Stem, plain word and kind of a word as written; `first` in its sentence."""
    low = written.lower()
    if "'" in low or "’" in low:
        head, _, tail = low.replace("’", "'").partition("'")
        if language == "en" and (tail == "t" or low.startswith("can'")):
            return "not", "not", NEGATOR
        low = head if len(tail) < 3 else tail
        written = written[: len(head)] if len(tail) < 3 else written[-len(tail) :]
    bare = without_accents(low)
    if low == "é" or bare in SMALL[language]:
        # A name may be spelt like a small word, but then it says little.
        return bare, bare, SMALL_WORD
    if bare in NEGATORS[language]:
        return bare, bare, NEGATOR
    number = number_word(low, language)
    if number:
        return number, bare, NUMBER
    is_name = written[0].isupper() and (not first or (len(written) > 1 and written.isupper()))
    return stem(low, language), bare, NAME if is_name else CONTENT
