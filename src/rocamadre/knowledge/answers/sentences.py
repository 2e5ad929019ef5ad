"""Sentences of a text, each with its place, for English, Spanish and Portuguese."""

from __future__ import annotations

import re
from typing import NamedTuple

_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|\n\s*\n|\n(?=\s*(?:[-*•#|]|\d+[.)]\s))")
_LAST_WORD = re.compile(r"(\S+)$")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr vs etc inc ltd co corp no vol fig al gen col lt sgt capt rev hon dept est approx "
    "jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k u.n e.g i.e a.m p.m ph.d "
    "sra srta dra ud uds av avda núm pág págs art ej p.ej aprox tel ee.uu s.a d.c a.c cía depto lic ing "
    "exmo exma excia séc sto sta ltda pág fls d.c arq eng obs n.º nº".split()
)
_MOST = 600


class Sentence(NamedTuple):
    """`text[start:end]`, without white space at either end."""

    start: int
    end: int


def split_sentences(text: str) -> list[Sentence]:
    """Sentences in order; nothing but white space lies between them.

    A point after an abbreviation, an initial or a number that goes on ends nothing. Blank lines and items of lists end
    a sentence without a point. What is longer than 600 characters is cut at a comma or a space.

    >>> [text[a:b] for text in ["Dr. Ruiz came at 5 p.m. on Monday. ¿Y tú?"] for a, b in split_sentences(text)]
    ['Dr. Ruiz came at 5 p.m. on Monday.', '¿Y tú?']
    """
    found: list[Sentence] = []
    start = 0
    for match in _END.finditer(text):
        if not text[match.start()].isspace() and not _ends(text, start, match):
            continue
        _add(found, text, start, match.end())
        start = match.end()
    _add(found, text, start, len(text))
    return found


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    if match.group()[0] != "." or len(match.group()) > 1:
        return True
    after = text[match.end() :].lstrip()[:1]
    if after and (after.islower() or after in ",;:"):
        return False
    word = _LAST_WORD.search(text, start, match.start())
    last = word.group(1).lstrip("(\"'“«").lower() if word else ""
    if last in _ABBREVIATIONS:
        return False
    return not (len(last) == 1 and last.isalpha())


def _add(found: list[Sentence], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > _MOST:
        cut = max(text.rfind(mark, start + _MOST // 2, start + _MOST) for mark in (", ", "; ", "\n", " "))
        cut = cut + 1 if cut > 0 else start + _MOST
        found.append(Sentence(start, cut))
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if end > start:
        found.append(Sentence(start, end))
