"""Bytes of an unknown encoding as text."""

from __future__ import annotations

import codecs
import re

from rocamadre.documents.pieces import Refused

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMED = re.compile(rb"""(?:charset|encoding)\s{0,9}=\s{0,9}["']?([A-Za-z0-9_.:-]{2,30})""", re.IGNORECASE)
_ALLOWED = frozenset(
    "ascii utf-8 utf-16 utf-16-le utf-16-be iso8859-1 iso8859-2 iso8859-9 iso8859-15 cp1250 cp1251 cp1252 cp1254 cp437 "
    "cp850 koi8-r mac-roman shift_jis euc_jp euc_kr gb2312 gbk gb18030 big5".split()
)
_CONTROLS = bytes((*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F))
_NOT_WINDOWS = (0x81, 0x8D, 0x8F, 0x90, 0x9D)
_SAMPLE = 1 << 16
_MOST_CONTROLS = 0.02


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no UTF-8, in a text that else is, one by one as Windows-1252."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("rocamadre-windows", _as_windows)


def decode(data: bytes, *, declared: bytes = b"") -> tuple[str, str]:
    """The text, and the encoding that it was in.

    A byte order mark decides; then zeros in every other byte (UTF-16 without its mark); then whether it is valid UTF-8;
    then what the document declares; then plausibility: a text with some valid sequences of UTF-8 and few bytes that are
    none was damaged, and is read as UTF-8; else Windows-1252, or ISO 8859-1 where there are bytes that Windows has not.

    Args:
        data: The file.
        declared: Where the document may name its encoding, such as the first kilobyte of a page.

    Raises:
        Refused: `unsupported`, it is no text.
    """
    text, encoding = _decoded(data, declared)
    sample = text[:_SAMPLE].encode("utf-8", "surrogatepass")
    controls = len(sample) - len(sample.translate(None, delete=_CONTROLS))
    if controls > _MOST_CONTROLS * min(len(text), _SAMPLE) + 1:
        raise Refused("the document is a binary file of no format that is read", "unsupported")
    return text, encoding


def _decoded(data: bytes, declared: bytes) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), encoding.removesuffix("-sig")
    wide = _wide(data[:4096])
    if wide:
        return data.decode(wide, "replace"), wide
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    named = _NAMED.search(declared[:4096])
    if named is not None and (encoding := _known(named[1].decode("ascii"))):
        return data.decode(encoding, "replace"), encoding
    return _plausible(data)


def _wide(sample: bytes) -> str:
    """UTF-16 without a byte order mark, by where its zeros are."""
    half = len(sample) // 2
    if half < 2:
        return ""
    even, odd = sample[0 : 2 * half : 2].count(0), sample[1 : 2 * half : 2].count(0)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.05 * half else ""


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return ""
    # Pages that say ISO 8859-1 mean Windows-1252; browsers take it so.
    return "" if found not in _ALLOWED or found in ("iso8859-1", "utf-8", "ascii") else found


def _plausible(data: bytes) -> tuple[str, str]:
    valid = data.decode("utf-8", "ignore")
    invalid = len(data) - len(valid.encode())
    # Bytes beyond the first of each valid sequence: other encodings hardly ever make any.
    if len(data) - invalid - len(valid) > 2 * invalid:
        return data.decode("utf-8", "rocamadre-windows"), "utf-8"
    if any(data.count(bytes([byte])) for byte in _NOT_WINDOWS):
        return data.decode("latin-1"), "latin-1"
    return data.decode("cp1252"), "cp1252"
