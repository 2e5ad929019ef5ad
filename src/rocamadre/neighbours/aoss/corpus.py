"""The documents of an index as a search looks at them: values by field, words, vectors."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rocamadre.neighbours.aoss.documents import Document
from rocamadre.neighbours.aoss.indexes import Index

K1 = 1.2
B = 0.75
_WORD = re.compile(r"\w+")
_RAW = ".keyword"


def words_of(text: str) -> list[str]:
    """Words in lower case, as OpenSearch's standard analyzer makes them.

    >>> words_of("The CAT's 2 hats")
    ['the', 'cat', 's', '2', 'hats']
    """
    return _WORD.findall(text.lower())


class Corpus:
    """All documents of an index; what is computed for a field is kept as long as the search lasts."""

    def __init__(self, index: Index, documents: Sequence[Document]) -> None:
        self.index = index
        self.documents = documents
        self._words: dict[str, list[list[str]]] = {}

    @cached_property
    def _types(self) -> dict[str, str]:
        return {path: str(field.get("type", "object")) for path, field in self.index.fields()}

    @property
    def everything(self) -> set[int]:
        """The places of all documents."""
        return set(range(len(self.documents)))

    def is_text(self, field: str) -> bool:
        """Whether a field is searched by words: mapped as text, or not mapped and not asked for with `.keyword`."""
        kind = self._types.get(field)
        return kind in ("text", "match_only_text") if kind else not field.endswith(_RAW)

    def values(self, place: int, field: str) -> list[Any]:
        """What a document has in a field, lists laid out."""
        source = self.documents[place].source
        found = list(_values(source, field.split(".")))
        if not found and field.endswith(_RAW):
            found = list(_values(source, field.removesuffix(_RAW).split(".")))
        return found

    def words(self, field: str) -> list[list[str]]:
        """The words of every document in a field."""
        if field not in self._words:
            self._words[field] = [
                [word for value in self.values(place, field) for word in words_of(_shown(value))]
                for place in range(len(self.documents))
            ]
        return self._words[field]

    def bm25(self, field: str, wanted: Sequence[str]) -> dict[int, tuple[float, set[str]]]:
        """Score and words found, by the place of each document that holds a wanted word."""
        words = self.words(field)
        holding = [each for each in words if each]
        mean = sum(map(len, holding)) / len(holding) if holding else 1.0
        counted = {place: Counter(each) for place, each in enumerate(words) if each}
        scores: dict[int, tuple[float, set[str]]] = {}
        for word in dict.fromkeys(wanted):
            places = [place for place, counts in counted.items() if word in counts]
            rarity = math.log(1 + (len(holding) - len(places) + 0.5) / (len(places) + 0.5))
            for place in places:
                often = counted[place][word]
                gained = rarity * often / (often + K1 * (1 - B + B * len(words[place]) / mean))
                score, found = scores.get(place, (0.0, set()))
                scores[place] = score + gained, found | {word}
        return scores

    def nearest(
        self, field: str, vector: NDArray[np.float32], count: int, among: set[int], space: str
    ) -> dict[int, float]:
        """The nearest documents of some, with the scores that OpenSearch gives."""
        places = sorted(place for place in among if field in self.documents[place].vectors)
        if not places:
            return {}
        data = np.stack([self.documents[place].vectors[field] for place in places]).astype(np.float64)
        scores = _scores(data, vector.astype(np.float64), space)
        order = np.argsort(-scores, kind="stable")[:count]
        return {places[at]: float(scores[at]) for at in order}


def _scores(data: NDArray[np.float64], query: NDArray[np.float64], space: str) -> NDArray[np.float64]:
    if space == "cosinesimil":
        lengths = np.linalg.norm(data, axis=1) * np.linalg.norm(query)
        cosines = np.divide(data @ query, lengths, out=np.zeros(len(data)), where=lengths > 0)
        return np.asarray((1 + np.clip(cosines, -1, 1)) / 2, np.float64)
    if space == "innerproduct":
        products = data @ query
        return np.where(products >= 0, products + 1, 1 / (1 - np.minimum(products, 0)))
    difference = np.abs(data - query)
    distance = {
        "l2": lambda: np.square(difference).sum(axis=1),
        "l1": lambda: difference.sum(axis=1),
        "linf": lambda: difference.max(axis=1),
    }[space]()
    return np.asarray(1 / (1 + distance), np.float64)


def _values(source: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(source, list):
        for each in source:
            yield from _values(each, path)
    elif not path:
        if source is not None:
            yield source
    elif isinstance(source, Mapping):
        for length in range(1, len(path) + 1):  # a name may hold dots itself
            name = ".".join(path[:length])
            if name in source:
                yield from _values(source[name], path[length:])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)
