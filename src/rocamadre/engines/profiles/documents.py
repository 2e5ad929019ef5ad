"""Documents as text: txt, md, csv and html."""

from __future__ import annotations

import codecs
import re

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.engines.profiles.html_text import html_text

TEXT_FORMATS = ("txt", "md", "csv", "html")
LATER_FORMATS = ("pdf", "doc", "docx", "xls", "xlsx")
MOST_BYTES = 4_718_592
"""4.5 MB, Amazon Bedrock's limit for one document."""
MOST_DOCUMENTS = 5

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NAME_CHARACTERS = re.compile(r"[\w\s()\[\]-]+")


def read_document(data: bytes, format_: str | None, *, at: str) -> str:
    """A document's text.

    Args:
        data: The file.
        format_: One of `TEXT_FORMATS`.
        at: Where it stands in the request, for errors.

    Raises:
        NotBuilt: a format that comes later.
        InvalidRequest: too large, or not text.
    """
    if format_ is None:
        raise InvalidRequest(f"{at}: the document's format is missing; formats taken: {', '.join(TEXT_FORMATS)}")
    if format_ not in TEXT_FORMATS:
        raise NotBuilt(
            f"{at}: Rocamadre does not read {format_} documents yet; formats taken: {', '.join(TEXT_FORMATS)}"
        )
    if len(data) > MOST_BYTES:
        raise InvalidRequest(f"{at}: the document has {len(data)} bytes; at most {MOST_BYTES} are taken")
    text = decode_text(data, at=at)
    return html_text(text) if format_ == "html" else text


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
        raise InvalidRequest(f"{at}: the document is a binary file, not text; formats taken: {', '.join(TEXT_FORMATS)}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def check_name(name: str, *, at: str) -> None:
    """Refuse names that Amazon Bedrock refuses.

    Raises:
        InvalidRequest: in its words.
    """
    plain = _NAME_CHARACTERS.fullmatch(name) is not None and "_" not in name
    if not plain or re.search(r"\s\s", name):
        raise InvalidRequest(
            f"{at}: The document file name can only contain alphanumeric characters, whitespace characters, hyphens, "
            "parentheses, and square brackets. The name can't contain more than one consecutive whitespace character."
        )
