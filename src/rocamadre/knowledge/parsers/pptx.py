"""PPTX: each slide is a page, with its title as a heading, its text, its tables and its notes."""

from __future__ import annotations

from collections.abc import Iterator

from rocamadre.documents.package import Element, Package
from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers.builder import Builder
from rocamadre.knowledge.parsers.file import File
from rocamadre.knowledge.parsers.formats import MEDIA_TYPES
from rocamadre.knowledge.parsers.office import core_facts
from rocamadre.knowledge.parsers.parsed import Parsed

_TITLES = ("title", "ctrTitle")
_UNREAD = frozenset({"sldNum", "ftr", "dt", "hdr", "sldImg"})
_MOST_SLIDES = 5000


def parse_pptx(file: File) -> Parsed:
    """See `Parser`."""
    package = Package(file.data, "pptx", file.limits)
    main = package.main_part("ppt/presentation.xml")
    relations = package.relations(main)
    slides = [
        relations.get(element.attributes.get("r:id", ""), ("", ""))
        for element in package.elements(main, frozenset({"p:sldId"}), root="p:presentation")
    ]
    if len(slides) > _MOST_SLIDES:
        raise Refused(f"the presentation has {len(slides)} slides; at most {_MOST_SLIDES} are read", "too-many-pages")
    builder = Builder(file.limits.characters)
    for number, (kind, part) in enumerate(slides, 1):
        if kind != "slide" or part not in package:
            continue
        builder.begin_page(number)
        _add_slide(package, part, builder)
        for also, notes in package.relations(part).values():
            if also == "notesSlide" and notes in package:
                _add_notes(package, notes, builder)
    title, facts = core_facts(package)
    return builder.parsed(MEDIA_TYPES["pptx"], title=title, metadata=facts)


def _add_slide(package: Package, part: str, builder: Builder) -> None:
    shapes = [
        shape
        for tree in package.elements(part, frozenset({"p:spTree"}), skipped=frozenset({"mc:Fallback"}), root="p:sld")
        for shape in _shapes(tree)
    ]
    title = next((shape for shape in shapes if _kind(shape) in _TITLES), None)
    if title is not None:
        builder.heading(1, " ".join(words for words, _ in _paragraphs(title)))
    for shape in shapes:
        if shape is title or _kind(shape) in _UNREAD:
            continue
        if shape.tag == "a:tbl":
            rows = [row for row in shape.children if row.tag == "a:tr"]
            builder.table([[_cell(cell) for cell in row.children if cell.tag == "a:tc"] for row in rows])
            continue
        builder.gap()
        for words, level in _paragraphs(shape):
            builder.gap(1)
            builder.add(f"{'  ' * level}- {words}" if level else words)


def _add_notes(package: Package, part: str, builder: Builder) -> None:
    for tree in package.elements(part, frozenset({"p:spTree"}), root="p:notes"):
        lines = [words for shape in _shapes(tree) if _kind(shape) == "body" for words, _ in _paragraphs(shape)]
        if lines:
            builder.paragraph("Notes: " + "\n".join(lines))


def _shapes(element: Element) -> Iterator[Element]:
    """Shapes with text and tables, in groups too, in the order of the file."""
    for child in element.children:
        if child.tag in ("p:sp", "a:tbl"):
            yield child
        elif child.tag not in ("p:txBody", "p:nvSpPr"):
            yield from _shapes(child)


def _kind(shape: Element) -> str:
    """What a shape is a place for, such as `title`; `body` where it does not say; empty for no place."""
    facts = shape.child("p:nvSpPr")
    facts = facts.child("p:nvPr") if facts is not None else None
    place = facts.child("p:ph") if facts is not None else None
    return "" if place is None else place.attributes.get("type", "body")


def _paragraphs(shape: Element) -> Iterator[tuple[str, int]]:
    """The words of each paragraph, and how deep in a list it is."""
    body = shape.child("p:txBody") or shape.child("a:txBody")
    for paragraph in body.children if body is not None else ():
        if paragraph.tag == "a:p":
            words = _words(paragraph).strip()
            facts = paragraph.child("a:pPr")
            level = facts.attributes.get("lvl", "0") if facts is not None else "0"
            if words:
                yield words, int(level) if level in "12345678" else 0


def _cell(cell: Element) -> str:
    body = cell.child("a:txBody")
    return " ".join(_words(each) for each in body.children if each.tag == "a:p") if body is not None else ""


def _words(paragraph: Element) -> str:
    pieces: list[str] = []
    for child in paragraph.children:
        if child.tag == "a:br":
            pieces.append("\n")
        elif child.tag in ("a:r", "a:fld"):
            text = child.child("a:t")
            pieces.append(text.text if text is not None else "")
    return "".join(pieces)
