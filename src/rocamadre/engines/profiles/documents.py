"""Documents in requests: their names, their number, and their text."""

from __future__ import annotations

import re

from rocamadre.core.errors import InvalidRequest
from rocamadre.documents import reading
from rocamadre.documents.reading import decode_text as decode_text
from rocamadre.documents.types import MOST_BYTES as MOST_BYTES

MOST_DOCUMENTS = 5
# Amazon's own list is without the underscore, but Amazon takes it; tabs and letters outside ASCII it refuses.
_NAME = re.compile(r"(?:[A-Za-z0-9_()\[\]-]| (?! ))+")


def read_document(data: bytes, format_: str | None, *, at: str) -> str:
    """A document's text, with pages and sheets marked. Blocks for pdf, docx and xlsx: call it in a thread.

    Args:
        data: The file.
        format_: One of `documents.reading.FORMATS`.
        at: Where it stands in the request, for errors.

    Raises:
        InvalidRequest: see `documents.reading.read_document`.
        Throttled: too many documents are being read at this moment.
    """
    return reading.read_document(data, format_, at=at).text


def check_name(name: str, *, at: str) -> None:
    """Refuse names that Amazon Bedrock refuses.

    Raises:
        InvalidRequest: in its words.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{at}: The document file name can only contain alphanumeric characters, whitespace characters, hyphens, "
            "parentheses, and square brackets. The name can't contain more than one consecutive whitespace character. "
            "Check that the file name conforms to these restrictions and retry your request."
        )
