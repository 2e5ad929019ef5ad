"""RECURSIVE: cut at the coarsest seam, and only what is still too large at the next finer one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rocamadre.knowledge.chunkers.measured import Measured, Positions
from rocamadre.knowledge.chunkers.registry import CountTokens, Embed, Piece
from rocamadre.knowledge.chunkers.windows import windows
from rocamadre.knowledge.parsers.parsed import Parsed


@dataclass(frozen=True, slots=True)
class Recursive:
    """Sections, else paragraphs, else sentences, else lines, else words; small neighbours are put together again.

    Attributes:
        max_tokens: Most of a piece.
        overlap_tokens: How many a piece shares with the next, at most, in whole parts.
    """

    max_tokens: int = 300
    overlap_tokens: int = 0

    def chunk(self, parsed: Parsed, count_tokens: CountTokens, embed: Embed | None = None) -> list[Piece]:
        """See `Chunker`."""
        del embed
        measured = Measured(parsed, count_tokens, self.max_tokens)
        paragraphs = np.intersect1d(measured.paragraphs, measured.units)
        seams = (measured.sections, paragraphs, measured.units, measured.lines)
        pieces: list[Piece] = []
        for first, last, metadata in measured.ranges():
            bounds = np.array([start for start, _ in self._parts(measured, first, last, seams)], np.int64)
            pieces += [
                measured.piece(start, end, metadata=metadata)
                for start, end in windows(
                    measured,
                    first,
                    last,
                    most=self.max_tokens,
                    overlap=self.overlap_tokens,
                    ends=((bounds, 0.0),),
                    begins=bounds,
                )
            ]
        return pieces

    def _parts(
        self, measured: Measured, first: int, last: int, seams: Sequence[Positions]
    ) -> Iterator[tuple[int, int]]:
        """Ranges that have room in a piece, or have no seam left."""
        waiting = [(first, last, 0)]
        while waiting:
            start, end, level = waiting.pop()
            if measured.cost(start, end) <= self.max_tokens or level >= len(seams):
                yield start, end
                continue
            low, high = np.searchsorted(seams[level], [start + 1, end])
            bounds = [start, *map(int, seams[level][low:high]), end]
            waiting += reversed([(a, b, level + 1) for a, b in pairwise(bounds)])
