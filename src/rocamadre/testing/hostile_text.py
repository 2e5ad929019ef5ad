"""Hostile text: plain, Markdown, HTML, CSV, JSON, mail."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

from rocamadre.testing.documents import make_docx

Case = tuple[str, str, Callable[[], bytes], bool]
_MANY = 200_000
_VERY_MANY = 2_000_000


def cases() -> Iterator[Case]:
    """What is wrong, name, maker, whether it is heavy."""
    for many, heavy in ((_MANY, False), (_VERY_MANY, True)):
        for name, kinds in _repeated().items():
            for what, (before, unit, after) in kinds.items():
                yield what, name, (lambda b=before, u=unit, a=after, n=many: b + u * (n // len(u)) + a), heavy  # type: ignore[misc]
    for what, name, data in (*_texts(), *_mails()):
        yield what, name, (lambda data=data: data), False  # type: ignore[misc]
    for what, name, make in (
        ("40 MB of one letter", "a.txt", lambda: b"a" * 40_000_000),
        ("40 MB of white space", "a.txt", lambda: b" \n" * 20_000_000),
        ("50 MB of two-byte letters", "a.md", lambda: "ñ ".encode() * 16_000_000),
        ("a field of 40 MB", "a.csv", lambda: b'a,b\n1,"' + b"x" * 40_000_000 + b'"\n'),
        ("a million rows", "a.csv", lambda: b"a,b,c\n" + b"1,2,3\n" * 1_000_000),
        ("a list of a million numbers", "a.json", lambda: b"[" + b"1," * 1_000_000 + b"1]"),
        ("a million objects", "a.json", lambda: b"[" + b'{"a":1},' * 1_000_000 + b'{"a":1}]'),
        ("a text of 40 MB", "a.json", lambda: b'{"a": "' + b"x" * 40_000_000 + b'"}'),
        ("30 MB of broken tags", "a.html", lambda: b"<a \"<b '<c " * 3_000_000),
        ("an attachment of 30 MB", "a.eml", lambda: _mail(b"application/pdf", base64.encodebytes(bytes(20_000_000)))),
    ):
        yield what, name, make, True


def _repeated() -> dict[str, dict[str, tuple[bytes, bytes, bytes]]]:
    """What is before, what comes again and again, what is after."""
    return {
        "a.html": {
            "elements nested deeply": (b"", b"<div>", b"Good"),
            "tables nested deeply": (b"", b"<table><tr><td>", b"Good"),
            "lists nested deeply": (b"", b"<ul><li>", b"Good"),
            "menus that never end": (b"", b"<nav>x", b"Good"),
            "comments that never end": (b"Good", b"<!-- ", b""),
            "quotes that never end": (b"Good", b'<a b="', b""),
            "scripts that never end": (b"Good", b"<script>", b""),
            "tags that never end": (b"Good", b"<a ", b""),
            "ends of what never began": (b"Good", b"</table></div>", b""),
            "references of many digits": (b"Good &#", b"9", b";"),
            "many references": (b"Good", b"&amp;&#x41;&nope;", b""),
            "many attributes": (b"<p ", b"a=b ", b">Good"),
            "many facts": (b"", b"<meta name=author content='x'>", b"Good"),
            "a long title": (b"<title>", b"x ", b"</title>Good"),
            "a wide table": (b"<table><tr>", b"<td>x", b"</table>Good"),
            "a long table": (b"<table>", b"<tr><td>x<td>y", b"</table>Good"),
            "many breaks": (b"Good", b"<br>", b""),
            "less than signs": (b"Good", b"<", b""),
        },
        "a.md": {
            "marks of headings": (b"Good\n", b"#", b""),
            "many headings": (b"Good\n", b"# a\n", b""),
            "rules of tables": (b"| Good |\n", b"|-", b""),
            "rules of tables with a flaw": (b"| Good |\n", b"|-", b"x"),
            "many tables": (b"", b"| a |\n|---|\n\n", b"Good"),
            "fences": (b"Good\n", b"```\n", b""),
            "backticks": (b"Good\n", b"`", b""),
            "underlines": (b"Good\n", b"a\n---\n", b""),
            "quotations nested deeply": (b"", b"> ", b"Good"),
            "spaces before a line's end": (b"# Good", b" ", b"x"),
            "front matter that never ends": (b"---\n", b"title: x\n", b"Good"),
        },
        "a.txt": {
            "dots": (b"Good", b".", b""),
            "dots and spaces": (b"Good", b". ", b""),
            "one word": (b"Good", b"a", b"!"),
            "line feeds": (b"Good", b"\n", b""),
            "zeros": (b"Good", b"a\0", b""),
            "accents on one letter": (b"Good e", "\u0301".encode(), b""),
            "letters that turn the line": (b"Good", "\u202e\u200f".encode(), b""),
            "joined emoji": (b"Good", "👩\u200d".encode(), b""),
            "broken bytes": (b"Good", b"\xff\xfe\xc3", b""),
            "half of each letter": (b"Good", b"\xc3", b""),
        },
        "a.csv": {
            "quotes": (b"Good,b\n", b'"', b""),
            "commas": (b"Good\n", b",", b""),
            "a quote that never ends": (b'Good,b\n"', b"x\n", b""),
            "a row with many columns": (b"Good", b",x", b"\n"),
            "mixed separators": (b"Good\n", b"a,b;c\td|e\n", b""),
            "rows of growing doubt": (b"Good\n", b'a,"b""c",\n', b""),
        },
        "a.json": {
            "lists nested deeply": (b"", b"[", b"]"),
            "objects nested deeply": (b"", b'{"a":', b"1}"),
            "a number of many digits": (b'{"Good": ', b"9", b"}"),
            "a number of many places": (b'{"Good": 0.', b"1", b"e-99999}"),
            "halves of letters": (b'{"Good": "', b"\\ud800", b'"}'),
            "a text that never ends": (b'{"Good": "', b"\\\\", b""),
            "one name many times": (b'{"Good": 1', b',"a":1', b"}"),
            "white space": (b'{"Good": ', b" ", b"1}"),
        },
        "a.jsonl": {
            "deep lines": (b"", b"[[[[[[[[[[]]]]]]]]]]\n", b'{"Good": 1}'),
            "empty lines": (b'{"Good": 1}', b"\n", b""),
        },
        "a.eml": {
            "many headers": (b"From: Good\n", b"X: y\n", b"\nGood"),
            "one long header": (b"From: Good\nSubject: ", b"a ", b"\n\nGood"),
            "encoded words": (b"From: Good\nSubject: ", b"=?utf-8?q?a?= ", b"\n\nGood"),
            "broken encoded words": (b"From: Good\nSubject: ", b"=?utf-8?b?", b"\n\nGood"),
            "brackets in an address": (b"To: Good\nFrom: ", b'<("', b"\n\nGood"),
            "parameters": (b"From: Good\nContent-Type: text/plain", b"; a=b", b"\n\nGood"),
            "continued parameters": (b"From: Good\nContent-Type: text/plain", b"; a*0*=b", b"\n\nGood"),
            "many parts": (b"From: a\nContent-Type: multipart/mixed; boundary=B\n\n", b"--B\n\nGood\n", b"--B--"),
        },
    }


def _texts() -> Iterator[tuple[str, str, bytes]]:
    yield "all bytes", "a.txt", bytes(range(256)) * 10
    yield "controls", "a.txt", b"Good" + bytes(range(1, 32)) * 10
    yield "UTF-16 cut in a letter", "a.txt", "Good ação".encode("utf-16")[:-1]
    yield "UTF-16 with halves of letters", "a.txt", b"\xff\xfe" + b"\0\xd8" * 50 + "Good".encode("utf-16-le")
    yield "UTF-32 cut in a letter", "a.txt", "Good ação".encode("utf-32")[:-2]
    yield "UTF-32 with letters that there are not", "a.txt", b"\xff\xfe\0\0" + b"\xff\xff\xff\x7f" * 50
    yield "a mark of one encoding, text of another", "a.txt", b"\xff\xfeGood in ASCII, all the way"
    yield "two encodings", "a.txt", "Good ação ".encode() * 9 + "ação".encode("latin-1")
    yield "three encodings", "a.md", "Good ç".encode() + "ç".encode("cp1252") + "ç".encode("utf-16")
    yield "letters longer than they may be", "a.txt", b"Good \xc0\xaf\xe0\x80\xaf\xf8\x88\x80\x80\xaf"
    yield "halves of letters in UTF-8", "a.txt", b"Good \xed\xa0\x80\xed\xb0\x80"
    yield "UTF-7", "a.html", b"<meta charset=utf-7>Good +ADw-script+AD4-"
    yield "an encoding that there is not", "a.html", b"<meta charset=klingon>Good \xf1"
    yield "several marks", "a.txt", b"\xef\xbb\xbf\xef\xbb\xbf\xff\xfeGood"
    yield "a picture in XML", "a.svg", b"<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><svg>&b; Good</svg>"
    yield (
        "a page with a document type of its own",
        "a.html",
        b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>Good &a;",
    )
    yield "a page within zeros", "a.html", b"<\0h\0t\0m\0l\0>\0Good"
    yield "not a number", "a.json", b'{"Good": [NaN, Infinity, -Infinity]}'
    yield "names that are numbers", "a.json", b"{1: 2}"
    yield "two documents in one", "a.json", b'{"Good": 1} {"b": 2}'
    yield "comments", "a.json", b'{"Good": 1 /* no */, // no\n}'
    yield "a line that is none", "a.jsonl", b'{"Good": 1}\nnone\n{"b": 2}'
    yield "a header alone", "a.csv", b"Good,b,c\n"
    yield "a formula", "a.csv", b'Good,b\n=cmd|"/C calc"!A0,@SUM(1)\n'


def _mail(kind: bytes, content: bytes, name: bytes = b"a.bin") -> bytes:
    return (
        b"From: a@example.org\nSubject: Good\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nGood\n--B\n"
        b"Content-Type: %s\nContent-Disposition: attachment; filename=%s\nContent-Transfer-Encoding: base64\n\n"
        b"%s\n--B--\n" % (kind, name, content)
    )


def _mails() -> Iterator[tuple[str, str, bytes]]:
    inside = b"From: a\nSubject: Good\n\nGood"
    for _ in range(300):
        inside = b"From: a\nSubject: Good\nContent-Type: message/rfc822\n\n" + inside
    yield "messages within messages", "a.eml", inside
    nested = b"Good"
    for number in range(300):
        nested = b"Content-Type: multipart/mixed; boundary=B%d\n\n--B%d\n%s\n--B%d--\n" % (
            number,
            number,
            nested,
            number,
        )
    yield "parts within parts", "a.eml", b"From: a\n" + nested
    bomb = make_docx("<w:p><w:r/></w:p>" * 300_000)
    yield "a bomb attached", "a.eml", _mail(b"application/x", base64.encodebytes(bomb), b"a.docx")
    yield "a name like a path", "a.eml", _mail(b"text/plain", base64.b64encode(b"Good"), b"../../etc/passwd")
    yield "rubbish for base64", "a.eml", _mail(b"text/plain", b"!!!! not base64 \xff\xfe ====")
    yield "no boundary", "a.eml", b"From: a\nContent-Type: multipart/mixed\n\n--B\n\nGood\n--B--"
    yield "a boundary that never comes", "a.eml", b"From: a\nContent-Type: multipart/mixed; boundary=Z\n\nGood\n--B--"
    yield "an encoding that there is not", "a.eml", b"From: a\nContent-Type: text/plain; charset=klingon\n\nGood \xf1"
    yield "a transfer that there is not", "a.eml", b"From: a\nContent-Transfer-Encoding: pigeon\n\nGood"
    yield "broken uuencoding", "a.eml", b"From: a\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n\xff\xff\nend"
    yield "no headers", "a.eml", b"\n\nGood"
    yield "headers alone", "a.eml", b"From: a\nSubject: Good"
