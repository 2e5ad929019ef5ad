"""Documents as programs write them, read in a child process."""

from __future__ import annotations

import pytest

from rocamadre.documents.number_format import shown
from rocamadre.documents.reading import read_document
from rocamadre.testing.documents import make_docx, make_pdf, make_xlsx, paragraph, row, table

STYLES = """
<w:style w:styleId="Ttulo1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="Ttulo2"><w:name w:val="heading 2"/></w:style>
<w:style w:styleId="Lista"><w:name w:val="List Bullet"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
"""
NUMBERING = """
<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl>
<w:lvl w:ilvl="1"><w:numFmt w:val="lowerLetter"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>
"""


def test_pdf_by_pages():
    document = read_document(make_pdf(["Informe técnico\nAño 2026 (café)", "São Paulo: ação — “coração”", ""]), "pdf")
    assert [(part.kind, part.name, part.text) for part in document.parts] == [
        ("page", "1", "Informe técnico\nAño 2026 (café)"),
        ("page", "2", "São Paulo: ação — “coração”"),
        ("page", "3", ""),
    ]
    assert document.text.startswith("[page 1]\nInforme técnico\nAño 2026 (café)\n\n[page 2]\nSão Paulo")


def test_a_single_page_has_no_mark_and_a_scan_has_no_text():
    assert read_document(make_pdf(["One page"]), "pdf").text == "One page"
    scanned = read_document(make_pdf(["", ""]), "pdf")
    assert not scanned.has_text
    assert scanned.text == ""


def test_docx_in_reading_order():
    body = "".join(
        [
            paragraph("Relatório anual", style="Ttulo1"),
            paragraph("A receita cresceu 12 % em São Paulo."),
            paragraph("Detalle", style="Ttulo2"),
            paragraph("manzana", style="Lista"),
            paragraph("piña", style="Lista"),
            paragraph("first", number="2"),
            paragraph("inner", number="2", level=1),
            paragraph("second", number="2"),
            paragraph(""),
            table([["País", "Capital"], ["España", "Madrid"], ["Brasil", "Brasília | DF"]]),
            paragraph("The end."),
        ]
    )
    document = read_document(make_docx(body, {"styles": STYLES, "numbering": NUMBERING}), "docx")
    assert document.text == (
        "# Relatório anual\n\nA receita cresceu 12 % em São Paulo.\n\n## Detalle\n\n- manzana\n- piña\n1. first\n"
        "  a. inner\n2. second\n\n| País | Capital |\n| --- | --- |\n| España | Madrid |\n| Brasil | Brasília \\| DF |"
        "\n\nThe end."
    )
    assert [part.kind for part in document.parts] == ["body"]


def test_docx_headers_notes_and_what_is_not_shown():
    run = "<w:r><w:t>{}</w:t></w:r>"
    body = (
        "<w:p><w:r><w:t>Kept</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        f"<w:ins>{run.format(' added')}</w:ins><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"
        f"<w:hyperlink>{run.format(' link')}</w:hyperlink><w:r><w:tab/><w:t>tabbed</w:t><w:br/><w:t>below</w:t></w:r>"
        '<w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
        f"<w:sdt><w:sdtContent>{paragraph('in a control')}</w:sdtContent></w:sdt>"
        f"<w:p><mc:AlternateContent><mc:Choice>{run.format('new')}</mc:Choice><mc:Fallback>{run.format('old')}"
        "</mc:Fallback></mc:AlternateContent></w:p>"
    )
    notes = (
        f'<w:footnote w:id="0" w:type="separator">{paragraph("---")}</w:footnote>'
        f'<w:footnote w:id="2">{paragraph("Nota al pie")}</w:footnote>'
    )
    parts = {"header1": paragraph("Acme, S. A."), "footer1": paragraph("Confidencial"), "footnotes": notes}
    assert read_document(make_docx(body, parts), "docx").text == (
        "Acme, S. A.\n\nKept added link\ttabbed\nbelow[2]\n\nin a control\n\nnew\n\n[2] Nota al pie\n\nConfidencial"
    )


def test_xlsx_by_sheets_as_shown():
    sheets = {
        "Ventas 2026": row(1, {"A": "País", "B": "Importe", "C": "Fecha", "D": "%"})
        + row(2, {"A": 't="s":0', "B": 's="1":1234.5', "C": 's="2":46347', "D": 's="3":0.125'})
        + row(4, {"A": 'said "hi", twice', "C": 't="b":1', "D": 't="e":#DIV/0!'}),
        "Oculta": row(1, {"A": "secret"}),
        "Vazia": "",
    }
    sheets["Vazia"] = '<row r="1"><c r="B1"><f>SUM(A1:A3)</f></c><c r="C1"><f>1+1</f><v>2</v></c></row>'
    data = make_xlsx(sheets, strings=["São Tomé"], formats=['#,##0.00" €"', "dd/mm/yyyy", "0.0%"], hidden=["Oculta"])
    document = read_document(data, "xlsx")
    assert [(part.kind, part.name) for part in document.parts] == [("sheet", "Ventas 2026"), ("sheet", "Vazia")]
    assert document.parts[0].text == (
        'País,Importe,Fecha,%\nSão Tomé,"1,234.50 €",21/11/2026,12.5%\n"said ""hi"", twice",,TRUE,#DIV/0!'
    )
    assert document.parts[1].text == ",=SUM(A1:A3),2"
    assert document.text.startswith("[sheet Ventas 2026]\nPaís,")


def test_days_counted_from_1904():
    data = make_xlsx({"S": row(1, {"A": 's="1":44885'})}, formats=["yyyy-mm-dd"], date1904=True)
    assert read_document(data, "xlsx").parts[0].text == "2026-11-21"


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        ("0.1", "General", "0.1"),
        ("0.30000000000000004", "General", "0.3"),
        ("3", "General", "3"),
        ("123456789012", "General", "1.2345678901e+11"),
        ("-7.25", "General", "-7.25"),
        ("7", "000", "007"),
        ("1234567.891", "#,##0", "1,234,568"),
        ("2.5", "0", "3"),
        ("-2.5", "0.0", "-2.5"),
        ("1500000", '0.0,,"M"', "1.5M"),
        ("0.5", "0%", "50%"),
        ("1234.5", "[$€-407] #,##0.00", "€ 1,234.50"),
        ("-1234.5", '#,##0.00;[Red]-#,##0.00" neg"', "-1,234.50 neg"),
        ("0", '0.0;-0.0;"zero"', "zero"),
        ("12345", "0.00E+00", "1.23E+04"),
        ("0.25", "# ?/?", "0.25"),
        ("-0.001", "0.00", "0.00"),
        ("1.5", "0.0##", "1.5"),
        ("44197", "d mmm yyyy", "1 Jan 2021"),
        ("44197.5", "dddd, mmmm d", "Friday, January 1"),
        ("0.75", "h:mm AM/PM", "6:00 PM"),
        ("0.5", "hh:mm:ss", "12:00:00"),
        ("1.5", "[h]:mm", "36:00"),
        ("0.000011574", "mm:ss.0", "00:01.0"),
        ("1", "yyyy-mm-dd", "1900-01-01"),
        ("61", "yyyy-mm-dd", "1900-03-01"),
        ("-5", "yyyy-mm-dd", "-5"),
        ("99999999", "yyyy-mm-dd", "99999999"),
        ("not a number", "0.00", "not a number"),
        ("1e400", "0.00", "1e400"),
    ],
)
def test_number_formats(number, code, text):
    assert shown(number, code) == text
