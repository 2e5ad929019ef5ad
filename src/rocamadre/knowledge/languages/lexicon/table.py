"""The files of the lexicon, and what a term is in another language.

A file holds one pair of terms a line, sorted by the first: how many characters the line before has in common, the rest
of the first term, the second term, and a letter for each probability; all of it in gzip.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from rocamadre.knowledge.languages.analysis import LANGUAGES

FOLDER = Path(__file__).parent
PAIRS = ("en-es", "en-pt", "es-pt")
_STEPS = 20
_ZERO = ord("a")


def pack(pairs: Iterable[tuple[str, str, float, float]]) -> bytes:
    """Pairs of terms as a file: source, target, how probable the target is for the source, and the reverse.

    >>> unpack(pack([("hous", "cas", 0.8, 0.5), ("hors", "caball", 1.0, 0.91)]))
    [('hors', 'caball', 1.0, 0.9), ('hous', 'cas', 0.8, 0.5)]
    """
    lines, before = [], ""
    for source, target, there, back in sorted(pairs):
        common = next(
            (place for place, both in enumerate(zip(source, before, strict=False)) if both[0] != both[1]),
            min(len(source), len(before)),
        )
        common = min(common, 9)
        lines.append(f"{common}{source[common:]} {target} {_letter(there)}{_letter(back)}\n")
        before = source
    return gzip.compress("".join(lines).encode(), 9, mtime=0)


def unpack(content: bytes) -> list[tuple[str, str, float, float]]:
    """What `pack` was given, probabilities rounded to a twentieth."""
    found, source = [], ""
    for line in gzip.decompress(content).decode().splitlines():
        first, target, letters = line.split(" ")
        source = source[: int(first[0])] + first[1:]
        there, back = ((ord(letter) - _ZERO) / _STEPS for letter in letters)
        found.append((source, target, there, back))
    return found


def _letter(probability: float) -> str:
    return chr(_ZERO + max(1, round(probability * _STEPS)))


@cache
def _table(source: str, target: str) -> dict[str, tuple[tuple[str, float], ...]]:
    turned = f"{source}-{target}" not in PAIRS
    pairs = unpack((FOLDER / f"{target}-{source}.gz" if turned else FOLDER / f"{source}-{target}.gz").read_bytes())
    table: dict[str, list[tuple[str, float]]] = {}
    for left, right, there, back in pairs:
        term, translation, probability = (right, left, back) if turned else (left, right, there)
        table.setdefault(term, []).append((translation, probability))
    return {term: tuple(sorted(found, key=lambda item: (-item[1], item[0]))) for term, found in table.items()}


def translations(term: str, source: str, target: str) -> tuple[tuple[str, float], ...]:
    """What an analysed term may be in another language, with probabilities, the most probable first.

    Empty where the lexicon does not know, or has no such pair of languages.
    """
    if source == target or source not in LANGUAGES or target not in LANGUAGES:
        return ()
    return _table(source, target).get(term, ())
