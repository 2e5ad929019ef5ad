"""How much the ranks that an embedder gives are worth in a language."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DEFAULT = 1.0
_ENGLISH = MappingProxyType({"en": 1.0, "": 0.0})
_KNOWN: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("multilingual-minilm", MappingProxyType({"": 1.0})),
    ("minilm", _ENGLISH),
)


def trust_of(embedder: str) -> Mapping[str, float]:
    """What to give `SearchSettings.trust` for an embedder, by its model id; unknown ones are trusted in all languages.

    >>> trust_of("rocamadre.minilm-l6-v2:0")["en"], dict(trust_of("someone.embedder-v1:0"))
    (1.0, {'': 1.0})
    """
    for part, trust in _KNOWN:
        if part in embedder.lower():
            return trust
    return MappingProxyType({"": DEFAULT})


def trust_in(trust: Mapping[str, float], language: str) -> float:
    """Of one language; what is not named is worth what `""` is, or 1."""
    return float(trust.get(language, trust.get("", DEFAULT)))
