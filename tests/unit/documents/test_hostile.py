"""Files made to hang, to crash or to fill the memory: each is refused with a sentence, within its limits."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import zipfile
import zlib

import pytest

from rocamadre.core.errors import InvalidRequest, Throttled
from rocamadre.documents import apart
from rocamadre.documents.reading import APART, read_document
from rocamadre.documents.types import Limits
from rocamadre.testing.documents import (
    docx_members,
    make_docx,
    make_package,
    make_pdf,
    make_xlsx,
    paragraph,
    row,
    xlsx_members,
)

GOOD = {
    "pdf": make_pdf(["Hello"]),
    "docx": make_docx(paragraph("Hello")),
    "xlsx": make_xlsx({"S": row(1, {"A": "Hello"})}),
}
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def refused(data, form, match, **limits):
    with pytest.raises(InvalidRequest, match=match) as caught:
        read_document(data, form, at="messages.0", limits=Limits(**limits))
    assert caught.value.message.startswith("messages.0: ")
    assert len(caught.value.message) < 300


def text_or_error(data, form):
    """What was read, or why not; anything else is a defect."""
    try:
        return read_document(data, form).text
    except InvalidRequest as error:
        return error.message


@pytest.mark.parametrize("form", APART)
@pytest.mark.parametrize("other", ["pdf", "docx", "xlsx", "text", "zeros", "png"])
def test_the_wrong_format_for_the_content(form, other):
    data = {**GOOD, "text": b"Hello, I am text.", "zeros": bytes(1000), "png": b"\x89PNG\r\n\x1a\n" + bytes(50)}[other]
    if form == other:
        assert "Hello" in read_document(data, form).text
    else:
        refused(data, form, f"no {form} file")


@pytest.mark.parametrize("form", APART)
def test_every_truncation_is_refused_or_read(form):
    data = GOOD[form]
    for size in range(1, len(data) - 1, max(1, len(data) // 6)):
        text = text_or_error(data[:size], form)
        assert text in ("", "Hello") or "damaged" in text or f"no {form} file" in text


@pytest.mark.parametrize("form", ["docx", "xlsx"])
def test_encrypted_office_files_are_ole_files(form):
    refused(OLE, form, f"encrypted, or of an old binary format; save it as {form} without a password")


def test_encrypted_members_of_a_zip():
    data = bytearray(GOOD["docx"])
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + place] |= 1
            at = data.find(mark, at + 4)
    refused(bytes(data), "docx", "encrypted; save it without a password")


def test_encrypted_pdf():
    """Standard security handler, revision 2, with owner and user hashes of some password."""
    encrypt = b"/Encrypt<</Filter/Standard/V 1/R 2/O<%s>/U<%s>/P -4>>/ID[<00><00>]" % (b"11" * 32, b"22" * 32)
    data = make_pdf(["Hello"]).replace(b"trailer<<", b"trailer<<" + encrypt)
    refused(data, "pdf", "encrypted; save it without a password")


def test_a_pdf_that_claims_a_million_pages():
    refused(make_pdf(["Hello"], count=1_000_000), "pdf", "has 1000000 pages; at most 5000")
    refused(make_pdf(["Hello"], count=4999), "pdf", r"page \d+ of the pdf document is damaged")


def test_recursive_objects_of_a_pdf():
    good = make_pdf(["Hello"])
    own_child = good.replace(b"/Kids[4 0 R]", b"/Kids[2 0 R]")
    own_content = good.replace(b"/Contents 5 0 R", b"/Contents 4 0 R")
    own_font = good.replace(b"/F1 3 0 R", b"/F1 4 0 R")
    own_length = good.replace(b"<</Length ", b"<</Length 5 0 R/Old ")
    assert len({good, own_child, own_content, own_font, own_length}) == 5
    for data in (own_child, own_content, own_font, own_length):
        assert len(text_or_error(data, "pdf")) < 200


def test_a_pdf_stream_that_inflates_without_end():
    squeezed = zlib.compress(b"BT /F1 12 Tf (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) Tj ET " * 4_000_000, 9)
    good = make_pdf([""])
    start = good.index(b"5 0 obj")
    bomb = b"5 0 obj\n<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream\nendobj\n" % (len(squeezed), squeezed)
    data = good[:start] + bomb + good[good.index(b"xref") :]
    assert len(squeezed) < Limits().size_bytes
    refused(data, "pdf", "cannot be read within|over 768 MB|damaged|characters", cpu_s=2)


def test_a_zip_bomb():
    silent = make_docx("<w:p><w:r/></w:p>" * 1_500_000)
    assert len(silent) < Limits().size_bytes
    refused(silent, "docx", "unpacks to over 16 MB", expanded_bytes=16 << 20)
    refused(make_docx(paragraph("a" * 1000) * 20_000), "docx", "over 4000000 characters")


def test_a_zip_that_lies_about_its_sizes():
    data = bytearray(make_docx(paragraph("a" * 5_000_000)))
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 24 : at + 28] = struct.pack("<I", 10)
        at += 4
    with pytest.raises(InvalidRequest):
        read_document(bytes(data), "docx", limits=Limits(characters=1_000_000))


def test_too_many_members():
    members = {**docx_members(paragraph("x")), **{f"x/{number}": b"" for number in range(10_001)}}
    refused(make_package(members), "docx", "holds 10005 files; at most 10000")


@pytest.mark.parametrize("form", ["docx", "xlsx"])
def test_entities(form):
    members = docx_members(paragraph("x")) if form == "docx" else xlsx_members({"S": row(1, {"A": "x"})})
    main = "word/document.xml" if form == "docx" else "xl/worksheets/s1.xml"
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]>'
    outside = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    for declared in (bomb, outside):
        xml = members[main].replace("\n", declared, 1).replace(">x<", ">&e11;&f;<")
        refused(make_package({**members, main: xml}), form, "declares a document type, which its format forbids")


def test_depth():
    refused(make_docx("<w:sdt>" * 100_000 + "</w:sdt>" * 100_000), "docx", "nested too deeply")


def test_missing_and_outside_parts():
    members = docx_members(paragraph("x"))
    del members["word/document.xml"]
    refused(make_package(members), "docx", "'word/document.xml' is missing in it")
    far = docx_members(paragraph("x"))
    far["_rels/.rels"] = far["_rels/.rels"].replace("word/document.xml", "../../../../etc/hostname")
    refused(make_package(far), "docx", "is missing in it")


def test_unusual_compression():
    refused(make_package(docx_members(paragraph("x")), compression=zipfile.ZIP_LZMA), "docx", "packed in a way")


def test_huge_sheets():
    wide = "".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 2000))
    refused(make_xlsx({"S": wide}), "xlsx", "over 4000000 characters")
    many = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 2000))
    refused(make_xlsx({"S": many}, strings=["long " * 1000]), "xlsx", "over 4000000 characters")
    refused(make_xlsx({"S": '<row r="2000000"><c r="A1"><v>1</v></c></row>'}), "xlsx", "has a row 2000000")
    refused(make_xlsx({"S": '<row r="1"><c r="ZZZ1"><v>1</v></c></row>'}), "xlsx", "has a column ZZZ")
    refused(make_xlsx({"S": '<row r="1"><c r="A1" t="s"><v>7</v></c></row>'}), "xlsx", "a text that is not there")
    backwards = '<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>'
    refused(make_xlsx({"S": backwards}), "xlsx", "not in order")


def test_hostile_numbers_and_formats():
    """Long digits, exponents and formats cost little and are shown somehow."""
    cells = {"A": 's="1":1e308', "B": 's="2":' + "9" * 5000, "C": 's="3":1', "D": 's="1":nan', "E": 's="1":1e-308'}
    formats = ["#,##0." + "0" * 200, "0" * 200, '"' * 200 + ";" * 50]
    assert len(read_document(make_xlsx({"S": row(1, cells)}, formats=formats), "xlsx").text) < 20_000


@pytest.mark.parametrize("form", APART)
def test_flipped_bytes(form):
    data = GOOD[form]
    for place in range(0, len(data), len(data) // 8):
        assert len(text_or_error(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :], form)) < 300


def test_a_reader_without_memory_is_refused():
    body = paragraph("a" * 10_000) * 5_000
    refused(make_docx(body), "docx", "memory", memory_bytes=64 << 20, characters=100_000_000)


def test_time_on_the_clock():
    refused(GOOD["pdf"], "pdf", "takes over 0.001 seconds", wall_s=0.001)


def test_at_most_two_at_once(monkeypatch):
    monkeypatch.setattr(apart, "_WAIT_S", 0.01)
    monkeypatch.setattr(apart, "_places", threading.BoundedSemaphore(1))
    with apart._places, pytest.raises(Throttled, match="try again"):
        read_document(GOOD["pdf"], "pdf")
    assert read_document(GOOD["pdf"], "pdf").text == "Hello"


def test_the_child_can_open_nothing():
    """A parser that was taken over finds no file and no socket."""
    program = (
        "import socket, sys\n"
        "from rocamadre.documents.child import limit\n"
        "from rocamadre.documents.types import Limits\n"
        "limit(Limits())\n"
        "for attempt in (lambda: open('/etc/hostname'), socket.socket):\n"
        "    try:\n"
        "        attempt()\n"
        "    except OSError as error:\n"
        "        print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["24", "24"], done.stderr


def test_no_secret_reaches_the_child(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    seen = {}
    real = subprocess.Popen

    def spy(*arguments, **options):
        seen.update(options["env"])
        return real(*arguments, **options)

    monkeypatch.setattr(apart.subprocess, "Popen", spy)
    read_document(GOOD["pdf"], "pdf")
    assert "AWS_SECRET_ACCESS_KEY" not in seen
    assert seen["PATH"] == os.environ["PATH"]
