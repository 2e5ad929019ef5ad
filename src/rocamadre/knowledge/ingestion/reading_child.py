"""Parses documents, and cuts and analyses those that are not huge, in one process: `… reading_child LIMITS SETTINGS`.

What `parsers.child` says of its process is true of this one; cutting is in the same time and memory as parsing.
"""

from __future__ import annotations

import sys

import msgspec

from rocamadre.knowledge.ingestion.cutting import CutSettings, analysed, packed
from rocamadre.knowledge.parsers import child
from rocamadre.knowledge.parsers.parsed import Heading, Page, Parsed, Record, Table

LONGEST = 1 << 20
"""Characters; what has more is cut by a `Cutter`, which is given other limits."""

_TEXT = (
    "# Title\n\nThe tide came in, as Mr. Smith said at 3.30. La marea subió despacio; el Sr. Ruiz no llegó.\n\n"
    "A maré subiu devagar. 東京都の文 \U0001f469\u200d\U0001f467 e\u0301te\u0301 हिन्दी\n\n"
    f"| a | b |\n|---|---|\n| 1 | 2 |\n\nAda Lovelace met Charles Babbage in London.\n{'x' * 200}"
)
_TABLE = Table(_TEXT.index("|"), _TEXT.index("Ada") - 2, 2)
_SAMPLES = (
    Parsed(_TEXT, pages=(Page(0, len(_TEXT), 1),), headings=(Heading(0, 7, 1, "Title"),), tables=(_TABLE,)),
    Parsed("a: 1\nb: 2\n", records=(Record(0, 4, {"row": 1}), Record(5, 9, {"row": 2}))),
)


def _load() -> child.Further:
    """Import what cutting needs, and use it: afterwards no file can be opened."""
    settings = msgspec.json.decode(sys.argv[2], type=CutSettings)
    chunker, counter = settings.chunker(), settings.counter()

    def cut(parsed: Parsed) -> tuple[Parsed, bytes]:
        if len(parsed.text) > LONGEST:
            return parsed, b""
        cuts = packed(analysed(parsed.text, chunker.chunk(parsed, counter), enrich=settings.enrich))
        return Parsed(parsed.text, parsed.media_type, title=parsed.title), cuts

    for sample in _SAMPLES:
        cut(sample)
    return cut


if __name__ == "__main__":
    child.main(_load)
