"""Which stems of two languages stand for each other: the lexicon that the platform ships, read as data.

The files are those of `models/lexicon`; their form is described there. Spelling alike counts too: many names and
learned words of the three languages share their beginning.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files

_PAIRS = ("en-es", "en-pt", "es-pt")
_ZERO = ord("a")
_LEAST = 3
"""Twentieths of probability below which a pair does not count."""


@cache
def lexicon(source: str, target: str) -> dict[str, tuple[str, ...]]:
    """Stems of one language with those they may be in another; empty where the two have no lexicon."""
    turned = f"{source}-{target}" not in _PAIRS
    name = f"{target}-{source}" if turned else f"{source}-{target}"
    if name not in _PAIRS:
        return {}
    content = files("rocamadre").joinpath(f"knowledge/languages/lexicon/{name}.gz").read_bytes()
    table: dict[str, list[str]] = {}
    left = ""
    for line in gzip.decompress(content).decode().splitlines():
        first, right, letters = line.split(" ")
        left = left[: int(first[0])] + first[1:]
        given, meant = (right, left) if turned else (left, right)
        if ord(letters[1 if turned else 0]) - _ZERO >= _LEAST:
            table.setdefault(given, []).append(meant)
    return {term: tuple(found) for term, found in table.items()}
