"""Documents of strangers as text: pdf, docx, xlsx, csv, html, md, txt.

Plain text is decoded here. Everything else goes to a parser in a process of its own (`apart.py`), so that a file made
to hang, to crash or to fill the memory costs its sender an error and nobody else anything.
"""

from __future__ import annotations

import codecs

from rocamadre.core.errors import InvalidRequest
from rocamadre.documents.apart import read_apart
from rocamadre.documents.html_text import html_text
from rocamadre.documents.types import DocumentText, Limits, Part

PLAIN = ("txt", "md", "csv", "html")
APART = ("pdf", "docx", "xlsx")
FORMATS = ("pdf", "csv", "docx", "xlsx", "html", "txt", "md")
"""Those that are read, in Amazon Bedrock's order."""

CONVERTED = {"doc": "docx", "xls": "xlsx"}
"""Old formats that are refused, and what to save them as."""

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DEFAULT = Limits()


def read_document(data: bytes, format_: str | None, *, at: str = "document", limits: Limits = _DEFAULT) -> DocumentText:
    """A document's text. Blocks, for the formats in `APART` at least some 50 ms: call it in a thread.

    Args:
        data: The file.
        format_: One of `FORMATS`; what the file holds must be that.
        at: Where it stands in the request, for errors.
        limits: What it may cost.

    Raises:
        InvalidRequest: a format that is not read, or a file that is too large, damaged, encrypted, of another format,
            or exceeds a limit.
        Throttled: too many documents are being read at this moment.
    """
    taken = ", ".join(FORMATS)
    if format_ is None:
        raise InvalidRequest(f"{at}: the document's format is missing; formats taken: {taken}")
    if format_ in CONVERTED:
        raise InvalidRequest(
            f"{at}: {format_} is an old binary format that Rocamadre does not read; save the file as "
            f"{CONVERTED[format_]} and send that"
        )
    if format_ not in FORMATS:
        raise InvalidRequest(f"{at}: {format_[:20]!r} is not a format that is read; formats taken: {taken}")
    if not data:
        raise InvalidRequest(f"{at}: the document is empty")
    if len(data) > limits.size_bytes:
        raise InvalidRequest(f"{at}: the document has {len(data)} bytes; at most {limits.size_bytes} are taken")
    if format_ in APART:
        return read_apart(data, format_, at=at, limits=limits)
    text = decode_text(data, at=at)
    text = html_text(text) if format_ == "html" else text
    if len(text) > limits.characters:
        raise InvalidRequest(f"{at}: the document has {len(text)} characters; at most {limits.characters} are taken")
    return DocumentText((Part("body", "", text),))


def decode_text(data: bytes, *, at: str) -> str:
    """Bytes as text: by their byte order mark, else UTF-8, else Windows-1252.

    Raises:
        InvalidRequest: they are no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise InvalidRequest(f"{at}: the document is not valid {encoding}: {error.reason}") from error
    if b"\0" in data:
        raise InvalidRequest(f"{at}: the document is a binary file, not text; formats taken: {', '.join(FORMATS)}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
