"""Images: their words, if there is OCR; their size is read from their first bytes, and nothing is unpacked here."""

from __future__ import annotations

import struct

from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers.builder import Builder
from rocamadre.knowledge.parsers.file import File, OcrWanted
from rocamadre.knowledge.parsers.parsed import Parsed

MOST_PIXELS = 50_000_000
_MOST_SEGMENTS = 10_000
_TYPES = {b"\x89P": "image/png", b"\xff\xd8": "image/jpeg", b"GI": "image/gif", b"BM": "image/bmp", b"RI": "image/webp"}


def parse_image(file: File) -> Parsed:
    """See `Parser`.

    Raises:
        Refused: it is too large to be drawn, damaged, or there is no OCR, or it finds no words.
        OcrWanted: for page 1.
    """
    size = dimensions(file.data)
    if size is None:
        raise Refused("the image is damaged")
    width, height = size
    if width * height > MOST_PIXELS:
        raise Refused(f"the image has {width} × {height} pixels; at most {MOST_PIXELS} are read", "too-large")
    words = file.read_pages.get(1)
    if words is None:
        if file.can_read_images:
            raise OcrWanted((1,))
        raise Refused("the file is an image; install Tesseract to have its words read", "needs-ocr")
    builder = Builder(file.limits.characters)
    builder.begin_page(1)
    builder.add(words)
    return builder.parsed(_TYPES.get(file.data[:2], "image/tiff"))


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, as the file declares them; None where it does not."""
    try:
        if data.startswith(b"\x89PNG"):
            return struct.unpack(">II", data[16:24])
        if data.startswith(b"GIF8"):
            return struct.unpack("<HH", data[6:10])
        if data.startswith(b"BM"):
            width, height = struct.unpack("<ii", data[18:26])
            return abs(width), abs(height)
        if data.startswith(b"RIFF"):
            return _webp(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        return _tiff(data)
    except (struct.error, IndexError):
        return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if at + 9 > len(data) or data[at] != 0xFF:
            return None
        mark = data[at + 1]
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += (
            2
            if mark in (0xFF, 0x01) or 0xD0 <= mark <= 0xD7
            else 2 + max(2, *struct.unpack(">H", data[at + 2 : at + 4]))
        )
    return None


def _tiff(data: bytes) -> tuple[int, int] | None:
    order = "<" if data.startswith(b"II") else ">"
    (first,) = struct.unpack(f"{order}I", data[4:8])
    (count,) = struct.unpack(f"{order}H", data[first : first + 2])
    found: dict[int, int] = {}
    for place in range(min(count, 200)):
        entry = data[first + 2 + 12 * place : first + 14 + 12 * place]
        tag, kind = struct.unpack(f"{order}HH", entry[:4])
        if tag in (256, 257):
            (found[tag],) = struct.unpack(f"{order}{'H' if kind == 3 else 'I'}", entry[8 : 10 if kind == 3 else 12])
    return (found[256], found[257]) if len(found) == 2 else None
