"""BY_HEADING: a piece per section, with all of it if there is room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rocamadre.knowledge.chunkers.measured import Measured
from rocamadre.knowledge.chunkers.registry import CountTokens, Embed, Piece
from rocamadre.knowledge.chunkers.windows import windows
from rocamadre.knowledge.parsers.parsed import Parsed


@dataclass(frozen=True, slots=True)
class ByHeading:
    """A section ends at the next heading; one with nothing but its heading goes with the one that follows.

    Attributes:
        max_tokens: Most of a piece; a longer section is cut between sentences.
        deepest_level: Headings below this level begin no section; 1 is the highest.
    """

    max_tokens: int = 512
    deepest_level: int = 6

    def chunk(self, parsed: Parsed, count_tokens: CountTokens, embed: Embed | None = None) -> list[Piece]:
        """See `Chunker`."""
        del embed
        measured = Measured(parsed, count_tokens, self.max_tokens)
        begins = measured.word_at(heading.start for heading in parsed.headings if heading.level <= self.deepest_level)
        begins = np.intersect1d(begins, measured.sections)
        pieces: list[Piece] = []
        for first, last, metadata in measured.ranges():
            inner = [int(begin) for begin in begins if first < begin < last] if len(begins) else []
            for start, end in zip([first, *inner], [*inner, last], strict=True):
                pieces += [
                    measured.piece(begun, stop, metadata=metadata)
                    for begun, stop in windows(
                        measured, start, end, most=self.max_tokens, ends=((measured.units, 0.0), (measured.lines, 0.5))
                    )
                ]
        return pieces
