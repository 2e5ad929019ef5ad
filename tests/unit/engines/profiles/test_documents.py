import time

import pytest

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.engines.profiles.documents import check_name, decode_text, read_document
from rocamadre.engines.profiles.html_text import html_text


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


@pytest.mark.parametrize("form", ["pdf", "doc", "docx", "xls", "xlsx"])
def test_later_formats(form):
    with pytest.raises(NotBuilt, match=f"does not read {form} documents yet; formats taken: txt, md, csv, html"):
        read_document(b"x", form, at="x")


@pytest.mark.parametrize("name", ["report", "Informe (2026) [final]", "año-nuevo", "a b c"])
def test_good_names(name):
    check_name(name, at="x")


@pytest.mark.parametrize("name", ["a.txt", "a_b", "a  b", "a/b", "a\n\nb", "x;y"])
def test_bad_names(name):
    with pytest.raises(InvalidRequest, match="alphanumeric characters"):
        check_name(name, at="x")
