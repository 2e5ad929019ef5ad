"""Hostile docx, xlsx and pptx files, and archives."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from collections.abc import Callable, Iterator

from rocamadre.testing.documents import docx_members, make_docx, make_package, make_xlsx, paragraph, row, xlsx_members
from rocamadre.testing.slides import make_pptx, slide

Case = tuple[str, str, Callable[[], bytes], bool]
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)


def cases() -> Iterator[Case]:
    """What is wrong, name, maker, whether it is heavy."""
    yield from _entities()
    for what, name, make in (
        ("encrypted, or of an old format", "a.docx", lambda: _OLE),
        ("encrypted, or of an old format", "a.xls", lambda: _OLE),
        ("encrypted members", "a.docx", _encrypted_members),
        ("elements 100,000 deep", "a.docx", lambda: make_docx("<w:sdt>" * 100_000 + "</w:sdt>" * 100_000)),
        ("tables within tables", "a.docx", lambda: make_docx(_nested_tables(60))),
        ("a table of 20,000 cells", "a.docx", lambda: make_docx(_wide_table(20_000))),
        ("an attribute of 5 MB", "a.docx", lambda: make_docx(f'<w:p w:x="{"a" * 5_000_000}"/>' + paragraph("Good"))),
        ("100,000 attributes", "a.docx", lambda: make_docx("<w:p " + _attributes(100_000) + "/>")),
        ("20,000 namespaces", "a.docx", lambda: make_docx(_namespaces(20_000))),
        ("no main part", "a.docx", lambda: _without("word/document.xml")),
        ("a main part outside", "a.docx", _outside),
        ("parts that refer to themselves", "a.docx", _own_relations),
        ("another program's main part", "a.docx", lambda: _with_main("<html><body>Good</body></html>")),
        ("a main part that is no XML", "a.docx", lambda: _with_main("\0\1\2 not XML")),
        ("a main part in UTF-16", "a.docx", lambda: _with_main(_utf_16())),
        ("a main part in UTF-7", "a.docx", lambda: _with_main('<?xml version="1.0" encoding="utf-7"?><a/>')),
        ("an encoding that there is not", "a.docx", lambda: _with_main('<?xml version="1.0" encoding="zz"?><a/>')),
        ("10,001 members", "a.docx", lambda: make_package(docx_members("x") | {f"x/{n}": b"" for n in range(10_001)})),
        ("members with names like paths", "a.docx", _path_names),
        ("a member twice", "a.docx", _twice),
        ("packed in an unusual way", "a.docx", lambda: make_package(docx_members("x"), compression=zipfile.ZIP_LZMA)),
        ("sizes that are lies", "a.docx", _lying_sizes),
        ("a comment of 64 kB", "a.docx", lambda: _comment(b"PK\5\6" * 16_000)),
        ("a row beyond the last", "a.xlsx", lambda: _sheet('<row r="2000000"><c r="A1"><v>1</v></c></row>')),
        ("a column beyond the last", "a.xlsx", lambda: _sheet('<row r="1"><c r="ZZZ1"><v>1</v></c></row>')),
        ("a row below the first", "a.xlsx", lambda: _sheet('<row r="-1"><c r="A0"><v>1</v></c></row>')),
        (
            "cells that are not in order",
            "a.xlsx",
            lambda: _sheet('<row><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>'),
        ),
        ("a text that is not there", "a.xlsx", lambda: _sheet('<row r="1"><c r="A1" t="s"><v>7</v></c></row>')),
        ("rows as wide as they get", "a.xlsx", lambda: _sheet(_wide_rows(3000))),
        ("one long text in 5,000 cells", "a.xlsx", lambda: _repeated(20_000, 5000)),
        (
            "numbers as long as books",
            "a.xlsx",
            lambda: _sheet(f'<row r="1"><c r="A1"><v>{"9" * 1_000_000}</v></c></row>'),
        ),
        (
            "formats as long as books",
            "a.xlsx",
            lambda: make_xlsx({"S": row(1, {"A": 's="1":1e308'})}, formats=["0" * 9999]),
        ),
        ("10,000 sheets", "a.xlsx", lambda: make_xlsx({f"S{n}": row(1, {"A": "x"}) for n in range(5000)})),
        ("only hidden sheets", "a.xlsx", lambda: make_xlsx({"S": row(1, {"A": "x"})}, hidden=["S"])),
        ("slides that are their own notes", "a.pptx", _own_notes),
        ("6,000 slides", "a.pptx", lambda: make_pptx([slide("", ["x"])] * 6000)),
        ("groups 150 deep", "a.pptx", lambda: _deep_groups(150)),
        ("groups 100,000 deep", "a.pptx", lambda: _deep_groups(100_000)),
        ("slides that are not there", "a.pptx", lambda: make_pptx([])),
        ("an archive", "a.zip", lambda: make_package({"a.txt": "Good"})),
        ("an archive as a document", "a.docx", lambda: make_package({"a.txt": "Good"})),
        ("an archive of archives", "a.docx", _nested_archives),
        ("an archive without members", "a.docx", lambda: b"PK\5\6" + bytes(18)),
        ("an archive that claims millions of members", "a.docx", lambda: b"PK\3\4" + bytes(30) + _many_members()),
        ("a gzip bomb", "a.txt", lambda: gzip.compress(bytes(20_000_000))),
        ("a program", "a.txt", lambda: b"\x7fELF" + bytes(1000)),
        ("a 7z archive", "a", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(100)),
        ("a database", "a.csv", lambda: b"SQLite format 3\0" + bytes(1000)),
        ("rich text", "a.rtf", lambda: b"{\\rtf1 Good}"),
    ):
        yield what, name, make, False
    yield "a zip bomb of 250 MB", "a.docx", lambda: _bomb(250), True
    yield "a zip bomb of 2 GB", "a.docx", lambda: _bomb(2000), True
    yield "a zip bomb of 40 MB", "a.docx", lambda: _bomb(40), True
    yield "a zip bomb of 4 MB", "a.docx", lambda: _bomb(4), False
    yield "a table of 200,000 cells", "a.docx", lambda: make_docx(_wide_table(200_000)), True
    yield "a zip bomb of words", "a.docx", lambda: make_docx(paragraph("Good " * 1000) * 12_000), True
    yield "a bomb in the shared texts", "a.xlsx", lambda: _repeated(1_000_000, 200), True
    yield "a million cells", "a.xlsx", lambda: _sheet(_plain_rows(50_000)), True


def _entities() -> Iterator[Case]:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bombs = {
        "entities without end": f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]>',
        "an entity that is itself": '<!DOCTYPE x [<!ENTITY e11 "&e11;">]>',
        "an entity of a file": '<!DOCTYPE x [<!ENTITY e11 SYSTEM "file:///etc/hostname">]>',
        "an entity of a site": '<!DOCTYPE x [<!ENTITY e11 SYSTEM "http://127.0.0.1:9/">]>',
        "an outside document type": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        "a long entity many times": f'<!DOCTYPE x [<!ENTITY e11 "{"a" * 100_000}">]>',
    }
    for what, declared in bombs.items():
        document = f"{declared}<w:document xmlns:w='x'>&e11;</w:document>"
        yield what, "a.docx", (lambda text=document: _with_main(text)), False  # type: ignore[misc]
    for what, declared in list(bombs.items())[:3]:
        sheet = f"{declared}<worksheet>&e11;</worksheet>"
        yield what, "a.xlsx", (lambda text=sheet: _with_sheet(text)), False  # type: ignore[misc]


def _with_main(xml: str | bytes) -> bytes:
    return make_package({**docx_members(""), "word/document.xml": xml})


def _with_sheet(xml: str) -> bytes:
    return make_package({**xlsx_members({"S": ""}), "xl/worksheets/s1.xml": xml})


def _sheet(rows: str) -> bytes:
    return make_xlsx({"S": rows})


def _without(part: str) -> bytes:
    members = docx_members(paragraph("x"))
    del members[part]
    return make_package(members)


def _outside() -> bytes:
    members = docx_members(paragraph("x"))
    members["_rels/.rels"] = str(members["_rels/.rels"]).replace("word/document.xml", "../../../../etc/hostname")
    return make_package(members)


def _own_relations() -> bytes:
    members = docx_members(paragraph("x"))
    kinds = ("header", "footer", "footnotes", "styles", "numbering")
    members["word/_rels/document.xml.rels"] = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        + "".join(f'<Relationship Id="{kind}" Type="x/{kind}" Target="document.xml"/>' for kind in kinds)
        + "</Relationships>"
    )
    return make_package(members)


def _encrypted_members() -> bytes:
    data = bytearray(make_docx(paragraph("x")))
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + place] |= 1
            at = data.find(mark, at + 4)
    return bytes(data)


def _nested_tables(depth: int) -> str:
    opening, closing = "<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"
    return opening * depth + paragraph("Good") + closing * depth


def _wide_table(cells: int) -> str:
    return "<w:tbl><w:tr>" + "<w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>" * cells + "</w:tr></w:tbl>"


def _attributes(count: int) -> str:
    return " ".join(f'a{n}="x"' for n in range(count))


def _namespaces(count: int) -> str:
    return "".join(f'<n:x xmlns:n="http://x/{n}"/>' for n in range(count)) + paragraph("Good")


def _utf_16() -> bytes:
    return str(docx_members(paragraph("Good"))["word/document.xml"]).replace("UTF-8", "UTF-16").encode("utf-16")


def _path_names() -> bytes:
    names = ("../../etc/cron.d/x", "/etc/passwd", "C:\\x", "a\0b", "word/../../x", "\u202e")
    return make_package(docx_members(paragraph("Good")) | dict.fromkeys(names, b"x"))


def _twice() -> bytes:
    out = io.BytesIO(make_docx(paragraph("Good")))
    with zipfile.ZipFile(out, "a") as package:
        package.filelist[0].filename = "other"
        package.NameToInfo.pop("word/document.xml")
        package.writestr("word/document.xml", "<other/>")
    return out.getvalue()


def _lying_sizes() -> bytes:
    data = bytearray(make_docx(paragraph("a" * 5_000_000)))
    at = 0
    while (at := data.find(b"PK\1\2", at)) >= 0:
        data[at + 24 : at + 28] = struct.pack("<I", 10)
        at += 4
    return bytes(data)


def _comment(comment: bytes) -> bytes:
    out = io.BytesIO(make_docx(paragraph("Good")))
    with zipfile.ZipFile(out, "a") as package:
        package.comment = comment
    return out.getvalue()


def _bomb(megabytes: int) -> bytes:
    """Elements without words, in a member of so many megabytes."""
    head, tail = str(docx_members("\1")["word/document.xml"]).split("\1")
    block = b"<w:p><w:r/></w:p>" * 65_536
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for name, content in docx_members("").items():
            if name != "word/document.xml":
                package.writestr(name, content)
        with package.open("word/document.xml", "w", force_zip64=True) as member:
            member.write(head.encode())
            for _ in range((megabytes << 20) // len(block)):
                member.write(block)
            member.write(tail.encode())
    return out.getvalue()


def _nested_archives() -> bytes:
    data = make_package({"a.txt": bytes(1_000_000)})
    for _ in range(6):
        data = make_package({f"{n}.zip": data for n in range(10)})
    return data


def _many_members() -> bytes:
    return b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65_535, 65_535, 2**32 - 1, 2**32 - 1, 0)


def _wide_rows(count: int) -> str:
    return "".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, count))


def _plain_rows(count: int) -> str:
    columns = "ABCDEFGHIJKLMNOPQRST"
    return "".join(
        f'<row r="{n}">' + "".join(f'<c r="{column}{n}"><v>{n}</v></c>' for column in columns) + "</row>"
        for n in range(1, count)
    )


def _repeated(letters: int, cells: int) -> bytes:
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, cells))
    return make_xlsx({"S": rows}, strings=["a" * letters])


def _own_notes() -> bytes:
    data = make_pptx([slide("Good", ["x"], notes="n")])
    members = {}
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        for name in package.namelist():
            content = package.read(name)
            members[name] = content.replace(b"../notesSlides/notes0.xml", b"slide0.xml")
    return make_package(members)


def _deep_groups(depth: int) -> bytes:
    data = make_pptx([slide("Good", ["x"])])
    members = {}
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        for name in package.namelist():
            content = package.read(name)
            if name.endswith("slide0.xml"):
                content = content.replace(b"<p:spTree>", b"<p:spTree>" + b"<p:grpSp>" * depth)
                content = content.replace(b"</p:spTree>", b"</p:grpSp>" * depth + b"</p:spTree>")
            members[name] = content
    return make_package(members)
