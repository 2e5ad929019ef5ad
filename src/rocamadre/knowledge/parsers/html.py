"""HTML: what a reader sees, as Markdown; without menus, scripts and hidden parts.

Tags are read one after the other and never as a tree, so that no nesting, and no tag that is not closed, costs more
than its characters.
"""

from __future__ import annotations

import re
from html import unescape

from rocamadre.documents.html_text import BLOCKS, HIDDEN, Tag, html_tags
from rocamadre.knowledge.parsers.builder import Builder, one_line
from rocamadre.knowledge.parsers.encodings import decode
from rocamadre.knowledge.parsers.file import File
from rocamadre.knowledge.parsers.parsed import Parsed

_UNSEEN = HIDDEN - {"head"} | {"svg", "math", "select", "datalist", "button", "iframe", "object", "canvas"}
_LONG_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}+;?")
_ATTRIBUTE = r"""\b%s\s{0,9}=\s{0,9}(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s"'>]{1,500}))"""
_NAME = re.compile(_ATTRIBUTE % "(?:name|property)", re.I)
_CONTENT = re.compile(_ATTRIBUTE % "content", re.I)
_LANGUAGE = re.compile(_ATTRIBUTE % "lang", re.I)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_FACTS = {"description": "description", "author": "author", "og:title": "title", "article:published_time": "date"}
_MOST_COLUMNS = 1000
_DEEPEST_LIST = 8


def parse_html(file: File) -> Parsed:
    """See `Parser`."""
    markup, _ = decode(file.data, declared=file.data[:4096])
    return parse_markup(markup, file.limits.characters)


def parse_markup(markup: str, most: int) -> Parsed:
    """A page that is text already.

    Args:
        markup: HTML, or parts of it.
        most: Characters of text.
    """
    return _Page(most).read(markup)


def _plain(markup: str) -> str:
    return unescape(_LONG_REFERENCE.sub("\ufffd", markup)) if "&" in markup else markup


class _Page:
    """Reads one page.

    Attributes:
        line: The words of the paragraph that is being read.
        rows: Of the outermost table that is open, each cell in pieces; None outside of tables.
        menus: Where the text stood when each open menu began: a menu that is closed is taken back.
    """

    def __init__(self, most: int) -> None:
        self.builder = Builder(most)
        self.line: list[str] = []
        self.heading = 0
        self.marker = ""
        self.lists = 0
        self.verbatim = 0
        self.rows: list[list[list[str]]] | None = None
        self.depth = 0
        self.menus: list[tuple[int, ...]] = []
        self.title = ""
        self.facts: dict[str, str] = {}

    def read(self, markup: str) -> Parsed:
        for tag in html_tags(markup, hidden=_UNSEEN):
            if tag.before:
                self._words(tag.before)
            if tag.name:
                self._tag(tag)
        while self.depth:
            self._end_table()
        self._end_line()
        title = self.title or self.facts.pop("title", "")
        self.facts.pop("title", None)
        return self.builder.parsed("text/html", title=title, metadata=self.facts)

    def _words(self, markup: str) -> None:
        words = _plain(markup)
        if not self.verbatim:
            # White space between tags separates words; more of it does not.
            lead, trail = words[:1].isspace(), words[-1:].isspace()
            words = one_line(words)
            words = f"{' ' * lead}{words}{' ' * (trail and bool(words))}"
        self.line.append(words)

    def _tag(self, tag: Tag) -> None:
        name = tag.name
        if name == "title":
            self.title = self.title or one_line(_plain(tag.hidden))[:1000]
        elif name == "meta":
            self._fact(tag.attributes)
        elif name == "html" and not tag.closing:
            language = _value(_LANGUAGE, tag.attributes)
            if language:
                self.facts["language"] = language[:20]
        elif name in ("table", "tr", "td", "th"):
            self._table_tag(tag)
        elif name == "nav":
            self._menu(closing=tag.closing)
        elif name == "br":
            self.line.append("\n" if self.rows is None else " ")
        elif name in BLOCKS:
            self._block(tag)

    def _block(self, tag: Tag) -> None:
        if self.rows is not None:
            self.line.append(" ")
            return
        self._end_line()
        name = tag.name
        if name not in ("p", "div"):
            self.marker = ""
        if name in _HEADINGS:
            self.heading = 0 if tag.closing else _HEADINGS[name]
        elif name in ("ul", "ol"):
            self.lists = max(0, self.lists + (-1 if tag.closing else 1))
            if self.lists == (0 if tag.closing else 1):
                self.builder.gap()
        elif name == "li":
            self.marker = "" if tag.closing else f"{'  ' * min(self.lists - 1, _DEEPEST_LIST)}- "
        elif name == "pre":
            self.verbatim = 0 if tag.closing else 1

    def _end_line(self) -> None:
        words = "".join(self.line)
        self.line.clear()
        if self.verbatim:
            text = words.strip("\n")
        else:
            text = "\n".join(filter(None, (one_line(each) for each in words.split("\n"))))
        if not text.strip():
            return
        if self.heading:
            self.builder.heading(self.heading, text)
        elif self.verbatim:
            self.builder.gap()
            self.builder.add(text.rstrip())
        elif self.marker:
            self.builder.gap(1)
            self.builder.add(self.marker + text)
        else:
            self.builder.paragraph(text)

    def _table_tag(self, tag: Tag) -> None:
        if tag.name == "table":
            if tag.closing:
                self._end_table()
                return
            if self.rows is None:
                self._end_line()
                self.rows = []
            self.depth += 1
        elif self.rows is None:
            self.line.append(" ")
        elif self.depth == 1:
            self._end_cell()
            if tag.name == "tr" and not tag.closing:
                self.rows.append([])
            elif tag.name != "tr" and not tag.closing:
                if not self.rows:
                    self.rows.append([])
                if len(self.rows[-1]) < _MOST_COLUMNS:
                    self.rows[-1].append([])
        else:
            self.line.append(" ")

    def _end_cell(self) -> None:
        if self.rows and self.rows[-1] and self.line:
            self.rows[-1][-1].append(one_line("".join(self.line)))
            self.line.clear()

    def _end_table(self) -> None:
        if not self.depth:
            return
        self.depth -= 1
        if self.depth or self.rows is None:
            return
        self._end_cell()
        rows = [[" ".join(filter(None, cell)) for cell in row] for row in self.rows]
        rows, self.rows = [row for row in rows if any(row)], None
        if len(rows) > 1 and max(map(len, rows)) > 1 and not _is_layout(rows):
            self.builder.table(rows)
        else:
            for row in rows:
                for cell in row:
                    self.builder.paragraph(cell)

    def _menu(self, *, closing: bool) -> None:
        if self.rows is not None:
            return
        self._end_line()
        if not closing:
            if len(self.menus) < _MOST_COLUMNS:
                self.menus.append(self.builder.mark_position())
        elif self.menus:
            self.builder.take_back(self.menus.pop())

    def _fact(self, attributes: str) -> None:
        name = _FACTS.get(_value(_NAME, attributes).lower())
        if name is not None and name not in self.facts:
            value = one_line(_plain(_value(_CONTENT, attributes)))
            if value:
                self.facts[name] = value[:2000]


def _value(pattern: re.Pattern[str], attributes: str) -> str:
    found = pattern.search(attributes[:10_000])
    return next((group for group in found.groups() if group), "") if found else ""


def _is_layout(rows: list[list[str]]) -> bool:
    """Whether a table only places things on a page: cells as long as paragraphs."""
    cells = [cell for row in rows for cell in row if cell]
    return sum(map(len, cells)) > 400 * len(cells)
