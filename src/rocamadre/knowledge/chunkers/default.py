"""What Bedrock does when it is told nothing: some 300 tokens of whole sentences."""

from __future__ import annotations

from dataclasses import dataclass

from rocamadre.knowledge.chunkers.measured import Measured
from rocamadre.knowledge.chunkers.registry import CountTokens, Embed, Piece
from rocamadre.knowledge.chunkers.windows import windows
from rocamadre.knowledge.parsers.parsed import Parsed

_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Default:
    """Whole sentences, rows and items, up to `max_tokens`; a piece that is half full ends where a new heading is.

    Attributes:
        max_tokens: At least 1; a sentence that has more is cut at its lines, or else between words.
    """

    max_tokens: int = 300

    def chunk(self, parsed: Parsed, count_tokens: CountTokens, embed: Embed | None = None) -> list[Piece]:
        """See `Chunker`."""
        del embed
        measured = Measured(parsed, count_tokens, self.max_tokens)
        ends = ((measured.sections, _HALF), (measured.units, 0.0), (measured.lines, _HALF))
        return [
            measured.piece(start, end, metadata=metadata)
            for first, last, metadata in measured.ranges()
            for start, end in windows(measured, first, last, most=self.max_tokens, ends=ends)
        ]
