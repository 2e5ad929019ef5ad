"""RECURSIVE: cut at the coarsest seam, and only what is still too large at the next finer one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rocamadre.knowledge.chunkers.measured import Measured, Positions, inner
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
        pieces: list[Piece] = []
        for first, last, metadata in measured.ranges():
            bounds = [start for start, _ in self._parts(measured, first, last)]
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

    def _parts(self, measured: Measured, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Ranges that have room in a piece, or have no seam left."""
        waiting = [(first, last, 0)]
        while waiting:
            start, end, level = waiting.pop()
            if level == _FINEST or measured.cost(start, end) <= self.max_tokens:
                yield start, end
                continue
            bounds = [start, *_seams(measured, start, end, level), end]
            waiting += [(a, b, level + 1) for a, b in pairwise(bounds)][::-1]


_FINEST = 4


def _seams(measured: Measured, start: int, end: int, level: int) -> Positions:
    """The seams of a level within a range that ends at seams of the level above."""
    match level:
        case 0:
            return inner(measured.sections, start, end)
        case 1 if measured.is_plain:
            return inner(measured.paragraphs, start, end)
        case 1:
            return sorted(set(inner(measured.paragraphs, start, end)).intersection(measured.units))
        case 2:
            return measured.units_within(start, end)
    return inner(measured.lines, start, end)
