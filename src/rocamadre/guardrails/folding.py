"""Disguises undone: a text as it sounds, with the place of each character in the original.

Two strengths. `clean` keeps case and letters and only takes away what cannot be seen or is another form of the same
character: numbers and addresses are looked for in it. `fold` goes on to lower case, look-alike letters, digits for
letters, spaced-out and repeated letters: words and meanings are looked for in it. Both are linear.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import re2

from rocamadre.guardrails.lookalikes import LETTERS, visible_form


def _latin1() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return options


_COMBINING = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")


class _Forms(dict[str, str]):
    """The visible form of each character met so far: one entry per character of Unicode at most."""

    def __missing__(self, character: str) -> str:
        form = self[character] = visible_form(character)
        return form


class _LowerForms(dict[str, str]):
    """The same in lower case, look-alike letters made Latin."""

    def __missing__(self, character: str) -> str:
        latin = "".join(LETTERS.get(each, each) for each in visible_form(character)).lower()
        form = self[character] = "".join(LETTERS.get(each, each) for each in latin)
        return form


_FORMS = _Forms()
_LOWER = _LowerForms()


# Bytes of Latin-1 that are not their own visible form; deleting them shows fast whether a text holds any.
_UNUSUAL = bytes(code for code in range(256) if _FORMS[chr(code)] != chr(code))
_UNUSUAL_LOWER = _UNUSUAL + "ßÆæ".encode("latin-1")
_LEET = {
    **{"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b"},
    **{"@": "a", "$": "s", "!": "i", "|": "l", "€": "e", "+": "t"},
}
_SIGNS = re.compile(r"[0-9@$!|€+]+")
_AFTER = re.compile(r"[^\W_]{0,7}")
_UNITS = frozenset("st nd rd th er ers km kg mg ml cm mm gb mb tb hz min mins años anos year years day days".split())
_DOMAIN = re.compile(r"[\w-]{1,63}\.[a-z]")
# Single letters with one and the same kind of mark between them.
_SPACED = re.compile(r"(?<![^\W_])[^\W\d_]([ .\-_*|/,])(?:[^\W\d_](?:\1|(?![^\W_]))){2,}")
_MAYBE_SPACED = re2.compile(rb"\b[a-z\xdf-\xff?](?:[ .\-_*|/,][a-z\xdf-\xff?]){2}(?:[^a-z0-9]|$)", _latin1())
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_TRIPLES = tuple(each * 3 for each in "aeiosnrltucdmphgbvfkyzjwxqáéíóúãõçñ")


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text.

    Attributes:
        text: Its characters.
        places: For each of them, the place in the original; never falling.
        length: Characters of the original.
    """

    text: str
    places: Sequence[int]
    length: int = -1

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters from `start` up to `end` stand in the original, hidden marks in and behind them too."""
        following = self.places[end] if end < len(self.places) else self.length
        if start >= end:
            return following, following
        return self.places[start], max(following, self.places[end - 1] + 1)


def clean(text: str) -> Folded:
    """Invisible marks gone, compatibility forms plain, combining marks joined to their letters; case stays.

    >>> clean("４１\u200b11").text, list(clean("４１\u200b11").places)
    ('4111', [0, 1, 3, 4])
    """
    if _is_plain(text, _UNUSUAL):
        return Folded(text, range(len(text)), len(text))
    return _mapped(text, _FORMS)


def lower(text: str) -> Folded:
    """Lower case on top of that, and look-alike letters Latin: the first half of `fold`.

    >>> lower("ÁRBOL Ѕtrаße").text
    'árbol strasse'
    """
    if _is_plain(text, _UNUSUAL_LOWER):
        return Folded(text.lower(), range(len(text)), len(text))
    return _mapped(text, _LOWER)


def fold(text: str) -> Folded:
    """Lower case, and every disguise undone that this module knows. Accents stay: see `without_accents`.

    >>> fold("You 1d10t, h.a.t.e the fuuuuture").text
    'you idiot, hate the fuuture'
    """
    folded = _leet(lower(text))
    if _MAYBE_SPACED.search(folded.text.encode("latin-1", "replace")):
        folded = _spaces(folded)
    return _repeats(folded) if any(each in folded.text for each in _TRIPLES) else folded


def without_accents(text: str) -> str:
    """Letters without their marks, ñ and ç among them, one character for each.

    >>> without_accents("ação, años")
    'acao, anos'
    """
    return text if text.isascii() else text.translate(_BARE)


class _Bare(dict[int, str]):
    def __missing__(self, code: int) -> str:
        bare = unicodedata.normalize("NFD", chr(code))[0]
        self[code] = bare
        return bare


_BARE = _Bare()


def _is_plain(text: str, unusual: bytes) -> bool:
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return len(data.translate(None, unusual)) == len(data)


def _mapped(text: str, forms: dict[str, str]) -> Folded:
    pieces = list(map(forms.__getitem__, text))
    lengths = list(map(len, pieces))
    joined = "".join(pieces)
    places: Sequence[int]
    if lengths.count(1) == len(lengths):
        places = range(len(text))
    else:
        places = array("I", chain.from_iterable(map(repeat, range(len(text)), lengths)))
    folded = Folded(joined, places, len(text))
    return _composed(folded) if joined and max(joined) >= "\u0300" and _COMBINING.search(joined) else folded


def _edited(folded: Folded, edits: Sequence[tuple[int, int, str, Sequence[int]]]) -> Folded:
    """With parts replaced: start, end, the new characters, and for each of them its place in the folded text before."""
    if not edits:
        return folded
    texts: list[str] = []
    places = array("I")
    at = 0
    for start, end, characters, kept in edits:
        texts += (folded.text[at:start], characters)
        places.extend(folded.places[at:start])
        places.extend(folded.places[each] for each in kept)
        at = end
    texts.append(folded.text[at:])
    places.extend(folded.places[at:])
    return Folded("".join(texts), places, folded.length)


def _composed(folded: Folded) -> Folded:
    """Letters and the marks on them as one character; marks beyond the first that fit are dropped."""
    edits: list[tuple[int, int, str, Sequence[int]]] = []
    for match in _COMBINING.finditer(folded.text):
        start, end = match.span()
        if not start:
            edits.append((0, end, "", ()))
            continue
        letter = folded.text[start - 1]
        # A letter carries a handful of marks at most; towers of them are decoration.
        both = next(
            (
                one
                for one in (unicodedata.normalize("NFC", letter + mark) for mark in match.group()[:8])
                if len(one) == 1
            ),
            letter,
        )
        edits.append((start - 1, end, both, (start - 1,)))
    return _edited(folded, edits)


def _leet(folded: Folded) -> Folded:
    """Digits and signs among letters as the letters they stand for; as long as before."""
    text = folded.text
    edits = [
        (match.start(), letters)
        for match in _SIGNS.finditer(text)
        if (letters := _letters(text, match.start(), match.end())) is not None
    ]
    if not edits:
        return folded
    characters = list(text)
    for start, letters in edits:
        characters[start : start + len(letters)] = letters
    return Folded("".join(characters), folded.places, folded.length)


def _letters(text: str, start: int, end: int) -> str | None:
    """What a run of digits and signs stands for, by the letters beside it; None where it stands for itself."""
    run = text[start:end]
    before, after = text[start - 1 : start].isalpha(), text[end : end + 1].isalpha()
    if not (before or after) or not all(each in _LEET for each in run):
        trimmed = run.rstrip("!|+")
        return _letters(text, start, start + len(trimmed)) if trimmed and trimmed != run and before else None
    if before and after:
        if len(run) > 2 or (run == "@" and _DOMAIN.match(text, end)):
            return None
    elif before:
        run = run.rstrip("!|+")
        signs = all(each in "@$" for each in run)
        if not run or not (signs or (len(run) <= 2 and _disguised(text, start))):
            return None
    elif run not in {"@", "$"}:
        following = _AFTER.findall(text, end, end + 8)[0]
        if len(run) > 1 or len(following) < 3 or following in _UNITS or sum(map(str.isalpha, following)) < 2:
            return None
    return "".join(_LEET[each] for each in run)


def _disguised(text: str, end: int) -> bool:
    """Whether the word that ends here has a digit or sign further in: covid19 has none, b1tch35 has."""
    return any(each in _LEET for each in text[max(0, end - 12) : end].rpartition(" ")[2])


def _spaces(folded: Folded) -> Folded:
    """Letters spaced out, joined."""
    edits: list[tuple[int, int, str, Sequence[int]]] = []
    for match in _SPACED.finditer(folded.text):
        kept = range(match.start(), match.end(), 2)
        if len(kept) >= 3:
            edits.append((match.start(), kept[-1] + 1, folded.text[match.start() : match.end() : 2], kept))
    return _edited(folded, edits)


def _repeats(folded: Folded) -> Folded:
    """Three and more of a letter as two: what stood once or twice cannot be known."""
    return _edited(
        folded,
        [
            (match.start(), match.end(), match.group()[:2], (match.start(), match.start() + 1))
            for match in _REPEATED.finditer(folded.text)
        ],
    )
