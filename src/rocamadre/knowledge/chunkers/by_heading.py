"""BY_HEADING: a piece per section, with all of it if there is room."""

from __future__ import annotations

from dataclasses import dataclass

from rocamadre.knowledge.chunkers.measured import Measured, inner
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
        begins = sorted(set(begins).intersection(measured.sections))
        pieces: list[Piece] = []
        for first, last, metadata in measured.ranges():
            within = inner(begins, first, last)
            for start, end in zip([first, *within], [*within, last], strict=True):
                pieces += [
                    measured.piece(begun, stop, metadata=metadata)
                    for begun, stop in windows(
                        measured, start, end, most=self.max_tokens, ends=((measured.units, 0.0), (measured.lines, 0.5))
                    )
                ]
        return pieces
