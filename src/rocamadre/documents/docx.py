"""docx: paragraphs, headings, lists, tables, notes, headers and footers, in reading order, as Markdown.

Left out: text that was deleted with changes tracked, hidden text, comments, and instructions of fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rocamadre.documents.package import Element, Package
from rocamadre.documents.pieces import Text
from rocamadre.documents.types import Limits

_BLOCKS = frozenset({"w:p", "w:tbl"})
_SKIPPED = frozenset({"w:del", "w:moveFrom", "mc:Fallback", "w:instrText"})
_CHARACTERS = {"w:tab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-", "w:softHyphen": ""}
_HEADING = re.compile(r"heading ([1-9])")
_DEEPEST_LIST = 8


@dataclass
class _Style:
    """What a paragraph style says: the heading's level (0: none) and the list it belongs to."""

    heading: int = 0
    number: str = ""
    level: int = 0


@dataclass
class _Document:
    """What is known beside the text.

    Attributes:
        lists: Form of the numbers, by list and level.
        counts: How far each list is, by list and level.
    """

    styles: dict[str, _Style] = field(default_factory=dict)
    lists: dict[tuple[str, int], str] = field(default_factory=dict)
    counts: dict[tuple[str, int], int] = field(default_factory=dict)


def read_docx(data: bytes, text: Text, limits: Limits) -> None:
    """The whole document, as one part."""
    package = Package(data, "docx", limits)
    main = package.main_part("word/document.xml")
    related = list(package.relations(main).values())
    document = _Document()
    for kind, part in related:
        if kind == "styles" and part in package:
            document.styles = _styles(package, part)
        elif kind == "numbering" and part in package:
            document.lists = _lists(package, part)
    for part in sorted({part for kind, part in related if kind == "header" and part in package}):
        _add_blocks(package, part, document, text)
    _add_blocks(package, main, document, text, root="w:document")
    for kind in ("footnotes", "endnotes"):
        for part in [part for found, part in related if found == kind and part in package]:
            _add_notes(package, part, document, text)
    for part in sorted({part for kind, part in related if kind == "footer" and part in package}):
        _add_blocks(package, part, document, text)
    text.end_part("body", "")


def _add_blocks(package: Package, part: str, document: _Document, text: Text, *, root: str = "") -> None:
    was_list = False
    for block in package.elements(part, _BLOCKS, skipped=_SKIPPED, root=root):
        if block.tag == "w:tbl":
            text.add(("\n" if was_list else "") + "\n".join(_table(block)) + "\n\n")
            was_list = False
            continue
        line, is_list = _paragraph(block, document)
        if not line:
            continue
        if was_list and not is_list:
            text.add("\n")
        text.add(line + ("\n" if is_list else "\n\n"))
        was_list = is_list
    if was_list:
        text.add("\n")


def _add_notes(package: Package, part: str, document: _Document, text: Text) -> None:
    tag = "w:footnote" if "footnote" in part else "w:endnote"
    for note in package.elements(part, frozenset({tag}), skipped=_SKIPPED):
        if note.attributes.get("w:type", "normal") == "normal":
            words = " ".join(_lines(note))
            if words:
                text.add(f"[{note.attributes.get('w:id', '')}] {words}\n\n")


def _paragraph(block: Element, document: _Document) -> tuple[str, bool]:
    """A paragraph as a line of Markdown, and whether it is of a list."""
    words = _words(block).strip(" \n")
    if not words:
        return "", False
    facts = block.child("w:pPr")
    style, number, level = _Style(), "", 0
    if facts is not None:
        style = document.styles.get(facts.value("w:pStyle") or "", style)
        own = facts.child("w:numPr")
        number = (own.value("w:numId") if own is not None else None) or style.number
        level = _integer(own.value("w:ilvl") if own is not None else None, style.level)
    if style.heading:
        return f"{'#' * style.heading} {words}", False
    if not number or number == "0":
        return words, False
    level = min(level, _DEEPEST_LIST)
    return f"{'  ' * level}{_marker(document, number, level)} {words}", True


def _marker(document: _Document, number: str, level: int) -> str:
    form = document.lists.get((number, level), "bullet")
    if form in ("bullet", "none"):
        return "-"
    document.counts[number, level] = count = document.counts.get((number, level), 0) + 1
    for deeper in range(level + 1, _DEEPEST_LIST + 1):
        document.counts.pop((number, deeper), None)
    letters = form in ("lowerLetter", "upperLetter") and count <= 26
    mark = chr(96 + count) if letters else str(count)
    return f"{mark.upper() if form == 'upperLetter' else mark}."


def _table(table: Element) -> list[str]:
    """A table as Markdown; its first row is the heading. A table in a cell becomes that cell's text."""
    rows = [[_cell(cell) for cell in _within(row, "w:tc")] for row in _within(table, "w:tr")]
    rows = [row for row in rows if row]
    if not rows:
        return []
    width = max(map(len, rows))
    lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
    return [lines[0], f"|{' --- |' * width}", *lines[1:]]


def _cell(cell: Element) -> str:
    return " ".join(_lines(cell)).replace("|", "\\|")


def _within(element: Element, tag: str) -> Iterator[Element]:
    """Children of a tag, also those that content controls and tracked insertions wrap."""
    for child in element.children:
        if child.tag == tag:
            yield child
        elif child.tag in ("w:sdt", "w:sdtContent", "w:ins", "w:customXml", "w:smartTag"):
            yield from _within(child, tag)


def _lines(element: Element) -> Iterator[str]:
    """The words of each paragraph anywhere in an element."""
    for child in element.children:
        if child.tag == "w:p":
            words = " ".join(_words(child).split())
            if words:
                yield words
        else:
            yield from _lines(child)


def _words(element: Element) -> str:
    pieces: list[str] = []
    _gather(element, pieces)
    return "".join(pieces)


def _gather(element: Element, pieces: list[str]) -> None:
    for child in element.children:
        tag = child.tag
        if tag == "w:t":
            pieces.append(child.text)
        elif tag in _CHARACTERS:
            pieces.append(_CHARACTERS[tag])
        elif tag in ("w:footnoteReference", "w:endnoteReference"):
            pieces.append(f"[{child.attributes.get('w:id', '')}]")
        elif tag == "w:p":  # of a text box
            pieces.append("\n")
            _gather(child, pieces)
        elif tag != "w:r" or not _hidden(child):
            _gather(child, pieces)


def _hidden(run: Element) -> bool:
    facts = run.child("w:rPr")
    vanish = facts.child("w:vanish") if facts is not None else None
    return vanish is not None and vanish.attributes.get("w:val", "1") not in ("0", "false", "off")


def _styles(package: Package, part: str) -> dict[str, _Style]:
    found: dict[str, _Style] = {}
    for element in package.elements(part, frozenset({"w:style"})):
        style = _Style()
        name = (element.value("w:name") or "").lower()
        heading = _HEADING.fullmatch(name)
        style.heading = min(6, int(heading[1])) if heading else int(name == "title")
        facts = element.child("w:pPr")
        numbers = facts.child("w:numPr") if facts is not None else None
        if numbers is not None:
            style.number = numbers.value("w:numId") or ""
            style.level = _integer(numbers.value("w:ilvl"), 0)
        found[element.attributes.get("w:styleId", "")] = style
    return found


def _lists(package: Package, part: str) -> dict[tuple[str, int], str]:
    """The form of the numbers of each list and level."""
    forms: dict[str, dict[int, str]] = {}
    found: dict[tuple[str, int], str] = {}
    for element in package.elements(part, frozenset({"w:abstractNum", "w:num"})):
        if element.tag == "w:abstractNum":
            forms[element.attributes.get("w:abstractNumId", "")] = {
                _integer(level.attributes.get("w:ilvl"), 0): level.value("w:numFmt") or "decimal"
                for level in element.children
                if level.tag == "w:lvl"
            }
        else:
            number = element.attributes.get("w:numId", "")
            for level, form in forms.get(element.value("w:abstractNumId") or "", {}).items():
                found[number, level] = form
    return found


def _integer(text: str | None, otherwise: int) -> int:
    return max(0, int(text)) if text is not None and text.isdecimal() and len(text) < 4 else otherwise
