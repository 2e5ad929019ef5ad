"""Small presentations and scans for tests, made as other programs make them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from rocamadre.testing.documents import make_package

_SPACES = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


@dataclass(frozen=True)
class Slide:
    """XML of a slide, and of its notes, if it has any."""

    xml: str
    notes: str = ""


def slide(
    title: str,
    lines: Sequence[str | tuple[str, int]],
    *,
    table: Sequence[Sequence[str]] = (),
    notes: str = "",
) -> Slide:
    """A slide.

    Args:
        title: Empty for none.
        lines: Paragraphs, each alone or with its level in a list.
        table: Rows of cells.
        notes: For the speaker.
    """
    body = "".join(
        f'<a:p><a:pPr lvl="{level}"/><a:r><a:t>{escape(words)}</a:t></a:r></a:p>'
        for words, level in ((line, 0) if isinstance(line, str) else line for line in lines)
    )
    shapes = _shape("title", f"<a:p><a:r><a:t>{escape(title)}</a:t></a:r></a:p>") if title else ""
    shapes += _shape("body", body) + _shape("sldNum", "<a:p><a:fld><a:t>1</a:t></a:fld></a:p>")
    if table:
        cells = (
            "".join(
                f"<a:tc><a:txBody><a:p><a:r><a:t>{escape(cell)}</a:t></a:r></a:p></a:txBody></a:tc>" for cell in row
            )
            for row in table
        )
        grid = "".join(f"<a:tr>{row}</a:tr>" for row in cells)
        frame = f"<a:graphic><a:graphicData><a:tbl>{grid}</a:tbl></a:graphicData></a:graphic>"
        shapes += f"<p:graphicFrame>{frame}</p:graphicFrame>"
    told = _tree("notes", _shape("body", f"<a:p><a:r><a:t>{escape(notes)}</a:t></a:r></a:p>")) if notes else ""
    return Slide(_tree("sld", shapes), told)


def make_pptx(slides: Sequence[Slide], *, title: str = "") -> bytes:
    """A pptx."""
    ids = "".join(f'<p:sldId id="{256 + n}" r:id="s{n}"/>' for n in range(len(slides)))
    relations = "".join(_relation(f"s{n}", "slide", f"slides/slide{n}.xml") for n in range(len(slides)))
    members: dict[str, str | bytes] = {
        "_rels/.rels": _relationships(
            _relation("r1", "officeDocument", "ppt/presentation.xml")
            + _relation("r2", "core-properties", "docProps/core.xml")
        ),
        "docProps/core.xml": "<c:coreProperties xmlns:c='x' xmlns:dc='http://purl.org/dc/elements/1.1/'>"
        f"<dc:title>{escape(title)}</dc:title></c:coreProperties>",
        "ppt/presentation.xml": f"<p:presentation {_SPACES}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": _relationships(relations),
    }
    for number, each in enumerate(slides):
        members[f"ppt/slides/slide{number}.xml"] = each.xml
        if each.notes:
            members[f"ppt/notesSlides/notes{number}.xml"] = each.notes
            members[f"ppt/slides/_rels/slide{number}.xml.rels"] = _relationships(
                _relation("n", "notesSlide", f"../notesSlides/notes{number}.xml")
            )
    return make_package(members)


def make_scan(pages: Sequence[tuple[int, int, bytes]]) -> bytes:
    """A pdf whose pages are images, one each.

    Args:
        pages: Width and height in pixels, and a byte per pixel, 0 for black.
    """
    kids = b" ".join(b"%d 0 R" % (3 + 3 * place) for place in range(len(pages)))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(pages), kids)]
    for place, (width, height, grey) in enumerate(pages):
        first = 3 + 3 * place
        drawn = b"595 0 0 842 0 0 cm /I Do"
        packed = zlib.compress(grey)
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</XObject<</I %d 0 R>>>>/Contents %d 0 R>>"
            % (first + 2, first + 1),
            b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
            b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8"
            b"/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (width, height, len(packed), packed),
        ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, table)
    return bytes(out)


def _shape(kind: str, paragraphs: str) -> str:
    return f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody>{paragraphs}</p:txBody></p:sp>'


def _tree(root: str, shapes: str) -> str:
    return f"<p:{root} {_SPACES}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:{root}>"


def _relation(id_: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{id_}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'


def _relationships(content: str) -> str:
    return f'<Relationships xmlns="{_PACKAGE}">{content}</Relationships>'
