"""PDF: the text of each page; headings where the document's outline points at them."""

from __future__ import annotations

from typing import Any

import pypdfium2
from pypdfium2 import raw

from rocamadre.documents.pdf import open_pdf, page_text
from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers.builder import Builder, one_line
from rocamadre.knowledge.parsers.file import File, OcrWanted
from rocamadre.knowledge.parsers.parsed import Heading, Parsed

_DOTS_PER_INCH = 200
_MOST_PIXELS = 20_000_000
_MOST_HEADINGS = 5000
_FACTS = {"Author": "author", "Subject": "subject", "Keywords": "keywords", "CreationDate": "created"}


def parse_pdf(file: File) -> Parsed:
    """See `Parser`."""
    document = open_pdf(file.data, file.limits)
    builder = Builder(file.limits.characters)
    scanned: list[int] = []
    damaged: list[int] = []
    for number in range(1, len(document) + 1):
        builder.begin_page(number)
        try:
            page = document[number - 1]
            words = page_text(page).strip("\n")
            if not words.strip():
                words = file.read_pages.get(number, "")
                if not words and number not in file.read_pages and _has_image(page):
                    scanned.append(number)
            builder.add(words)
            page.close()
        except pypdfium2.PdfiumError:
            damaged.append(number)
    if scanned and file.can_read_images:
        raise OcrWanted(tuple(scanned))
    if len(damaged) == len(document):
        raise Refused("every page of the pdf document is damaged; save it again")
    if scanned and len(scanned) + len(damaged) == len(document):
        raise Refused(
            f"the {len(scanned)} pages of the pdf document are images; install Tesseract to have their words read",
            "needs-ocr",
        )
    facts = document.get_metadata_dict()
    metadata = {name: one_line(facts[key])[:1000] for key, name in _FACTS.items() if facts.get(key, "").strip()}
    for key, pages in (("x-rocamadre-pages-unread", scanned), ("x-rocamadre-pages-damaged", damaged)):
        if pages:
            metadata[key] = ", ".join(map(str, pages[:100]))
    parsed = builder.parsed("application/pdf", title=facts.get("Title", ""), metadata=metadata)
    headings = tuple(_headings(document, parsed))
    return Parsed(parsed.text, parsed.media_type, parsed.pages, headings, (), parsed.title, parsed.metadata)


def render(data: bytes, number: int) -> bytes:
    """A page as a grey image in the format PGM, for OCR.

    Args:
        data: The file.
        number: From 1.

    Raises:
        Refused: the page cannot be drawn.
    """
    try:
        page = pypdfium2.PdfDocument(data)[number - 1]
        scale = _DOTS_PER_INCH / 72
        pixels = page.get_width() * page.get_height() * scale * scale
        if pixels > _MOST_PIXELS:
            scale *= (_MOST_PIXELS / pixels) ** 0.5
        bitmap = page.render(scale=scale, grayscale=True)
    except (pypdfium2.PdfiumError, ValueError, ZeroDivisionError) as error:
        raise Refused(f"page {number} of the pdf document cannot be drawn") from error
    buffer = bytes(bitmap.buffer)
    rows = (buffer[row * bitmap.stride : row * bitmap.stride + bitmap.width] for row in range(bitmap.height))
    return b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + b"".join(rows)


def _has_image(page: Any) -> bool:
    return next(iter(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=5)), None) is not None


def _headings(document: Any, parsed: Parsed) -> list[Heading]:
    """Entries of the outline, where their words stand on the page that they point at."""
    found: list[Heading] = []
    pages = {page.number: page for page in parsed.pages}
    at: dict[int, int] = {}
    try:
        for entry in document.get_toc(max_depth=6):
            title = one_line(entry.get_title())
            target = entry.get_dest()
            page = pages.get((target.get_index() if target else -2) + 1)
            if page is None or not title or len(found) >= _MOST_HEADINGS:
                continue
            start = parsed.text.find(title, at.get(page.number, page.start), page.end)
            if start >= 0:
                end = start + len(title)
                at[page.number] = end
                found.append(Heading(start, end, entry.level + 1, title))
    except pypdfium2.PdfiumError:
        return []
    return sorted(found)
