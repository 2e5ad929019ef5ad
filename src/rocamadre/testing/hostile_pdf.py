"""Hostile pdf files and images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from rocamadre.testing.documents import make_pdf

Case = tuple[str, str, Callable[[], bytes], bool]
_GOOD = make_pdf(["Good words"])


def cases() -> Iterator[Case]:
    """What is wrong, name, maker, whether it is heavy."""
    for what, data in _changed():
        yield what, "a.pdf", (lambda data=data: data), False  # type: ignore[misc]
    for what, make, heavy in (
        ("ten thousand pages", lambda: _many_pages(10_000), True),
        ("a thousand pages", lambda: _many_pages(1000), False),
        ("a stream that inflates to 400 MB", lambda: _with_stream(_bomb(b"(aaaa) Tj ", 40_000_000)), True),
        ("a stream that inflates to 40 MB", lambda: _with_stream(_bomb(b"(aaaa) Tj ", 4_000_000)), True),
        ("a stream that inflates to 2 MB", lambda: _with_stream(_bomb(b"(aaaa) Tj ", 200_000)), False),
        ("filters one over the other", _filters, False),
        ("a page tree 5,000 deep", lambda: _page_tree(5000), False),
        ("arrays 100,000 deep", lambda: _nested(b"[", 100_000), False),
        ("dictionaries 100,000 deep", lambda: _nested(b"<</A", 100_000), False),
        ("strings with 100,000 parentheses", lambda: _nested(b"(", 100_000), False),
        ("graphics states 500,000 deep", lambda: _with_content(b"q " * 500_000), False),
        ("a million lines drawn", lambda: _with_content(b"0 0 m 9 9 l S " * 300_000), True),
        ("text at absurd places", lambda: _with_content(b"BT /F1 1e38 Tf 1e38 -1e38 Td (x) Tj ET " * 5000), False),
        ("an image of ten thousand million pixels", _absurd_image, False),
        ("an outline that never ends", _endless_outline, False),
        ("a form that draws itself", _own_form, False),
        ("a hundred thousand objects", _many_objects, False),
    ):
        yield what, "a.pdf", make, heavy
    for what, name, data in _images():
        yield what, name, (lambda data=data: data), False  # type: ignore[misc]


def _changed() -> Iterator[tuple[str, bytes]]:
    hashes = b"/Encrypt<</Filter/Standard/V 1/R 2/O<%s>/U<%s>/P -4>>/ID[<00><00>]" % (b"11" * 32, b"22" * 32)
    yield "encrypted", _GOOD.replace(b"trailer<<", b"trailer<<" + hashes)
    yield "encrypted in an unknown way", _GOOD.replace(b"trailer<<", b"trailer<</Encrypt<</Filter/Mine/V 99>>")
    yield "claims a million pages", make_pdf(["Good"], count=1_000_000)
    yield "claims fewer than no pages", make_pdf(["Good"], count=-5)
    yield "claims more pages than a number holds", make_pdf(["Good"], count=2**63)
    yield "its own child", _GOOD.replace(b"/Kids[4 0 R]", b"/Kids[2 0 R]")
    yield "its own parent", _GOOD.replace(b"/Parent 2 0 R", b"/Parent 4 0 R")
    yield "its own content", _GOOD.replace(b"/Contents 5 0 R", b"/Contents 4 0 R")
    yield "its own font", _GOOD.replace(b"/F1 3 0 R", b"/F1 4 0 R")
    yield "its own length", _GOOD.replace(b"<</Length ", b"<</Length 5 0 R/Old ")
    yield "a length below zero", _GOOD.replace(b"<</Length ", b"<</Length -1/Old ")
    yield "a length beyond the end", _GOOD.replace(b"<</Length ", b"<</Length 999999999/Old ")
    yield (
        "a table of objects that points at itself",
        _GOOD.replace(b"trailer<<", b"trailer<</Prev 9 ").replace(b"startxref\n", b"startxref\n0"),
    )
    yield "a previous table for ever", _GOOD.replace(b"trailer<<", b"trailer<</Prev %d" % _GOOD.rindex(b"xref\n0"))
    yield "no table of objects", _GOOD[: _GOOD.rindex(b"xref\n0")]
    yield "a page without edges", _GOOD.replace(b"[0 0 595 842]", b"[0 0 0 0]")
    yield "a page as large as a country", _GOOD.replace(b"[0 0 595 842]", b"[0 0 1e15 1e15]")
    yield "no pages", _GOOD.replace(b"/Kids[4 0 R]", b"/Kids[]").replace(b"/Count 1", b"/Count 0")
    yield "no catalog", _GOOD.replace(b"/Catalog", b"/Nothing")
    yield "only its first line", b"%PDF-1.7\n"
    yield "its first line and rubbish", b"%PDF-1.7\n" + bytes(range(256)) * 40
    yield (
        "scripts and actions",
        _GOOD.replace(
            b"/Catalog", b"/Catalog/OpenAction<</S/JavaScript/JS(while(1);)>>/AA<</WC<</S/Launch/F(/bin/sh)>>>>"
        ),
    )
    yield "an outside file as content", _GOOD.replace(b"<</Length ", b"<</F(/etc/hostname)/Length ")


def _with_stream(stream: bytes) -> bytes:
    start = _GOOD.index(b"5 0 obj")
    return _GOOD[:start] + b"5 0 obj\n" + stream + b"\nendobj\n" + _GOOD[_GOOD.rindex(b"xref\n0") :]


def _with_content(content: bytes) -> bytes:
    return _with_stream(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))


def _bomb(unit: bytes, times: int) -> bytes:
    packer = zlib.compressobj(9)
    packed = packer.compress(b"BT /F1 9 Tf ")
    block = unit * 10_000
    for _ in range(times // 10_000):
        packed += packer.compress(block)
    packed += packer.compress(b"ET") + packer.flush()
    return b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed)


def _filters() -> bytes:
    content = b"BT /F1 9 Tf (deep) Tj ET"
    for _ in range(60):
        content = zlib.compress(content)
    names = b"/FlateDecode" * 60
    return _with_stream(b"<</Filter[%s]/Length %d>>stream\n%s\nendstream" % (names, len(content), content))


def _many_pages(count: int) -> bytes:
    return make_pdf([f"Page {number} of many, with some words." for number in range(count)])


def _page_tree(depth: int) -> bytes:
    out = bytearray(b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n")
    for number in range(2, depth + 2):
        out += b"%d 0 obj\n<</Type/Pages/Count 1/Kids[%d 0 R]>>\nendobj\n" % (number, number + 1)
    out += b"%d 0 obj\n<</Type/Page/MediaBox[0 0 9 9]>>\nendobj\n" % (depth + 2)
    return bytes(out + b"trailer<</Root 1 0 R>>\n%%EOF")


def _nested(opening: bytes, depth: int) -> bytes:
    return _GOOD.replace(b"/Type/Page/", b"/X" + opening * depth + b"/Type/Page/")


def _absurd_image() -> bytes:
    image = (
        b"6 0 obj\n<</Type/XObject/Subtype/Image/Width 100000/Height 100000/ColorSpace/DeviceRGB/BitsPerComponent 8"
        b"/Filter/FlateDecode/Length 8>>stream\n%s\nendstream\nendobj\n" % zlib.compress(b"")
    )
    content = b"<</Length 27>>stream\n595 0 0 842 0 0 cm /I Do    \nendstream"
    return (
        _with_stream(content)
        .replace(b"/Font<<", b"/XObject<</I 6 0 R>>/Font<<")
        .replace(b"xref\n0", image + b"xref\n0")
    )


def _endless_outline() -> bytes:
    outline = (
        b"7 0 obj\n<</First 8 0 R/Last 8 0 R>>\nendobj\n"
        b"8 0 obj\n<</Title(Good)/Parent 7 0 R/Next 9 0 R/First 8 0 R/Last 9 0 R/Dest[4 0 R/Fit]>>\nendobj\n"
        b"9 0 obj\n<</Title(Good)/Parent 8 0 R/Next 8 0 R/First 7 0 R/Last 8 0 R/Dest[4 0 R/Fit]>>\nendobj\n"
    )
    linked = _GOOD.replace(b"/Catalog/Pages", b"/Catalog/Outlines 7 0 R/Pages")
    return linked.replace(b"xref\n0", outline + b"xref\n0")


def _own_form() -> bytes:
    form = (
        b"6 0 obj\n<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</I 6 0 R>>>>/Length 11>>stream\n"
        b"/I Do /I Do\nendstream\nendobj\n"
    )
    content = b"<</Length 5>>stream\n/I Do\nendstream"
    return (
        _with_stream(content).replace(b"/Font<<", b"/XObject<</I 6 0 R>>/Font<<").replace(b"xref\n0", form + b"xref\n0")
    )


def _many_objects() -> bytes:
    start = _GOOD.rindex(b"xref\n0")
    objects = b"".join(b"%d 0 obj\n<</A %d 0 R>>\nendobj\n" % (n, n + 1) for n in range(6, 100_000))
    return _GOOD[:start] + objects + b"trailer<</Root 1 0 R>>\n%%EOF"


def _images() -> Iterator[tuple[str, str, bytes]]:
    def png(width: int, height: int, packed: bytes = b"") -> bytes:
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        out = b"\x89PNG\r\n\x1a\n"
        for kind, body in ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")):
            out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        return out

    yield "an image without pixels", "a.png", png(0, 0)
    yield "an image of 65,000 by 65,000 pixels", "a.png", png(65_000, 65_000)
    yield "an image as large as numbers get", "a.png", png(2**32 - 1, 2**32 - 1)
    yield "an image that inflates without end", "a.png", png(7000, 7000, zlib.compress(bytes(100_000_000), 9))
    yield "an image without data", "a.png", png(100, 100)
    yield "an absurd gif", "a.gif", b"GIF89a" + b"\xff" * 200
    yield "an absurd bmp", "a.bmp", b"BM" + bytes(16) + struct.pack("<ii", 2**31 - 1, -(2**31)) + bytes(30)
    yield "an absurd webp", "a.webp", b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 30
    yield "a jpeg of nothing but segments", "a.jpg", b"\xff\xd8" + b"\xff\xe0\0\2" * 500_000
    yield "a jpeg of nothing but marks", "a.jpg", b"\xff\xd8\xff" + b"\xff" * 3_000_000
    yield "an absurd jpeg", "a.jpeg", b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3" + bytes(50)
    yield "a tiff that points at itself", "a.tif", b"II*\0\4\0\0\0" + b"\4\0\0\0" * 50
    yield "a tiff that points beyond", "a.tiff", b"MM\0*\xff\xff\xff\xff" + bytes(50)
    yield "a tiff of many entries", "a.tiff", b"II*\0\x08\0\0\0\xff\xff" + bytes(1_000_000)
