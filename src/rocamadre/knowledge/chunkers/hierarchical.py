"""HIERARCHICAL: small pieces are searched, and the larger ones they were cut from are returned."""

from __future__ import annotations

from dataclasses import dataclass

from rocamadre.knowledge.chunkers.measured import Measured
from rocamadre.knowledge.chunkers.registry import CountTokens, Embed, Piece
from rocamadre.knowledge.chunkers.windows import windows
from rocamadre.knowledge.parsers.parsed import Parsed

_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Hierarchical:
    """Parents of whole sentences, each followed by its children, which lie within it.

    Attributes:
        parent_tokens: Most of a parent.
        child_tokens: Most of a child; fewer than of a parent.
        overlap_tokens: How many a piece shares with the next one of its layer, at most, in whole sentences of
            parents and whole words of children.
    """

    parent_tokens: int = 1500
    child_tokens: int = 300
    overlap_tokens: int = 60

    def chunk(self, parsed: Parsed, count_tokens: CountTokens, embed: Embed | None = None) -> list[Piece]:
        """See `Chunker`."""
        del embed
        measured = Measured(parsed, count_tokens, self.child_tokens)
        units, sections = measured.units, measured.sections
        pieces: list[Piece] = []
        for first, last, metadata in measured.ranges():
            for start, end in windows(
                measured,
                first,
                last,
                most=self.parent_tokens,
                overlap=self.overlap_tokens,
                ends=((sections, _HALF), (units, _HALF)),
                begins=units,
            ):
                parent = len(pieces)
                pieces.append(measured.piece(start, end, searched=False, metadata=metadata))
                pieces += [
                    measured.piece(child, stop, parent=parent, metadata=metadata)
                    for child, stop in windows(
                        measured,
                        start,
                        end,
                        most=self.child_tokens,
                        overlap=self.overlap_tokens,
                        ends=((units, _HALF),),
                    )
                ]
        return pieces
