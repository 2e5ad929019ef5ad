"""Which format a file really has: by what is in it, then by its name, then by what its source says."""

from __future__ import annotations

import posixpath
import re
import zipfile
from io import BytesIO

from rocamadre.documents.pieces import Refused

MEDIA_TYPES = {
    "text": "text/plain",
    "markdown": "text/markdown",
    "html": "text/html",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "eml": "message/rfc822",
    "image": "image/*",
}
"""Formats that are read, and their media types."""

_ENDINGS = {
    "txt": "text",
    "text": "text",
    "log": "text",
    "rst": "text",
    "md": "markdown",
    "markdown": "markdown",
    "mdx": "markdown",
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "csv": "csv",
    "tsv": "tsv",
    "json": "json",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "eml": "eml",
    "pdf": "pdf",
    "docx": "docx",
    "doc": "docx",
    "pptx": "pptx",
    "xlsx": "xlsx",
    "xls": "xlsx",
}
_BINARY = frozenset({"pdf", "docx", "pptx", "xlsx", "image"})
_TEXTUAL = frozenset({"PostScript", "rtf", "program"})
_CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1a]")
_TYPES = {media_type: name for name, media_type in MEDIA_TYPES.items()} | {
    "text/x-markdown": "markdown",
    "application/xhtml+xml": "html",
    "application/csv": "csv",
    "application/x-ndjson": "jsonl",
    "application/jsonlines": "jsonl",
    "text/json": "json",
}
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS = (
    (b"Rar!", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x7fELF", "program"),
    (b"MZ\x90", "program"),
    (b"%!PS", "PostScript"),
    (b"{\\rtf", "rtf"),
    (b"SQLite format 3\0", "SQLite"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"fLaC", "flac"),
    (b"RIFF", "wav, avi or webp"),
)
_PAGE = re.compile(rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html)\b", re.I | re.S)
_MAIL = re.compile(
    rb"(?:(?:Return-Path|Received|From|To|Subject|Date|MIME-Version|Message-ID|Delivered-To): [^\n]*\n)", re.I
)
_OFFICE = (("word/", "docx"), ("xl/", "xlsx"), ("ppt/", "pptx"))


def format_of(data: bytes, name: str, media_type: str = "") -> str:
    """A key of `MEDIA_TYPES`.

    Raises:
        Refused: `unsupported` or `encrypted`; the sentence says what it is.
    """
    ending = posixpath.splitext(name.rstrip("/").lower())[1][1:]
    declared = media_type.partition(";")[0].strip().lower()
    named = _ENDINGS.get(ending) or _TYPES.get(declared, "")
    binary = _by_content(data, named)
    if binary:
        return binary
    if named in _BINARY:
        # Pages and tables in text are often called .doc, .xls or .pdf.
        if b"\0" in data[:1024]:
            raise Refused(f"the file is damaged, or no {ending or declared} file")
        return _by_look(data)
    if ending not in _ENDINGS and declared == "text/plain":
        return "text"
    return named or _by_look(data)


def _by_content(data: bytes, named: str) -> str:
    if data[:1024].lstrip(b"\0\t\n\r \xef\xbb\xbf").startswith(b"%PDF-") or (
        named == "pdf" and b"%PDF-" in data[:1024]
    ):
        return "pdf"
    if data.startswith(_IMAGES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return "image"
    if data.startswith(b"BM") and len(data) > 30 and data[6:10] == bytes(4):
        return "image"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _in_zip(data)
    if data.startswith(_OLE):
        raise Refused(
            "the file is an encrypted Office document, or of an old binary format (doc, xls, ppt); save it as docx, "
            "xlsx or pptx without a password",
            "encrypted",
        )
    for mark, what in _OTHERS:
        if data.startswith(mark) and (what in _TEXTUAL or _CONTROLS.search(data, 0, 1024)):
            raise Refused(f"files of the format {what} are not read", "unsupported")
    return ""


def _in_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(BytesIO(data)) as package:
            names = package.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError) as error:
        raise Refused("the file is damaged: it begins as a zip archive and does not end as one") from error
    if "[Content_Types].xml" in names or "_rels/.rels" in names:
        for folder, found in _OFFICE:
            if any(name.startswith(folder) for name in names):
                return found
    raise Refused("the file is a zip archive of no format that is read; unpack it first", "unsupported")


def _by_look(data: bytes) -> str:
    """Of a text whose name says nothing."""
    start = data[:4096]
    if _PAGE.match(start):
        return "html"
    if _MAIL.match(start) and len(_MAIL.findall(start)) >= 3:
        return "eml"
    return "text"
