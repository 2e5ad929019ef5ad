"""NONE: a document is one piece. So is a row of data that has metadata of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rocamadre.knowledge.chunkers.registry import CountTokens, Embed, Piece
from rocamadre.knowledge.parsers.parsed import Parsed, Places


@dataclass(frozen=True, slots=True)
class WholeDocument:
    """Cuts nothing. An embedder reads no more than its own limit of tokens; the text is kept whole all the same."""

    def chunk(self, parsed: Parsed, count_tokens: CountTokens, embed: Embed | None = None) -> list[Piece]:
        """See `Chunker`."""
        del count_tokens, embed
        places = Places(parsed)
        ranges: list[tuple[int, int, Mapping[str, Any]]] = [record for record in parsed.records if record.metadata]
        pieces = []
        for start, end, metadata in ranges or [(0, len(parsed.text), {})]:
            whole = parsed.text[start:end]
            first = start + len(whole) - len(whole.lstrip())
            text = whole.strip()
            if text:
                headings, page = places.headings(first), places.page(first)
                pieces.append(Piece(first, first + len(text), text, headings, page, metadata=metadata))
        return pieces
