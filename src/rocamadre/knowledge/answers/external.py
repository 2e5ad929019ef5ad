"""Documents that come with a question: parsed, cut into chunks, and ranked in memory; nothing of them is kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.answers.types import Embed, Passage
from rocamadre.knowledge.chunkers.registry import chunker_of, settings_of
from rocamadre.knowledge.languages import analyse, detect
from rocamadre.knowledge.parsers.isolated import ParserPool
from rocamadre.knowledge.parsers.parsed import ParseFailure

RESULTS = 5
_COMPARED = 40
_VECTORS = {"en": 0.4}
_VECTORS_ELSEWHERE = 0.15
_CHARACTERS_PER_TOKEN = 4
_K1, _B = 1.2, 0.75


class ExternalDocument:
    """One document, ready to be asked. Blocks.

    Args:
        data: The file.
        name: Its name or URI; its ending helps to tell the format.
        media_type: As the client declares it; may be empty.
        location: The wire's `RetrievalResultLocation`.
        metadata: The wire's.
        embed: Vectors; None: words alone rank.

    Raises:
        InvalidRequest: it cannot be parsed; the sentence says why.
    """

    def __init__(
        self,
        data: bytes,
        name: str,
        media_type: str,
        *,
        location: Mapping[str, Any],
        metadata: Mapping[str, Any],
        embed: Embed | None,
    ) -> None:
        try:
            with ParserPool(workers=1) as parsers:
                parsed = parsers.parse(data, name, media_type)
        except ParseFailure as error:
            raise InvalidRequest(
                f"sources.0: {name[:200]!r} cannot be read ({error.reason}): {error.message}"
            ) from error
        self._language = detect(parsed.text[:5000])
        pieces = chunker_of(settings_of(None)).chunk(parsed, _count, None)
        self._passages = [
            Passage(
                piece.text,
                self._language,
                0.0,
                {"type": "TEXT", "text": piece.text},
                location,
                {**metadata, **({"x-amz-bedrock-kb-document-page-number": float(piece.page)} if piece.page else {})},
            )
            for piece in pieces
            if piece.searched
        ]
        self._embed = embed
        self._terms = [Counter(analyse(each.text, self._language)) for each in self._passages]

    def find(self, query: str) -> list[Passage]:
        """The chunks nearest to a query, best first."""
        if not self._passages:
            return []
        lexical = self._by_words(query)
        order = np.argsort(-lexical, kind="stable")[:_COMPARED]
        scores = lexical / (float(lexical.max()) or 1.0)
        if self._embed is not None and len(self._passages) > 1:
            share = _VECTORS.get(self._language, _VECTORS_ELSEWHERE)
            vectors = self._embed([query, *(self._passages[k].text for k in order)])
            similar = np.full(len(scores), -1.0)
            similar[order] = vectors[1:] @ vectors[0]
            scores = (1 - share) * scores + share * (similar + 1) / 2
        best = sorted(order, key=lambda k: (-scores[k], k))[:RESULTS]
        return [_scored(self._passages[k], float(scores[k])) for k in best]

    def _by_words(self, query: str) -> NDArray[np.float64]:
        count = len(self._passages)
        lengths = [sum(terms.values()) for terms in self._terms]
        mean = sum(lengths) / count or 1.0
        scores = np.zeros(count)
        for term in set(analyse(query, self._language)):
            holding = [k for k in range(count) if term in self._terms[k]]
            idf = math.log(1 + (count - len(holding) + 0.5) / (len(holding) + 0.5))
            for k in holding:
                times = self._terms[k][term]
                scores[k] += idf * times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * lengths[k] / mean))
        return scores


def _scored(passage: Passage, score: float) -> Passage:
    return Passage(passage.text, passage.language, score, passage.content, passage.location, passage.metadata)


def _count(text: str) -> int:
    return max(1, len(text) // _CHARACTERS_PER_TOKEN)
