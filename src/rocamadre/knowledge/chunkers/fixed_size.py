"""FIXED_SIZE: windows of so many of the embedder's tokens that share a part with the next."""

from __future__ import annotations

from dataclasses import dataclass

from rocamadre.knowledge.chunkers.measured import Measured
from rocamadre.knowledge.chunkers.registry import CountTokens, Embed, Piece
from rocamadre.knowledge.chunkers.windows import windows
from rocamadre.knowledge.parsers.parsed import Parsed

_FULL = 0.85
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class FixedSize:
    """Pieces of at most `max_tokens`, full but for a last part in which a sentence ends. Words and rows stay whole.

    Attributes:
        max_tokens: At least 1.
        overlap_percentage: How much of a piece the next begins with, at most, in words.
    """

    max_tokens: int = 300
    overlap_percentage: int = 20

    def chunk(self, parsed: Parsed, count_tokens: CountTokens, embed: Embed | None = None) -> list[Piece]:
        """See `Chunker`."""
        del embed
        measured = Measured(parsed, count_tokens, self.max_tokens)
        overlap = self.max_tokens * self.overlap_percentage // 100
        return [
            measured.piece(start, end, metadata=metadata)
            for first, last, metadata in measured.ranges()
            for start, end in windows(
                measured,
                first,
                last,
                most=self.max_tokens,
                overlap=overlap,
                ends=((measured.rows[1], _HALF), (measured.units, _FULL)),
            )
        ]
