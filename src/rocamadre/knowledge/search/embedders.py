"""How much an embedder is worth in a language, and what a second one beside it says where it knows little.

Where a store has vectors of two embedders, each fills half of every vector: [first; second] / sqrt(2).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

DEFAULT = 1.0
SECOND = 0.5
"""The second embedder's share in the cosine, where the first one is worth nothing."""
LEAST_SHARE = 0.02
"""Of the chunks: a language with fewer does not count."""
LENGTH = 2**0.5
"""Of a query for one of two embedders."""
_BESIDE = " + "
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


def beside(first: str, second: str) -> str:
    """The name of a store's embedder that is two."""
    return f"{first}{_BESIDE}{second}"


def names_of(embedder: str) -> list[str]:
    """The model ids in the name of a store's embedder.

    >>> names_of(beside("a", "b")), names_of("a")
    (['a', 'b'], ['a'])
    """
    return embedder.split(_BESIDE)


def second_share(trust: Mapping[str, float], question: str, chunks: Mapping[str, int]) -> float:
    """The second embedder's share in the cosine.

    It grows as the first is worth less in the question's language, or in one that many chunks are in: an embedder that
    knows but one of the two cannot compare them.

    Args:
        trust: The first one's, by language.
        question: The question's language.
        chunks: How many are in each language.

    >>> second_share({"en": 1.0, "": 0.0}, "en", {"en": 50}), second_share({"en": 1.0, "": 0.0}, "en", {"pt": 50})
    (0.0, 0.5)
    """
    total = sum(chunks.values())
    spoken = {question, *(each for each, count in chunks.items() if count >= LEAST_SHARE * total)} - {""}
    return SECOND * (1.0 - min((trust_in(trust, each) for each in spoken), default=1.0))


def part(vector: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """What gives one embedder's cosine when multiplied with a stored vector: 0 for the first, 1 for the second.

    Its length is `LENGTH`.
    """
    half = len(vector) // 2
    alone = np.zeros_like(vector)
    alone[number * half : (number + 1) * half] = 2 * vector[number * half : (number + 1) * half]
    return alone


def shared(vectors: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Stored vectors of two embedders, weighed so that their products are cosines in which the second has a share."""
    half = vectors.shape[1] // 2
    weights = np.repeat(np.sqrt([2 * (1 - share), 2 * share], dtype=np.float32), half)
    return np.asarray(vectors * weights, np.float32)
