"""DOCX and XLSX, read by `rocamadre.documents`; what is read is given headings, tables and records."""

from __future__ import annotations

import csv
import re
import sys
from io import StringIO

from rocamadre.documents.docx import read_docx
from rocamadre.documents.package import Package
from rocamadre.documents.pieces import Refused, Text
from rocamadre.documents.xlsx import read_xlsx
from rocamadre.knowledge.parsers.builder import Builder, one_line
from rocamadre.knowledge.parsers.file import File
from rocamadre.knowledge.parsers.formats import MEDIA_TYPES
from rocamadre.knowledge.parsers.markdown import structure
from rocamadre.knowledge.parsers.parsed import Parsed
from rocamadre.knowledge.parsers.tabular import add_rows

_FACTS = {"dc:creator": "author", "dc:subject": "subject", "dcterms:created": "created", "dcterms:modified": "modified"}
_CELLS = re.compile(r"(?<!\\) ?\| ?")


def core_facts(package: Package) -> tuple[str, dict[str, str]]:
    """The title of an Office document, and what else it says of itself."""
    part = next((part for kind, part in package.relations("").values() if kind == "core-properties"), "")
    title, facts = "", {}
    if part in package:
        for element in package.elements(part, frozenset({"dc:title", *_FACTS})):
            value = one_line(element.text)[:1000]
            if element.tag == "dc:title":
                title = value
            elif value:
                facts[_FACTS[element.tag]] = value
    return title, facts


def parse_docx(file: File) -> Parsed:
    """See `Parser`."""
    text = Text(file.limits.characters)
    read_docx(file.data, text, file.limits)
    markdown = text.parts[0][2]
    headings, tables = structure(markdown, fences=False)
    title, facts = core_facts(Package(file.data, "docx", file.limits))
    builder = Builder(file.limits.characters)
    at = 0
    marks = sorted([(heading.start, heading.end, heading) for heading in headings], key=lambda mark: mark[0])
    spans = [*marks, *((table.start, table.end, None) for table in tables)]
    for start, end, heading in sorted(spans, key=lambda span: span[0]):
        if start < at:
            continue
        builder.paragraph(markdown[at:start])
        if heading is not None:
            builder.heading(heading.level, heading.title)
        else:
            lines = markdown[start:end].split("\n")
            builder.table([_cells(line) for line in (lines[0], *lines[2:])])
        at = end
    builder.paragraph(markdown[at:])
    return builder.parsed(MEDIA_TYPES["docx"], title=title, metadata=facts)


def _cells(line: str) -> list[str]:
    return [cell.replace("\\|", "|") for cell in _CELLS.split(line)[1:-1]]


def parse_xlsx(file: File) -> Parsed:
    """See `Parser`: each sheet is a page and a section."""
    text = Text(file.limits.characters)
    read_xlsx(file.data, text, file.limits)
    csv.field_size_limit(sys.maxsize)
    builder = Builder(file.limits.characters)
    for number, (_, name, content) in enumerate(text.parts, 1):
        if not content.strip():
            continue
        builder.begin_page(number)
        builder.heading(1, name)
        compact = len(content) > file.limits.characters // 8
        try:
            add_rows(builder, csv.reader(StringIO(content, newline="")), compact=compact)
        except csv.Error as error:
            raise Refused(f"the sheet {name!r} cannot be read: {error}") from error
    title, facts = core_facts(Package(file.data, "xlsx", file.limits))
    return builder.parsed(MEDIA_TYPES["xlsx"], title=title, metadata=facts)
