"""xlsx: each visible sheet as comma-separated lines, its values as the sheet shows them.

A formula is the value that was last computed; where none was saved, the formula itself. Hidden sheets, charts, comments
and images are left out.
"""

from __future__ import annotations

import re
from functools import cache

from rocamadre.documents.number_format import Formats, shown
from rocamadre.documents.package import Element, Package
from rocamadre.documents.pieces import Refused, Text
from rocamadre.documents.types import Limits

_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")
_MOST_COLUMNS = 16_384
_MOST_ROWS = 1_048_576
_QUOTED = re.compile(r'[",\n\r]')
_ROW = frozenset({"s:row"})


def read_xlsx(data: bytes, text: Text, limits: Limits) -> None:
    """Every visible sheet, as its part."""
    package = Package(data, "xlsx", limits)
    main = package.main_part("xl/workbook.xml")
    relations = package.relations(main)
    by_kind = {kind: part for kind, part in relations.values()}
    sheets, date1904 = [], False
    for element in package.elements(main, frozenset({"s:sheet", "s:workbookPr"}), root="s:workbook"):
        if element.tag == "s:workbookPr":
            date1904 = element.attributes.get("date1904") in ("1", "true")
        elif element.attributes.get("state", "visible") == "visible":
            sheets.append((element.attributes.get("name", ""), element.attributes.get("r:id", "")))
    strings = _strings(package, by_kind.get("sharedStrings"))
    formats = _formats(package, by_kind.get("styles"), date1904=date1904)
    for name, relation in sheets:
        kind, part = relations.get(relation, ("", ""))
        if kind == "worksheet":
            _add_sheet(package, part, strings, formats, text)
            text.end_part("sheet", " ".join(name.split())[:100])


def _add_sheet(package: Package, part: str, strings: list[str], formats: Formats, text: Text) -> None:
    last = 0
    for row in package.elements(part, _ROW):
        number = _integer(row.attributes.get("r"), last + 1)
        if not 0 < number <= _MOST_ROWS:
            raise Refused(f"the xlsx document has a row {number}; the last one that there can be is {_MOST_ROWS}")
        written = -1
        for cell in row.children:
            value = _value(cell, strings, formats) if cell.tag == "s:c" else ""
            if value:
                column = _column(cell, written + 1)
                if column <= written:
                    raise Refused("the document is damaged, or no xlsx file: a row's cells are not in order")
                text.add("," * (column - max(0, written)) + _quoted(value))
                written = column
        if written >= 0:
            text.add("\n")
        last = number


def _column(cell: Element, otherwise: int) -> int:
    match = _REFERENCE.fullmatch(cell.attributes.get("r", ""))
    return otherwise if match is None else _column_number(match[1])


@cache
def _column_number(letters: str) -> int:
    """From 0."""
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - 64
    if column > _MOST_COLUMNS:
        raise Refused(f"the xlsx document has a column {letters}; the last one that there can be is XFD")
    return column - 1


def _value(cell: Element, strings: list[str], formats: Formats) -> str:
    """What a cell shows."""
    kind = cell.attributes.get("t", "n")
    if kind == "inlineStr":
        inline = cell.child("s:is")
        return _string(inline) if inline is not None else ""
    found = cell.child("s:v")
    if found is None or not found.text:
        formula = cell.child("s:f")
        return f"={formula.text}" if formula is not None and formula.text else ""
    if kind == "s":
        place = _integer(found.text, -1)
        if not 0 <= place < len(strings):
            raise Refused("the document is damaged, or no xlsx file: a cell names a text that is not there")
        return strings[place]
    if kind == "b":
        return "TRUE" if found.text == "1" else "FALSE"
    if kind == "n":
        return shown(found.text, formats.code(_integer(cell.attributes.get("s"), 0)), date1904=formats.date1904)
    return found.text


def _quoted(value: str) -> str:
    """As comma-separated values have it."""
    return '"' + value.replace('"', '""') + '"' if _QUOTED.search(value) else value


def _strings(package: Package, part: str | None) -> list[str]:
    if part is None or part not in package:
        return []
    return [_string(element) for element in package.elements(part, frozenset({"s:si"}))]


def _string(element: Element) -> str:
    """Plain or formatted text, without how it is pronounced."""
    pieces = [
        child.text if child.tag == "s:t" else "".join(run.text for run in child.children if run.tag == "s:t")
        for child in element.children
        if child.tag in ("s:t", "s:r")
    ]
    return "".join(pieces)


def _formats(package: Package, part: str | None, *, date1904: bool) -> Formats:
    custom: dict[int, str] = {}
    used: list[int] = []
    if part is not None and part in package:
        for element in package.elements(part, frozenset({"s:numFmts", "s:cellXfs"})):
            if element.tag == "s:numFmts":
                custom |= {
                    _integer(each.attributes.get("numFmtId"), 0): each.attributes.get("formatCode", "General")
                    for each in element.children
                }
            else:
                used = [_integer(each.attributes.get("numFmtId"), 0) for each in element.children]
    return Formats(custom, used, date1904=date1904)


def _integer(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else otherwise
