"""Markdown: kept as it is; headings and tables are found in it."""

from __future__ import annotations

import re
from typing import Any

from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers.builder import cleaned, one_line
from rocamadre.knowledge.parsers.encodings import decode
from rocamadre.knowledge.parsers.file import File
from rocamadre.knowledge.parsers.parsed import Heading, Parsed, Table

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_FRONT = re.compile(r"---\n(.{0,5000}?)\n---\n", re.S)
_FACT = re.compile(r"^(title|author|date|description|lang)[ \t]*:[ \t]*(.{1,500})$", re.M)
_LONGEST = 2000
"""Characters of a line that may be a heading or the rule of a table."""


def parse_markdown(file: File) -> Parsed:
    """See `Parser`."""
    text, encoding = decode(file.data)
    text = cleaned(text)
    if len(text) > file.limits.characters:
        raise Refused(f"the document holds over {file.limits.characters} characters of text; split it", "too-much-text")
    if not text.strip():
        raise Refused("the document holds no text", "no-text")
    facts: dict[str, Any] = {}
    front = _FRONT.match(text)
    if front is not None:
        facts = {name: value.strip("\"' ") for name, value in _FACT.findall(front[1])}
    headings, tables = structure(text, begin=front.end() if front else 0)
    title = facts.pop("title", "") or next((each.title for each in headings if each.level == 1), "")
    title = title or (headings[0].title if headings else "")
    facts["x-rocamadre-encoding"] = encoding
    return Parsed(text, "text/markdown", (), tuple(headings), tuple(tables), title[:1000], facts)


def structure(text: str, *, begin: int = 0, fences: bool = True) -> tuple[list[Heading], list[Table]]:
    """Headings and tables of Markdown, in one pass over its lines.

    Args:
        text: Markdown.
        begin: Where to begin.
        fences: Whether there are blocks of code, in which nothing is a heading.
    """
    headings: list[Heading] = []
    tables: list[Table] = []
    fence = ""
    before = (begin, begin)
    table: int | None = None
    at = begin
    while at < len(text):
        found = text.find("\n", at)
        end = len(text) if found < 0 else found
        line = text[at : min(end, at + _LONGEST)]
        if table is not None and "|" not in line:
            tables.append(Table(table, before[1], 2))
            table = None
        mark = _FENCE.match(line) if fences else None
        if fence:
            if mark is not None and mark[1].startswith(fence):
                fence = ""
        elif mark is not None:
            fence = mark[1][:3]
        elif table is None:
            if (heading := _heading(text, line, before, (at, end))) is not None:
                headings.append(heading)
            elif _is_rule(line) and "|" in text[before[0] : before[1]]:
                table = before[0]
        before = (at, end)
        at = end + 1
    if table is not None:
        tables.append(Table(table, before[1], 2))
    return headings, tables


def _heading(text: str, line: str, before: tuple[int, int], here: tuple[int, int]) -> Heading | None:
    """A heading on this line, or one that this line underlines."""
    marked = _HEADING.match(line)
    if marked is not None and len(line) < _LONGEST:
        title = one_line(marked[2])
        return Heading(here[0], here[1], len(marked[1]), title) if title else None
    under = _UNDERLINE.match(line)
    if under is None or before[0] == here[0] or before[1] - before[0] > 200:
        return None
    title = one_line(text[before[0] : before[1]])
    if not title or title[0] in "#|->*+`~=" or "|" in title:
        return None
    return Heading(before[0], here[1], 1 if under[1][0] == "=" else 2, title)


def _is_rule(line: str) -> bool:
    return "-" in line and "|" in line and _RULE.match(line) is not None
