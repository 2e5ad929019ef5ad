"""Small documents for tests, made as other programs make them: pdf, docx, xlsx."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from xml.sax.saxutils import escape

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def make_pdf(pages: Sequence[str], *, count: int | None = None) -> bytes:
    """A pdf.

    Args:
        pages: The text of each, in Windows-1252; lines become lines.
        count: How many pages it claims to have; None tells the truth.
    """
    kids = b" ".join(b"%d 0 R" % (4 + 2 * place) for place in range(len(pages)))
    claimed = len(pages) if count is None else count
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (claimed, kids),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for place, text in enumerate(pages):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"
            % (5 + 2 * place)
        )
        drawn = b" ".join(b"(%s) Tj T*" % _pdf_string(line) for line in text.split("\n"))
        stream = b"BT /F1 12 Tf 50 800 Td 14 TL " + drawn + b" ET"
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, table)
    return bytes(out)


def _pdf_string(line: str) -> bytes:
    data = line.encode("cp1252")
    for mark in (b"\\", b"(", b")"):
        data = data.replace(mark, b"\\" + mark)
    return data


def make_package(members: Mapping[str, str | bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP file of these members."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", compression) as package:
        for name, content in members.items():
            package.writestr(name, content)
    return out.getvalue()


def docx_members(body: str, parts: Mapping[str, str] | None = None) -> dict[str, str | bytes]:
    """The members of a docx.

    Args:
        body: What is in `w:body`, as XML.
        parts: Other parts of the folder `word`, by name such as `styles`, `header1`; their root element is named after
            their kind.
    """
    parts = parts or {}
    roots = {"styles": "styles", "numbering": "numbering", "header": "hdr", "footer": "ftr", "footnotes": "footnotes"}
    kinds = {name: name.rstrip("0123456789") for name in parts}
    relations = "".join(
        f'<Relationship Id="r{place}" Type="{_RELATIONS}/{kinds[name]}" Target="{name}.xml"/>'
        for place, name in enumerate(parts)
    )
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": f"{_HEAD}<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>",
        "_rels/.rels": _relationships(
            f'<Relationship Id="r1" Type="{_RELATIONS}/officeDocument" Target="word/document.xml"/>'
        ),
        "word/document.xml": _word("document", f"<w:body>{body}</w:body>"),
        "word/_rels/document.xml.rels": _relationships(relations),
    }
    return members | {f"word/{name}.xml": _word(roots[kinds[name]], content) for name, content in parts.items()}


def make_docx(body: str, parts: Mapping[str, str] | None = None) -> bytes:
    """A docx; see `docx_members`."""
    return make_package(docx_members(body, parts))


def paragraph(text: str, *, style: str = "", number: str = "", level: int = 0) -> str:
    """A paragraph of a docx, as XML."""
    facts = f'<w:pStyle w:val="{style}"/>' if style else ""
    if number:
        facts += f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return f'<w:p><w:pPr>{facts}</w:pPr><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table of a docx, as XML."""
    lines = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{line}</w:tr>" for line in lines) + "</w:tbl>"


def xlsx_members(
    sheets: Mapping[str, str],
    *,
    strings: Sequence[str] = (),
    formats: Sequence[str] = (),
    hidden: Sequence[str] = (),
    date1904: bool = False,
) -> dict[str, str | bytes]:
    """The members of an xlsx.

    Args:
        sheets: What is in each `sheetData`, as XML, by the sheet's name.
        strings: Texts that cells name by number.
        formats: Number formats; a cell's `s` is the place of its format, counted from 1.
        hidden: Sheets that are not shown.
        date1904: Days are counted from 1904.
    """
    listed, relations = "", ""
    for place, name in enumerate(sheets, 1):
        state = ' state="hidden"' if name in hidden else ""
        listed += f'<sheet name="{escape(name)}" sheetId="{place}" r:id="s{place}"{state}/>'
        relations += f'<Relationship Id="s{place}" Type="{_RELATIONS}/worksheet" Target="worksheets/s{place}.xml"/>'
    for kind in ("sharedStrings", "styles"):
        relations += f'<Relationship Id="{kind}" Type="{_RELATIONS}/{kind}" Target="{kind}.xml"/>'
    codes = "".join(f'<numFmt numFmtId="{164 + n}" formatCode="{_quoted(code)}"/>' for n, code in enumerate(formats))
    used = '<xf numFmtId="0"/>' + "".join(f'<xf numFmtId="{164 + n}"/>' for n in range(len(formats)))
    day = f'<workbookPr date1904="{int(date1904)}"/>'
    texts = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
    return {
        "_rels/.rels": _relationships(
            f'<Relationship Id="r1" Type="{_RELATIONS}/officeDocument" Target="/xl/workbook.xml"/>'
        ),
        "xl/workbook.xml": _sheet("workbook", f"{day}<sheets>{listed}</sheets>"),
        "xl/_rels/workbook.xml.rels": _relationships(relations),
        "xl/sharedStrings.xml": _sheet("sst", texts),
        "xl/styles.xml": _sheet("styleSheet", f"<numFmts>{codes}</numFmts><cellXfs>{used}</cellXfs>"),
        **{
            f"xl/worksheets/s{place}.xml": _sheet("worksheet", f"<sheetData>{content}</sheetData>")
            for place, content in enumerate(sheets.values(), 1)
        },
    }


def make_xlsx(sheets: Mapping[str, str], **more: object) -> bytes:
    """An xlsx; see `xlsx_members`."""
    return make_package(xlsx_members(sheets, **more))  # type: ignore[arg-type]


def row(number: int, cells: Mapping[str, str]) -> str:
    """A row of an xlsx, as XML.

    Args:
        number: From 1.
        cells: By column: a text, or a cell's attributes and value such as `s="1":3.5`, `t="s":0`, `t="b":1`.
    """
    found = []
    for column, value in cells.items():
        place = f'r="{column}{number}"'
        kind, colon, rest = value.partition(":")
        if colon and "=" in kind:
            found.append(f"<c {place} {kind}><v>{escape(rest)}</v></c>")
        elif value.replace(".", "", 1).lstrip("-").isdigit():
            found.append(f"<c {place}><v>{value}</v></c>")
        else:
            found.append(f'<c {place} t="inlineStr"><is><t>{escape(value)}</t></is></c>')
    return f'<row r="{number}">{"".join(found)}</row>'


def _relationships(content: str) -> str:
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}">{content}</Relationships>'


def _word(root: str, content: str) -> str:
    spaces = f'xmlns:w="{_WORD}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    return f"{_HEAD}<w:{root} {spaces}>{content}</w:{root}>"


def _sheet(root: str, content: str) -> str:
    return f'{_HEAD}<{root} xmlns="{_SHEET}" xmlns:r="{_RELATIONS}">{content}</{root}>'


def _quoted(text: str) -> str:
    return escape(text, {'"': "&quot;"})
