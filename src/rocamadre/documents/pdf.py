"""pdf, page by page, through PDFium."""

from __future__ import annotations

from typing import Any

import pypdfium2
from pypdfium2 import raw

from rocamadre.documents.pieces import Refused, Text
from rocamadre.documents.types import Limits


def read_pdf(data: bytes, text: Text, limits: Limits) -> None:
    """The text of every page, as its part."""
    document = open_pdf(data, limits)
    for number in range(len(document)):
        try:
            page = document[number]
            words = page_text(page)
        except pypdfium2.PdfiumError as error:
            raise Refused(f"page {number + 1} of the pdf document is damaged; save it again") from error
        text.add(words)
        text.end_part("page", str(number + 1))
        page.close()


def open_pdf(data: bytes, limits: Limits) -> Any:
    """A `PdfDocument`.

    Raises:
        Refused: it is none, encrypted, damaged, or has too many pages.
    """
    if b"%PDF-" not in data[:1024]:
        raise Refused("the document is no pdf file")
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise Refused("the pdf document is encrypted; save it without a password", "encrypted") from error
        raise Refused("the pdf document is damaged; save it again") from error
    pages = len(document)
    if pages > limits.pages:
        raise Refused(f"the pdf document has {pages} pages; at most {limits.pages} are read", "too-many-pages")
    return document


def page_text(page: Any) -> str:
    """The text of a `PdfPage`; raises `PdfiumError` for a damaged one."""
    words = page.get_textpage()
    found = words.get_text_range()
    words.close()
    return _clean(found)


def _clean(found: str) -> str:
    """Without carriage returns, and with words whole that were hyphenated at a line's end (PDFium marks them)."""
    found = found.replace("\ufffe\r\n", "").replace("\ufffe", "").replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(line.rstrip() for line in found.replace("\0", "").split("\n"))
