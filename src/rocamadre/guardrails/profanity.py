"""The managed list of profane words in English, Spanish and Portuguese, robust against disguises."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import islice

from rocamadre.guardrails.folding import Folded, lower
from rocamadre.guardrails.wordindex import Hit, WordIndex

_WORD = re.compile(r"[^\W\d_]+")
_MASKED = re.compile(
    r"(?<![\w*#])[^\W\d_](?:[*#]{1,6}[^\W\d_]{0,8}){1,4}(?![\w*#])|(?<![\w*#])[^\W\d_]{2,10}[*#]{1,6}[^\W\d_]{1,8}(?!\w)"
)
_ACUTE = str.maketrans("áéíóúàâêôü", "aeiouaaeou")
# Enough of each language's smallest words to tell which of the three a text is written in.
_SMALL = {
    "en": frozenset(
        "the and is are was of to in that it you this for with not have what he she they my your don be".split()
    ),
    "es": frozenset(
        "el la los las y es son que de en un una no se por con para lo como más pero su muy está eres tu yo".split()
    ),
    "pt": frozenset(
        "o os as e é são que de em um uma não se por com para do da no na mais mas seu muito está você eu".split()
    ),
}


def guess_language(text: str) -> str:
    """en, es or pt by the smallest words of the first thousand; "" if none is ahead."""
    words = [match.group() for match in islice(_WORD.finditer(text.lower()), 1000)]
    counts = sorted((sum(word in small for word in words), name) for name, small in _SMALL.items())
    return counts[-1][1] if counts[-1][0] > counts[-2][0] else ""


@cache
def _lists() -> tuple[WordIndex, tuple[str, ...], dict[tuple[int, str], tuple[str, ...]]]:
    """The index, each phrase's language if it counts in that one only, and single words by length and first letter."""
    data = tomllib.loads(files("rocamadre.guardrails").joinpath("wordlists/profanity.toml").read_text("utf-8"))
    languages: dict[str, str] = {}
    for language, lists in data.items():
        for each in (*lists["words"], *lists["phrases"]):
            languages[each] = ""
        for stem, endings in lists["stems"].items():
            for ending in endings.split():
                languages[stem + ending.strip("-")] = ""
        for each in lists["only"]:
            languages.setdefault(each, language)
    for word, language in list(languages.items()):
        languages.setdefault(word.translate(_ACUTE), language)
    phrases = {lower(word).text: language for word, language in languages.items()}
    shapes: dict[tuple[int, str], list[str]] = {}
    for word, language in phrases.items():
        if " " not in word and not language:
            shapes.setdefault((len(word), word[0]), []).append(word)
    index = WordIndex(tuple(phrases), loose=True)
    return index, tuple(phrases.values()), {key: tuple(words) for key, words in shapes.items()}


def find_profanity(folded: Folded, plain: Folded, language: str = "") -> Iterator[tuple[int, int]]:
    """Where profane words stand in the original, in no order.

    Args:
        folded: The text with its disguises undone.
        plain: The same text in lower case alone.
        language: en, es, pt, or "" when unknown: then guessed if a word hangs on it.
    """
    index, languages, shapes = _lists()
    guessed = language
    for view in (folded,) if folded.text == plain.text else (plain, folded):
        for hit in index.find(view.text):
            only = languages[hit.number]
            if only and only != (guessed := guessed or guess_language(plain.text) or "?"):
                continue
            yield view.span(hit.start, hit.end)
    if not isinstance(folded.places, range):
        for hit in _hidden(folded, index, languages):
            yield folded.span(hit.start, hit.end)
    if "*" in plain.text or "#" in plain.text:
        for match in _MASKED.finditer(plain.text):
            if _stands_for(match.group(), shapes):
                yield plain.span(*match.span())


def _hidden(folded: Folded, index: WordIndex, languages: tuple[str, ...]) -> Iterator[Hit]:
    """Words with repeated letters (fuuuck), and words within letters that were spaced out (ifuckyou)."""
    places = folded.places
    for match in _WORD.finditer(folded.text):
        start, end = match.span()
        width = places[end - 1] - places[start] + 1
        if width == end - start:
            continue
        word = match.group()
        if width >= 2 * (end - start) - 1:
            for at in range(start, end - 3):
                for length in range(min(12, end - at), 3, -1):
                    number = index.number(folded.text[at : at + length])
                    if number is not None and not languages[number]:
                        yield Hit(number, at, at + length)
        kept = [
            letter
            for at, letter in enumerate(word, start)
            if not (at > start and letter == folded.text[at - 1] and (at + 1 == end or places[at + 1] - places[at] > 1))
        ]
        number = index.number("".join(kept))
        if len(kept) < len(word) and number is not None and not languages[number]:
            yield Hit(number, start, end)


def _stands_for(masked: str, shapes: dict[tuple[int, str], tuple[str, ...]]) -> bool:
    """Whether a word with stars in it (f**k) can be read as a listed one."""
    given = [(place, letter) for place, letter in enumerate(masked) if letter not in "*#"]
    return (len(given) >= 2 or len(masked) == 4) and any(
        all(word[place] == letter for place, letter in given) for word in shapes.get((len(masked), masked[0]), ())
    )
