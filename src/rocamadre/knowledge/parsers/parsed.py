"""What a document is once it has been parsed, and why it was not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from rocamadre.core.errors import RocamadreError

Reason: TypeAlias = Literal[
    "empty",
    "too-large",
    "too-much-text",
    "too-many-pages",
    "unsupported",
    "encrypted",
    "damaged",
    "nested-too-deeply",
    "no-text",
    "needs-ocr",
    "timeout",
    "memory",
    "crash",
    "unreadable",
    "bad-metadata",
]
"""Why a document failed; `timeout`, `memory` and `crash` are those of the process that parsed it."""


class ParseFailure(RocamadreError):
    """The document cannot be parsed.

    Attributes:
        reason: A word of `Reason`, for counting and for programs; the message is the sentence for people.
    """

    codes = ("ValidationException",)

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


class Page(NamedTuple):
    """A page of a pdf, a slide, a sheet: characters `start` to `end`, and its number, from 1."""

    start: int
    end: int
    number: int


class Heading(NamedTuple):
    """A heading: the characters of its line, its level, from 1, and its words without marks."""

    start: int
    end: int
    level: int
    title: str


class Table(NamedTuple):
    """The characters of a table, a line per row.

    Attributes:
        header: Lines at its beginning that name the columns.
    """

    start: int
    end: int
    header: int


class Record(NamedTuple):
    """A row of a CSV file, or a line of JSON: characters that should stay together, and metadata of their own."""

    start: int
    end: int
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document's text, and where in it things are. All positions are characters of `text`.

    Attributes:
        text: Lines end with a line feed; no NUL and no lone surrogate is in it.
        media_type: What the file really was, such as `application/pdf`.
        pages: In order, without overlap; empty for formats without pages.
        headings: In order.
        tables: In order, without overlap.
        title: Of the document: declared, or its first heading; may be empty.
        metadata: What the file says of itself (author, date…), and `x-rocamadre-…` facts of the parsing.
        records: In order, without overlap; empty for all but rows and lines of data.
    """

    text: str
    media_type: str = "text/plain"
    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()
    tables: tuple[Table, ...] = ()
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[Record, ...] = ()


class Places:
    """Answers where in a document a character stands, each in logarithmic time."""

    def __init__(self, parsed: Parsed) -> None:
        self._pages = parsed.pages
        self._page_starts = [page.start for page in parsed.pages]
        self._heading_starts = [heading.start for heading in parsed.headings]
        self._paths = _paths(parsed.headings)

    def page(self, at: int) -> int | None:
        """The page of a character; between two pages, the one before."""
        place = bisect_right(self._page_starts, at)
        return self._pages[max(0, place - 1)].number if self._pages else None

    def headings(self, at: int) -> tuple[str, ...]:
        """The titles that a character stands under, outermost first; those of a heading include its own."""
        place = bisect_right(self._heading_starts, at)
        return self._paths[place - 1] if place else ()


def _paths(headings: Sequence[Heading]) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    open_: list[tuple[int, str]] = []
    for heading in headings:
        while open_ and open_[-1][0] >= heading.level:
            open_.pop()
        open_.append((heading.level, heading.title))
        paths.append(tuple(title for _, title in open_))
    return paths
