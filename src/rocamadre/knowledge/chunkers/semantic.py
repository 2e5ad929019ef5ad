"""SEMANTIC: a piece ends where what is said changes most.

Neighbouring sentences are embedded, each with `buffer_size` sentences before and behind it; where the cosine distance
between one and the next is above a percentile of all such distances of the document, a piece ends.

Source: the method that Amazon Bedrock documents for this strategy, first described by G. Kamradt, 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.chunkers.measured import Measured, Positions, inner
from rocamadre.knowledge.chunkers.registry import CountTokens, Embed, Piece
from rocamadre.knowledge.chunkers.windows import windows
from rocamadre.knowledge.parsers.parsed import Parsed

Vectors: TypeAlias = npt.NDArray[np.float32]

_AT_ONCE = 256
_LONGEST = 2000
"""Characters of a sentence that the embedder is shown; it would not read more."""


@dataclass(frozen=True, slots=True)
class Semantic:
    """Pieces of neighbouring sentences about the same.

    Attributes:
        max_tokens: Most of a piece; groups of sentences that have more are cut at sentences.
        buffer_size: Sentences on each side of one that are embedded with it.
        breakpoint_percentile: Of the distances; higher makes fewer and larger pieces.
    """

    max_tokens: int = 300
    buffer_size: int = 0
    breakpoint_percentile: int = 95

    def chunk(self, parsed: Parsed, count_tokens: CountTokens, embed: Embed | None = None) -> list[Piece]:
        """See `Chunker`.

        Raises:
            InvalidRequest: there is no embedder.
        """
        if embed is None:
            raise InvalidRequest("the chunking strategy SEMANTIC needs an embedder")
        measured = Measured(parsed, count_tokens, self.max_tokens)
        units = measured.units
        pieces: list[Piece] = []
        for first, last, metadata in measured.ranges():
            breaks = self._breaks(measured, [first, *inner(units, first, last), last], embed)
            for start, end in zip([first, *breaks], [*breaks, last], strict=True):
                pieces += [
                    measured.piece(begun, stop, metadata=metadata)
                    for begun, stop in windows(
                        measured, start, end, most=self.max_tokens, ends=((units, 0.0), (measured.lines, 0.5))
                    )
                ]
        return pieces

    def _breaks(self, measured: Measured, bounds: Positions, embed: Embed) -> list[int]:
        """The words at which a new subject begins; `bounds` are those at which sentences do, and the end."""
        if len(bounds) < 4:
            return []
        distances = self._distances(measured, bounds, embed)
        threshold = np.percentile(distances, self.breakpoint_percentile)
        return [bounds[place + 1] for place in np.flatnonzero(distances > threshold)]

    def _distances(self, measured: Measured, bounds: Positions, embed: Embed) -> Vectors:
        """The cosine distance of each sentence to the next."""
        count = len(bounds) - 1
        distances = np.empty(count - 1, np.float32)
        last: Vectors | None = None
        for begun in range(0, count, _AT_ONCE):
            stop = min(count, begun + _AT_ONCE)
            vectors = embed([self._around(measured, bounds, place) for place in range(begun, stop)])
            known = vectors if last is None else np.concatenate([last[None, :], vectors])
            cosines = np.einsum("ij,ij->i", known[:-1], known[1:])
            at = begun - (last is not None)
            distances[at : at + len(cosines)] = 1.0 - cosines
            last = vectors[-1]
        return distances

    def _around(self, measured: Measured, bounds: Positions, place: int) -> str:
        low = max(0, place - self.buffer_size)
        high = min(len(bounds) - 1, place + 1 + self.buffer_size)
        start, end = measured.starts[bounds[low]], measured.ends[bounds[high] - 1]
        return measured.text[start : min(end, start + _LONGEST)]
