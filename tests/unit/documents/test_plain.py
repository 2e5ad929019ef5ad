import time

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.documents.html_text import html_text
from rocamadre.documents.reading import FORMATS, decode_text, read_document
from rocamadre.documents.types import Limits
from rocamadre.engines.profiles.documents import check_name
from rocamadre.engines.profiles.documents import read_document as text_of_document


@pytest.mark.parametrize(
    "data",
    [
        "café ñandú".encode(),
        b"\xef\xbb\xbf" + "café ñandú".encode(),
        "café ñandú".encode("utf-16"),
        b"\xfe\xff" + "café ñandú".encode("utf-16-be"),
        "café ñandú".encode("latin-1"),
    ],
)
def test_encodings(data):
    assert decode_text(data, at="x") == "café ñandú"


def test_binary_files_are_no_text():
    with pytest.raises(InvalidRequest, match="binary file"):
        decode_text(b"%PDF\x00\xff", at="x")


def test_truncated_utf_16_is_refused():
    with pytest.raises(InvalidRequest, match="not valid utf-16"):
        decode_text(b"\xff\xfea\x00b", at="x")


def test_html():
    page = """<!doctype html><html><head><title>T</title><style>p{}</style></head><body>
    <h1>Roca &eacute;</h1><p>one <b>two</b><br>three</p><table><tr><td>a</td><td>b</td></tr></table>
    <script>alert("<p>no</p>")</script></body></html>"""
    assert html_text(page) == "Roca é\none two\nthree\na b"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a < b and c > d", "a < b and c > d"),
        ('<p title="a > b">x</p>', "x"),
        ("<p title='it>s \"q\"'>x</p>", "x"),
        ('<p title="never closed>x</p>', "x"),
        ("a<!-- <p>no</p> -->b", "ab"),
        ("a<!-- never closed", "a"),
        ("<SCRIPT>if (a</b) {}</ScRiPt >c", "c"),
        ("<script>never closed", ""),
        ("&lt;p&gt; &amp;amp; &nbsp;", "<p> &amp;"),
        ("İ<style>x</style>y", "İy"),
    ],
)
def test_html_corners(page, text):
    assert html_text(page) == text


@pytest.mark.parametrize(
    "unit",
    ["<!--", "<a ", "<", "</", "<![CDATA[", "<!", "<?", "<a b='", '<a ">', "&#", "&", "<script>", "</a ", "<div>"],
)
def test_hostile_html_takes_linear_time(unit):
    began = time.perf_counter()
    html_text((unit * 1_000_000)[:1_000_000])
    assert time.perf_counter() - began < 60  # Anything worse than linear would take hours.


@pytest.mark.parametrize(("form", "better"), [("doc", "docx"), ("xls", "xlsx")])
def test_old_binary_formats_say_what_to_save_them_as(form, better):
    with pytest.raises(InvalidRequest, match=f"x: {form} is an old binary format .*; save the file as {better}"):
        read_document(b"x", form, at="x")


def test_a_format_must_be_given_and_known():
    with pytest.raises(InvalidRequest, match=r"format is missing; formats taken: " + ", ".join(FORMATS)):
        read_document(b"x", None, at="x")
    with pytest.raises(InvalidRequest, match="'odt' is not a format that is read; formats taken: pdf"):
        read_document(b"x", "odt", at="x")


@pytest.mark.parametrize("form", FORMATS)
def test_size_and_emptiness(form):
    with pytest.raises(InvalidRequest, match="has 4718593 bytes; at most 4718592"):
        read_document(bytes(4_718_593), form)
    with pytest.raises(InvalidRequest, match="the document is empty"):
        read_document(b"", form)


def test_text_has_a_limit_of_characters():
    assert read_document(b"a" * 10, "txt", limits=Limits(characters=10)).text == "a" * 10
    with pytest.raises(InvalidRequest, match="has 11 characters; at most 10"):
        read_document(b"a" * 11, "md", limits=Limits(characters=10))


def test_plain_text_is_one_part_without_a_mark():
    document = read_document("id;país\n1;España\n".encode(), "csv")
    assert [(part.kind, part.name) for part in document.parts] == [("body", "")]
    assert document.text == text_of_document("id;país\n1;España\n".encode(), "csv", at="x") == "id;país\n1;España\n"
    assert not read_document(b" \n ", "txt").has_text


@pytest.mark.parametrize("name", ["report", "Informe (2026) [final]", "new-year_2", "a b c"])
def test_good_names(name):
    check_name(name, at="x")


@pytest.mark.parametrize("name", ["a.txt", "año-nuevo", "a  b", "a/b", "a\n\nb", "x;y"])
def test_bad_names(name):
    with pytest.raises(InvalidRequest, match="alphanumeric characters"):
        check_name(name, at="x")
