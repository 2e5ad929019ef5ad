"""Text with its pages, headings, tables and records, put together piece by piece."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers.parsed import Heading, Page, Parsed, Record, Table

_SURROGATES = re.compile("[\ud800-\udfff]")
_LARGE_TABLE = 30
_MOST_MARKS = 200_000
_NOTHING: Mapping[str, Any] = {}


def cleaned(text: str) -> str:
    r"""With line feeds for all line ends, and without characters that no other program takes.

    >>> cleaned("a\r\nb\rc\0")
    'a\nb\nc'
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()  # Ten times as fast as to search for what is hardly ever there.
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def one_line(text: str) -> str:
    r"""With single spaces for all white space.

    >>> one_line(" a \n b ")
    'a b'
    """
    return " ".join(text.split())


class Builder:
    """What parsers write into.

    Args:
        most: Characters.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: list[str] = []
        self._end = "\n\n"
        self._page: tuple[int, int] | None = None
        self.length = 0
        self.pages: list[Page] = []
        self.headings: list[Heading] = []
        self.tables: list[Table] = []
        self.records: list[Record] = []

    def add(self, text: str) -> None:
        """Append text as it is.

        Raises:
            Refused: it is too much.
        """
        text = cleaned(text)
        if not text:
            return
        self.length += len(text)
        if self.length > self._most:
            raise Refused(f"the document holds over {self._most} characters of text; split it", "too-much-text")
        self._pieces.append(text)
        self._end = (self._end + text[-2:])[-2:]

    def gap(self, lines: int = 2) -> None:
        """End the line, and leave one empty for `lines` of 2, unless that is so already, or nothing was written."""
        if self.length:
            ended = len(self._end) - len(self._end.rstrip("\n"))
            self.add("\n" * max(0, lines - ended))

    def paragraph(self, text: str) -> None:
        """A block of its own."""
        text = text.strip()
        if text:
            self.gap()
            self.add(text)

    def heading(self, level: int, title: str, *, marks: bool = True) -> None:
        """A heading on a line of its own, as Markdown writes it, or without its marks."""
        title = one_line(cleaned(title))
        if not title:
            return
        self.gap()
        start = self.length
        self.add(f"{'#' * min(level, 6)} {title}" if marks else title)
        if len(self.headings) < _MOST_MARKS:
            self.headings.append(Heading(start, self.length, level, title))
        self.gap()

    def table(self, rows: Sequence[Sequence[str]], *, header: bool = True) -> None:
        """A table as Markdown, its first row as the heading; a large one as a line per row that names the columns.

        So that a chunk from the middle of a large table still says what its figures are.
        """
        cells = [row for row in ([one_line(cell) for cell in row] for row in rows) if any(row)]
        if not cells:
            return
        width = max(map(len, cells))
        cells = [row + [""] * (width - len(row)) for row in cells]
        self.gap()
        start = self.length
        if header and len(cells) > _LARGE_TABLE and any(cells[0]):
            self.add("\n".join(record_line(cells[0], row) for row in cells[1:]))
            self._mark_table(start, 0)
        else:
            lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells]
            self.add("\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]]))
            self._mark_table(start, 2)
        self.gap()

    def record(self, text: str, metadata: Mapping[str, Any] | None = None) -> None:
        """A line, or several, that should stay together."""
        text = cleaned(text.strip())
        if not text:
            return
        apart = self.length > 0 and self._end[-1] != "\n"
        start = self.length + apart
        self.add(f"\n{text}" if apart else text)
        self.records.append(Record(start, self.length, metadata or _NOTHING))

    def begin_page(self, number: int) -> None:
        """What follows is on this page; ends the one before."""
        self.end_page()
        self.gap()
        self._page = (self.length, number)

    def end_page(self) -> None:
        """What follows is on no page."""
        if self._page is not None:
            start, number = self._page
            self.pages.append(Page(start, self.length, number))
            self._page = None

    def nested(self, parsed: Parsed) -> None:
        """Another document within this one, with its headings and tables, but not its pages."""
        self.gap()
        start = self.length
        self.add(parsed.text)
        self.headings += [each._replace(start=each.start + start, end=each.end + start) for each in parsed.headings]
        self.tables += [each._replace(start=each.start + start, end=each.end + start) for each in parsed.tables]
        self.records += [each._replace(start=each.start + start, end=each.end + start) for each in parsed.records]

    def mark_position(self) -> tuple[int, ...]:
        """Where the text stands, for `take_back`."""
        return len(self._pieces), self.length, len(self.headings), len(self.tables), len(self.records)

    def take_back(self, position: tuple[int, ...]) -> None:
        """Forget what was written since."""
        pieces, self.length, headings, tables, records = position
        del self._pieces[pieces:], self.headings[headings:], self.tables[tables:], self.records[records:]
        self._end = ("\n\n" + "".join(self._pieces[-2:]))[-2:]

    def parsed(self, media_type: str, *, title: str = "", metadata: Mapping[str, Any] | None = None) -> Parsed:
        """All of it.

        Raises:
            Refused: there is no text.
        """
        self.end_page()
        text = "".join(self._pieces).rstrip("\n")
        if not text.strip():
            raise Refused("the document holds no text", "no-text")
        title = one_line(cleaned(title)) or (self.headings[0].title if self.headings else "")
        return Parsed(
            text,
            media_type,
            tuple(Page(min(page.start, len(text)), min(page.end, len(text)), page.number) for page in self.pages),
            tuple(self.headings),
            tuple(self.tables),
            title[:1000],
            metadata or {},
            tuple(self.records),
        )

    def _mark_table(self, start: int, header: int) -> None:
        if len(self.tables) < _MOST_MARKS:
            self.tables.append(Table(start, self.length, header))


def record_line(names: Sequence[str], values: Sequence[str]) -> str:
    """A row with the names of its columns; empty cells are left out.

    >>> record_line(["Country", "Capital"], ["España", "Madrid"])
    'Country: España; Capital: Madrid'
    """
    found = []
    for place, value in enumerate(values):
        if value:  # Rows of spreadsheets may be thousands of empty cells wide.
            words = " ".join(value.split())
            name = names[place] if place < len(names) else ""
            if words:
                found.append(f"{name}: {words}" if name else words)
    return "; ".join(found)
