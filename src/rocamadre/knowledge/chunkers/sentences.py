r"""Where sentences begin, in English, Spanish, Portuguese and most languages that end them with a mark.

Abbreviations of the three languages are known, whichever the text is in, so that no language has to be told. Blank
lines, headings, items of lists and rows of tables (`| a | b |`, `Name: a; Name: b`) begin a sentence, too; a line break
alone does not, since lines of a pdf break anywhere. One pass, in time linear in the text, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

_END = re.compile(
    r"""
    [.!?…。！？｡؟।॥\n]        # A set in front lets the engine skip what cannot match; the rest depends on which it was.
    (?:
        (?<=[.!?…]) [.!?…]*+ [\"'’”»)\]*_]*+
      | (?<=[。！？｡؟।॥]) [。！？｡؟।॥]*+ [」』”’）)]*+
      | (?<=\n) (?:
            (?P<heading> \#{1,6}[^\S\n][^\n]*+ )
          | (?=[^\S\n]*+ (?: \n | [-*•‣▪–—][^\S\n] | \#{1,6}[^\S\n] | \d{1,3}[.)][^\S\n] | \| ) )
          | (?=[^\n:;]{1,100}+ :[^\S\n] [^\n;]*+ ;[^\S\n] [^\n:;]{1,100}+ :[^\S\n])
        )
    )
    """,
    re.VERBOSE,
)
_FIRST_HEADING = re.compile(r"\s*+#{1,6}[^\S\n][^\n]*+")
_NEXT = re.compile(r"(\s*+)([\"'“«‘(\[¿¡*_]*+)(\w*+)")
_MARKS = ".!?…"
_OPENING = "\"'“«‘([{¿¡*_"
_INNER_DOTS = re.compile(r"(?:[^\W\d]{1,2}\.)+[^\W\d]{1,2}")

_BEFORE_NAMES = frozenset(
    "dr dra drs dres dras prof profa profs sr sra srs sras sres srta srita mr mrs ms mx messrs mme mlle st ste sto sta "
    "fr rev hon gov gob pres sen gen gral cmdr cnel lt sgt sgto tte adm alm cpl maj lic arq dª dña excmo excma ilmo "
    "ilma exmo exma ldo lda mtro mtra abg eng engª engo vs cf cfr conf e.g i.e p.ej p.ex ej av avda avd blvd bvd ctra "
    "plza jl rod apdo apto dpto depto ee mons fray pbro hno hna vda dept univ assn approx aprox ca viz resp tel tfno "
    "ext eds coord trad ilus".split()
)
"""Followed by what they belong to: no sentence ends here."""

_BEFORE_NUMBERS = frozenset(
    "al no nos nº n° núm núms num nums nr art arts artº fig figs p pp pg pgs pág págs pag pags f ff fol fols vol vols "
    "cap caps ch chap sec secs sect secc lám tab tabl eq eqs ec ecs inc incs par párr parág ap apart jan "
    "feb mar apr jun jul aug sep sept oct nov dec ene abr ago set dic fev mai out dez".split()
)
"""No sentence ends here when a number comes next."""

_MAY_END = frozenset(
    "inc ltd ltda co corp cía cia bros jr jnr snr esq uu ss sig sigs seg segs ibíd ibid íd op cit".split()
)
"""A sentence ends here when the next word is one that begins sentences."""

_BEGINNERS = frozenset(
    "the a an this that these those it he she we they you i in on at for from with by as but and or so if when while "
    "after before since because although however then there here what who why how where which its his her their our "
    "my your all some many most each every no not one two once both such according el la los las lo un una unos unas "
    "este esta estos estas ese esa esos esas aquel aquella en por para con sin sobre desde hasta entre según pero y o "
    "si cuando mientras como aunque porque no también además así entonces ya su sus mi tu nuestro todo toda todos "
    "todas cada al del se le les es son fue era o os as um uma uns umas este esta isto esse essa aquele aquela em no "
    "na nos nas por para com sem sobre desde até entre segundo mas e ou se quando enquanto como embora porque não "
    "também além assim então já seu sua seus suas meu minha nosso todo toda todos todas cada ao à do da dos das é são "
    "foi era ele ela eles elas".split()
)


class Span(NamedTuple):
    """Characters of a text."""

    start: int
    end: int


LONGEST_SENTENCE = 600
"""Characters of a sentence for those who read sentence by sentence: what is longer has no end that can be seen."""


def sentences(text: str, *, most: int | None = None, longest: int | None = None) -> list[Span]:
    """The sentences, without white space at their ends; together they hold everything that is not white space.

    Args:
        text: Any.
        most: Stop after so many.
        longest: Cut what has more characters, at a comma or a space if there is one.

    >>> [a, b] = sentences("El Sr. Ruiz llegó a las 3.30 p. m. de EE. UU. ¿Qué hizo?")
    >>> (b.start, b.end)
    (46, 56)
    """
    if longest is not None:
        cut = (part for span in sentences(text, most=most) for part in _parts(text, span, longest))
        return list(islice(cut, most))
    found: list[Span] = []
    first = _FIRST_HEADING.match(text)
    begun = first.end() if first else 0
    if first:
        _add(found, text, 0, begun)
    for match in _END.finditer(text, begun):
        start, end = match.span()
        if start > begun or text[start] != "\n" or match["heading"]:
            if not _ends(text, start, end):
                continue
            if match["heading"]:
                _add(found, text, begun, start)
                begun = start
            _add(found, text, begun, end)
            if most is not None and len(found) >= most:
                return found[:most]
        begun = end
    _add(found, text, begun, len(text))
    return found


def _add(found: list[Span], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        found.append(Span(start, end))


def _parts(text: str, span: Span, longest: int) -> Iterator[Span]:
    """A sentence, or as many parts of it as it takes."""
    start, end = span
    while end - start > longest:
        places = (text.rfind(mark, start + longest // 2, start + longest) for mark in (", ", "; ", "\n", " "))
        cut = max(places) + 1 or start + longest
        yield Span(start, start + len(text[start:cut].rstrip()))
        start = cut
        while text[start].isspace():  # There is something else before `end`.
            start += 1
    yield Span(start, end)


def _ends(text: str, start: int, end: int) -> bool:
    """Whether a sentence ends where the pattern says that one may."""
    if text[start] not in _MARKS:
        return True
    if end < len(text) and not text[end].isspace():
        return False
    after = _NEXT.match(text, end)
    assert after is not None
    if after[1].count("\n") > 1:
        return True
    opening, word = after[2], after[3]
    if word[:1].islower():
        return False
    if "¿" in opening or "¡" in opening:
        return True
    if text[start] != "." or (end > start + 1 and text[start + 1] in _MARKS):
        return True
    return _ends_at_dot(text, start, word)


def _ends_at_dot(text: str, dot: int, following: str) -> bool:
    """Whether a single dot ends a sentence, by the word before it."""
    before = text[max(0, dot - 24) : dot]
    pieces = before.rsplit(None, 1)
    if not pieces or before[-1].isspace():
        return True
    word = pieces[-1].lstrip(_OPENING)
    lower = word.lower()
    if word.isdecimal() and len(word) <= 3:
        start = dot - len(word)
        return text[text.rfind("\n", max(0, start - 8), start) + 1 : start].strip() != "" if start else False
    if lower in _BEFORE_NUMBERS and following[:1].isdecimal():
        return False
    if lower in _BEFORE_NAMES:
        return False
    if lower in _MAY_END or ("." in word and _INNER_DOTS.fullmatch(word)):
        return following.lower() in _BEGINNERS or not following
    if len(word) == 1 and word.isupper():  # An initial; but English ends sentences with I.
        return word == "I" and following.lower() in _BEGINNERS
    return True
