"""What a document is once it has been read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

PartKind: TypeAlias = Literal["page", "sheet", "body"]

MOST_BYTES = 4_718_592
"""4.5 MB, Amazon Bedrock's limit for one document."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one document may cost. Whoever exceeds a limit is refused; nothing is cut off silently.

    Attributes:
        size_bytes: Of the file.
        expanded_bytes: Of what is unpacked from it, all together.
        characters: Of the text that comes out.
        pages: Of a pdf.
        memory_bytes: Address space of the process that parses it.
        cpu_s: Seconds of computing.
        wall_s: Seconds on the clock.
    """

    size_bytes: int = MOST_BYTES
    expanded_bytes: int = 256 * 1024 * 1024
    characters: int = 4_000_000
    pages: int = 5000
    memory_bytes: int = 768 * 1024 * 1024
    cpu_s: int = 20
    wall_s: float = 40.0


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a document that people point at.

    Attributes:
        kind: `page` of a pdf, `sheet` of a workbook, `body` of everything else.
        name: The page's number, from 1, the sheet's name, or nothing.
        text: May be empty.
    """

    kind: PartKind
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class DocumentText:
    """A document's text, by parts, in reading order."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        r"""All of it, with a line before each page or sheet that says which it is; a single page has none.

        >>> DocumentText((Part("page", "1", "One"), Part("page", "2", ""))).text
        '[page 1]\nOne\n\n[page 2]'
        """
        several = len(self.parts) > 1
        pieces = [
            f"[{part.kind} {part.name}]\n{part.text}".rstrip()
            if part.kind == "sheet" or (several and part.kind == "page" and self.has_text)
            else part.text
            for part in self.parts
        ]
        return "\n\n".join(pieces) if self.has_text else ""

    @property
    def has_text(self) -> bool:
        """Whether there is anything to read; a scanned pdf has nothing."""
        return any(part.text and not part.text.isspace() for part in self.parts)
