"""Each format as programs write it: text, pages, headings, tables, records, and what the file says of itself."""

from __future__ import annotations

import base64
import struct

import pytest

from rocamadre.documents.pieces import Refused
from rocamadre.documents.types import Limits
from rocamadre.knowledge.parsers.child import Request, file_of, parse
from rocamadre.knowledge.parsers.encodings import decode
from rocamadre.knowledge.parsers.file import Columns, columns_of
from rocamadre.knowledge.parsers.formats import format_of
from rocamadre.knowledge.parsers.images import dimensions
from rocamadre.knowledge.parsers.isolated import KNOWLEDGE_LIMITS
from rocamadre.knowledge.parsers.parsed import Parsed, ParseFailure, Places
from rocamadre.testing.documents import make_docx, make_package, make_pdf, make_xlsx, paragraph, row, table
from rocamadre.testing.slides import make_pptx, slide


def parsed(data, name, media_type="", limits=KNOWLEDGE_LIMITS, **more) -> Parsed:
    data = data.encode() if isinstance(data, str) else data
    reply = parse(file_of(Request("parse", data, name, media_type, **more), limits))
    assert reply.parsed is not None, (reply.reason, reply.message, reply.pages)
    return checked(reply.parsed)


def refused(data, name, media_type="", limits=KNOWLEDGE_LIMITS, **more):
    data = data.encode() if isinstance(data, str) else data
    try:
        reply = parse(file_of(Request("parse", data, name, media_type, **more), limits))
    except Refused as error:
        return error.reason, str(error)
    assert reply.parsed is None
    return reply.reason, reply.message


def checked(found):
    """Spans are in order, within the text, and say what they say they do."""
    for spans in (found.pages, found.headings, found.tables, found.records):
        last = 0
        for span in spans:
            assert last <= span.start <= span.end <= len(found.text)
            last = span.end
    for heading in found.headings:
        assert " ".join(found.text[heading.start : heading.end].split()).lstrip("# ").startswith(heading.title)
    found.text.encode()
    assert "\r" not in found.text
    assert "\0" not in found.text
    return found


def under(found, words):
    return Places(found).headings(found.text.index(words))


def on_page(found, words):
    return Places(found).page(found.text.index(words))


def tables(found):
    return [found.text[each.start : each.end] for each in found.tables]


def records(found):
    return [found.text[each.start : each.end] for each in found.records]


def test_text_is_kept():
    found = parsed("Una línea.\r\nOtra.\rFin\0.\n", "a.txt")
    assert found.text == "Una línea.\nOtra.\nFin.\n"
    assert found.media_type == "text/plain"


def test_markdown_is_kept_and_its_structure_is_found():
    text = (
        "---\ntitle: Guía\nauthor: Ana\n---\n# Uno ##\ntext\n\nSub\n---\nmore\n\n```\n# not a heading\n```\n### Deep\n"
        "| a | b |\n|---|:-:|\n| 1 | 2 |\n\nend # no\n"
    )
    found = parsed(text, "a.md")
    assert found.text == text
    assert [(each.level, each.title) for each in found.headings] == [(1, "Uno"), (2, "Sub"), (3, "Deep")]
    assert tables(found) == ["| a | b |\n|---|:-:|\n| 1 | 2 |"]
    assert found.title == "Guía"
    assert found.metadata["author"] == "Ana"
    assert under(found, "end # no") == ("Uno", "Sub", "Deep")
    assert under(found, "more") == ("Uno", "Sub")


PAGE = """<!DOCTYPE html><html lang="es"><head><title>T&iacute;tulo &amp; m&aacute;s</title>
<meta name="description" content="Una p&aacute;gina"><style>p {color: red}</style></head><body>
<nav><ul><li>Inicio<li>Fin</ul></nav><header>Acme</header>
<h1>Uno <em>dos</em></h1><p>Primero<br>segundo <b>fuerte</b>, a<i>b</i>c.</p><script>alert("<p>no</p>")</script>
<!-- <p>no</p> --><ul><li>una<li>otra</ul><h2>Precios</h2>
<table><tr><th>País<th>Precio</tr><tr><td>España<td>3 | 4<tr><td>Perú</td><td><b>5</b></td></table>
<table><tr><td>only for layout</td></tr></table><pre>  a
   b</pre><p hidden>x</p><select><option>y</select></body></html>"""


def test_html_as_a_reader_sees_it():
    found = parsed(PAGE, "a.html")
    assert found.text == (
        "Acme\n\n# Uno dos\n\nPrimero\nsegundo fuerte, abc.\n\n- una\n- otra\n\n## Precios\n\n"
        "| País | Precio |\n| --- | --- |\n| España | 3 \\| 4 |\n| Perú | 5 |\n\nonly for layout\n\n  a\n   b\n\nx"
    )
    assert found.title == "Título & más"
    assert found.metadata == {"language": "es", "description": "Una página"}
    assert under(found, "Perú") == ("Uno dos", "Precios")
    assert len(found.tables) == 1


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a<p>b", "a\n\nb"),
        ("<nav>menu that never ends<p>text", "menu that never ends\n\ntext"),
        ("<div><div><div>deep</div>er", "deep\n\ner"),
        ("a < b &lt; c &#99999999999; &nope; &#x41;", "a < b < c \ufffd &nope; A"),
        ("<table><td>a<td>b<tr><td>c<td>d", "| a | b |\n| --- | --- |\n| c | d |"),
        (
            "<table><tr><td>x<table><tr><td>in</td></tr></table></td><td>y</td></tr><tr><td>1<td>2</table>",
            "| x in | y |\n| --- | --- |\n| 1 | 2 |",
        ),
        ("a<ul><li>b<ul><li>c</ul><li>d</ul>e", "a\n\n- b\n  - c\n- d\n\ne"),
        ("<svg><text>no</text></svg><h1></h1><h7>odd</h7>", "odd"),
        ("</p></div></table></nav>fine", "fine"),
        ("<a title='>'>x</a><a title=\">y", "xy"),
    ],
)
def test_html_as_it_should_not_be(markup, text):
    assert parsed(markup, "a.html").text == text


def test_a_large_table_names_its_columns_in_each_row():
    rows = "".join(f"<tr><td>city {n}<td>{n}" for n in range(50))
    found = parsed(f"<table><tr><th>Name<th>Count{rows}</table>", "a.html")
    assert found.text.split("\n")[7] == "Name: city 7; Count: 7"
    assert found.tables[0].header == 0


def test_csv_rows_name_their_columns():
    found = parsed('País;Capital;Nota\nEspaña;Madrid;\nPortugal;"Lis\nboa";"dijo ""sí"""\n', "a.csv")
    assert records(found) == ["País: España; Capital: Madrid", 'País: Portugal; Capital: Lis boa; Nota: dijo "sí"']
    assert parsed("a\tb\n1\t2\n3\t4", "a.tsv").text == "a: 1; b: 2\na: 3; b: 4"
    assert parsed("1,2\n3,4\n", "a.csv").text == "1 | 2\n3 | 4"
    assert parsed("sep=|\nx|y\n1|2", "a.csv").text == "x: 1; y: 2"
    titled = parsed("Report 2024,,\n,,\nCity,Year,Sum\nFoz,2024,3\nOia,2023,4", "a.csv")
    assert records(titled) == ["Report 2024", "City: Foz; Year: 2024; Sum: 3", "City: Oia; Year: 2023; Sum: 4"]


def test_csv_with_columns_told_apart():
    data = "id,text,year,secret\n1,The first one.,2024,x\n2,The second.,2023,y\n3,,2022,z\n"
    found = parsed(data, "a.csv", columns=Columns("text", (), ("secret",)))
    assert records(found) == ["The first one.", "The second."]
    assert [dict(each.metadata) for each in found.records] == [{"id": "1", "year": "2024"}, {"id": "2", "year": "2023"}]
    assert refused(data, "a.csv", columns=Columns("body"))[0] == "bad-metadata"


def test_columns_of_a_sidecar():
    fields = {
        "contentFields": [{"fieldName": "a"}],
        "metadataFieldsSpecification": {"fieldsToExclude": [{"fieldName": "b"}]},
    }
    given = {"type": "RECORD_BASED_STRUCTURE_METADATA", "recordBasedStructureMetadata": fields}
    assert columns_of(given) == Columns("a", (), ("b",))
    for broken in ({}, {"type": "X"}, {**given, "recordBasedStructureMetadata": {"contentFields": []}}):
        with pytest.raises(ParseFailure) as caught:
            columns_of(broken)
        assert caught.value.reason == "bad-metadata"


def test_json():
    found = parsed(
        '[{"name": "Ana", "at": {"city": "Foz", "n": [1.50, 2]}, "tags": ["a", "b"], "no": null}, {"ok": true}]',
        "a.json",
    )
    assert records(found) == ["name: Ana\nat.city: Foz\nat.n: 1.50, 2\ntags: a, b", "ok: true"]
    assert parsed('{"big": 123456789012345678901234567890, "e": 1e400}', "a.json").text.endswith("7890\ne: 1e400")
    assert parsed('{"a": 1}\n\n{"a": 2}\n', "a.jsonl").text == "a: 1\n\na: 2"
    assert parsed('{"a": 1}\n{"a": 2}\n', "a.json").media_type == "application/jsonl"
    assert parsed('{"s": "\\ud800"}', "a.json").text == "s: \ufffd"
    assert refused('{"a": 1}\n{"a": \n', "a.jsonl") == ("damaged", "line 2 of the file is no JSON")


def test_pdf_by_pages():
    found = parsed(make_pdf(["Informe\nAño 2026", "Second page", ""]), "a.pdf")
    assert found.text == "Informe\nAño 2026\n\nSecond page"
    assert [each.number for each in found.pages] == [1, 2, 3]
    assert on_page(found, "Second") == 2
    assert refused(make_pdf(["", ""]), "a.pdf")[0] == "no-text"


def test_pdf_outline_and_facts():
    pdf = make_pdf(["Intro\nwords here\nDetails\nmore words", "Ending\nlast"])
    outline = (
        b"9 0 obj\n<</First 10 0 R/Last 12 0 R>>\nendobj\n"
        b"10 0 obj\n<</Title(Intro)/Parent 9 0 R/Next 12 0 R/First 11 0 R/Last 11 0 R/Dest[4 0 R/Fit]>>\nendobj\n"
        b"11 0 obj\n<</Title(Details)/Parent 10 0 R/Dest[4 0 R/Fit]>>\nendobj\n"
        b"12 0 obj\n<</Title(Ending)/Parent 9 0 R/Prev 10 0 R/Dest[6 0 R/Fit]>>\nendobj\n"
        b"13 0 obj\n<</Title(The book)/Author(Ana)>>\nendobj\n"
    )
    pdf = pdf.replace(b"/Catalog/Pages", b"/Catalog/Outlines 9 0 R/Pages").replace(
        b"trailer<<", b"trailer<</Info 13 0 R"
    )
    found = parsed(pdf.replace(b"xref\n", outline + b"xref\n", 1), "a.pdf")
    assert [(each.level, each.title) for each in found.headings] == [(1, "Intro"), (2, "Details"), (1, "Ending")]
    assert under(found, "more words") == ("Intro", "Details")
    assert (found.title, found.metadata["author"]) == ("The book", "Ana")


def test_docx():
    styles = '<w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>'
    rows = [["País", "Capital"], ["España", "Madrid | x"]]
    body = (
        paragraph("Título", style="H1")
        + paragraph("Texto.")
        + table(rows)
        + paragraph("| no table | a |")
        + paragraph("Fin")
    )
    found = parsed(make_docx(body, {"styles": styles}), "a.docx")
    assert found.text == (
        "# Título\n\nTexto.\n\n| País | Capital |\n| --- | --- |\n| España | Madrid \\| x |\n\n| no table | a |\n\nFin"
    )
    assert found.title == "Título"
    assert under(found, "Fin") == ("Título",)
    assert len(found.tables) == 1
    large = table([["Name", "Count"], *([f"city {n}", str(n)] for n in range(40))])
    assert "Name: city 39; Count: 39" in parsed(make_docx(large), "a.docx").text


def test_xlsx():
    sheets = {
        "Ventas": row(1, {"A": "País", "B": "Importe"}) + row(2, {"A": "España", "B": "3.5"}) + row(3, {"A": "Perú"}),
        "Vacía": "",
        "Otra": row(1, {"A": "x"}),
    }
    found = parsed(make_xlsx(sheets), "a.xlsx")
    assert found.text == "# Ventas\n\nPaís: España; Importe: 3.5\nPaís: Perú\n\n# Otra\n\nx"
    assert [each.number for each in found.pages] == [1, 3]
    assert under(found, "Perú") == ("Ventas",)


def test_pptx():
    slides = [
        slide(
            "Resumen",
            ["Ventas suben", ("en Lisboa", 1)],
            table=[["Año", "Total"], ["2024", "7"]],
            notes="Decir gracias",
        ),
        slide("", ["Solo texto"]),
    ]
    found = parsed(make_pptx(slides, title="La charla"), "a.pptx")
    assert found.text == (
        "# Resumen\n\nVentas suben\n  - en Lisboa\n\n| Año | Total |\n| --- | --- |\n| 2024 | 7 |\n\n"
        "Notes: Decir gracias\n\nSolo texto"
    )
    assert found.title == "La charla"
    assert on_page(found, "Solo") == 2
    assert under(found, "Total") == ("Resumen",)


MAIL = """From: =?utf-8?q?Jos=C3=A9_Ruiz?= <jose@example.org>
To: b@example.org
Subject: =?iso-8859-1?Q?Reuni=F3n?= =?utf-8?b?IGRlIGhveQ==?=
Date: Mon, 1 Jan 2024 10:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="B"

--B
Content-Type: multipart/alternative; boundary="A"

--A
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Ma=F1ana a las 9.
--A
Content-Type: text/html

<p>not this one</p>
--A--
--B
Content-Type: text/csv
Content-Disposition: attachment; filename="precios.csv"
Content-Transfer-Encoding: base64

%s
--B
Content-Type: application/zip
Content-Disposition: attachment; filename="x.zip"
Content-Transfer-Encoding: base64

UEsDBAoAAAA=
--B
Content-Type: message/rfc822

From: inner@example.org
Subject: Inside

Words inside.
--B--
"""


def test_eml():
    found = parsed(MAIL % base64.b64encode("País,Precio\nEspaña,3\n".encode()).decode(), "a.eml")
    assert found.text.startswith("# Reunión de hoy\n\nFrom: José Ruiz <jose@example.org>\nTo: b@example.org\nDate: Mon")
    assert "Mañana a las 9." in found.text
    assert "not this one" not in found.text
    assert under(found, "País: España; Precio: 3") == ("Reunión de hoy", "Attachment: precios.csv")
    assert "Words inside." in found.text
    assert found.metadata["x-rocamadre-attachments-unread"] == "x.zip (damaged)"
    assert found.title == "Reunión de hoy"
    page = parsed("From: a@b.c\nSubject: s\nContent-Type: text/html\n\n<h1>Hi</h1><p>there", "a.eml")
    assert page.text == "# s\n\nFrom: a@b.c\n\n# Hi\n\nthere"


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("ação".encode(), "ação", "utf-8"),
        (b"\xef\xbb\xbfhola", "hola", "utf-8"),
        ("ação".encode("utf-16"), "ação", "utf-16"),
        ("ação".encode("utf-32"), "ação", "utf-32"),
        ("uma ação".encode("utf-16-le"), "uma ação", "utf-16-le"),
        ("uma ação".encode("utf-16-be"), "uma ação", "utf-16-be"),
        ("el año “bueno” — 5 €".encode("cp1252"), "el año “bueno” — 5 €", "cp1252"),
        (b"a\xf1o \x81", "año \x81", "latin-1"),
        ("coração e mão ".encode() * 3 + b"caf\xe9", "coração e mão " * 3 + "café", "utf-8"),
        (b"", "", "utf-8"),
        (b"\xff\xfe", "", "utf-16"),
    ],
)
def test_encodings(data, text, encoding):
    assert decode(data) == (text, encoding)


def test_declared_encodings():
    russian = '<meta charset="windows-1251">Привет'.encode("cp1251")
    assert decode(russian, declared=russian) == ('<meta charset="windows-1251">Привет', "cp1251")
    for declared in (b"charset=utf-7", b"charset=rot13", b"charset=iso-8859-1", b"charset=nonsense"):
        assert decode(b"a\xf1o", declared=declared) == ("año", "cp1252")


@pytest.mark.parametrize(
    ("data", "name", "media_type", "expected"),
    [
        (b"%PDF-1.4", "x", "", "pdf"),
        (b"junk\n%PDF-1.4", "x.pdf", "", "pdf"),
        (b"About %PDF-1.4 files", "x.txt", "", "text"),
        (make_docx(""), "x.txt", "text/plain", "docx"),
        (make_pptx([]), "", "", "pptx"),
        (b"<html><p>x", "report.xls", "application/vnd.ms-excel", "html"),
        (b"<!doctype html>", "", "", "html"),
        (b"a,b", "x.CSV", "text/plain", "csv"),
        (b"a,b", "https://h/x?y=1", "text/csv; charset=utf-8", "csv"),
        (b"{}", "x.json", "", "json"),
        (b"BM is a text", "x", "", "text"),
        (b"ID3 tags are old", "x.txt", "", "text"),
        (b"From: a\nTo: b\nSubject: c\n\n", "mail", "", "eml"),
        (b"print(1)", "a.py", "text/x-python", "text"),
        (b"\x89PNG\r\n\x1a\n", "x.txt", "", "image"),
    ],
)
def test_formats_by_content_name_and_type(data, name, media_type, expected):
    assert format_of(data, name, media_type) == expected


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "a.docx", "encrypted"),
        (b"PK\x03\x04 not really", "a.docx", "damaged"),
        (make_package({"a.txt": "x"}), "a.zip", "unsupported"),
        (b"\x1f\x8b\x08\0\0\0", "a.txt", "unsupported"),
        (b"Rar!\x1a\x07\0", "a", "unsupported"),
        (bytes(range(32)) * 20, "a", "unsupported"),
        (b"\0\1\2" * 500, "a.pdf", "damaged"),
        (b"  \n ", "a.txt", "no-text"),
        (b"<p></p>", "a.html", "no-text"),
        (b"[]", "a.json", "no-text"),
        (b"[" * 100_000, "a.json", "nested-too-deeply"),
        (b"{", "a.json", "damaged"),
    ],
)
def test_what_is_refused_and_why(data, name, reason):
    assert refused(data, name)[0] == reason


def test_limits():
    few = Limits(characters=100)
    assert refused("a" * 101, "a.txt", limits=few)[0] == "too-much-text"
    for name, data in {
        "a.md": "a" * 101,
        "a.html": "<p>a" * 101,
        "a.csv": "a,b\n1,2\n" * 101,
        "a.json": '["' + "a" * 101 + '"]',
        "a.docx": make_docx(paragraph("a" * 101)),
        "a.xlsx": make_xlsx({"S": row(1, {"A": "a" * 101})}),
        "a.pptx": make_pptx([slide("a" * 101, [])]),
        "a.pdf": make_pdf(["a" * 101]),
        "a.eml": "From: a\n\n" + "a" * 101,
    }.items():
        assert refused(data, name, limits=few)[0] == "too-much-text", name


def png(width, height):
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\0\0\0\0"


def test_images_tell_their_size():
    assert dimensions(png(3, 4)) == (3, 4)
    assert dimensions(b"GIF89a" + struct.pack("<HH", 5, 6)) == (5, 6)
    assert dimensions(b"BM" + bytes(16) + struct.pack("<ii", 7, -8)) == (7, 8)
    jpeg = b"\xff\xd8\xff\xe0\0\x04xx\xff\xc0\0\x11\x08\0\x09\0\x0a\3"
    assert dimensions(jpeg + bytes(9)) == (10, 9)
    tiff = b"II*\0\x08\0\0\0\2\0" + struct.pack("<HHIHH", 256, 3, 1, 11, 0) + struct.pack("<HHII", 257, 4, 1, 12)
    assert dimensions(tiff) == (11, 12)
    assert dimensions(b"RIFF0000WEBPVP8X" + bytes(8) + b"\x0c\0\0\x0d\0\0") == (13, 14)
    for cut in range(1, 30):
        dimensions(tiff[:cut])
        dimensions(jpeg[:cut])
    assert refused(png(100_000, 100_000), "a.png")[0] == "too-large"
    assert refused(png(10, 10), "a.png")[0] == "needs-ocr"
    assert refused(b"\x89PNG\r\n\x1a\n", "a.png")[0] == "damaged"
