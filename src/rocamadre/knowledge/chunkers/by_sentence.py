"""BY_SENTENCE: so many sentences at a time."""

from __future__ import annotations

from dataclasses import dataclass

from rocamadre.knowledge.chunkers.measured import Measured, inner
from rocamadre.knowledge.chunkers.registry import CountTokens, Embed, Piece
from rocamadre.knowledge.chunkers.windows import windows
from rocamadre.knowledge.parsers.parsed import Parsed


@dataclass(frozen=True, slots=True)
class BySentence:
    """Windows of whole sentences.

    Attributes:
        sentences: In a piece.
        overlap_sentences: That a piece shares with the next; fewer than `sentences`.
        max_tokens: Most of a piece; sentences that have more are cut.
    """

    sentences: int = 5
    overlap_sentences: int = 0
    max_tokens: int = 512

    def chunk(self, parsed: Parsed, count_tokens: CountTokens, embed: Embed | None = None) -> list[Piece]:
        """See `Chunker`."""
        del embed
        measured = Measured(parsed, count_tokens, self.max_tokens)
        units = measured.units
        pieces: list[Piece] = []
        for first, last, metadata in measured.ranges():
            bounds = [first, *inner(units, first, last), last]
            step = self.sentences - self.overlap_sentences
            for place in range(0, len(bounds) - 1, step):
                stop = min(len(bounds) - 1, place + self.sentences)
                pieces += [
                    measured.piece(begun, end, metadata=metadata)
                    for begun, end in windows(
                        measured, bounds[place], bounds[stop], most=self.max_tokens, ends=((units, 0.0),)
                    )
                ]
                if stop == len(bounds) - 1:
                    break
        return pieces
