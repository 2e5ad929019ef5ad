"""What a parser is given, and what it may answer besides a parsed document."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from xml.parsers.expat import ExpatError

from rocamadre.documents.types import Limits
from rocamadre.knowledge.parsers.parsed import Parsed


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a CSV file are read, as its sidecar says (`RECORD_BASED_STRUCTURE_METADATA`).

    Attributes:
        content: The column that is the text of a row.
        included: Columns that are metadata of a row; empty for all others.
        excluded: Columns that are left out.
    """

    content: str
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A document that is to be parsed.

    Attributes:
        name: Its name or URI; only what it ends with counts.
        format: A name in `registry.PARSERS`.
        columns: For CSV; None for a text per row with all columns.
        can_read_images: Whether pages without text can be read by OCR: a parser then raises `OcrWanted`.
        read_pages: What OCR read, by page, from 1; an image is page 1.
    """

    data: bytes
    name: str
    format: str
    limits: Limits
    columns: Columns | None = None
    can_read_images: bool = False
    read_pages: Mapping[int, str] = field(default_factory=dict)


Parser: TypeAlias = Callable[[File], Parsed]
"""Raises `Refused` with a reason, `OcrWanted`, or whatever the file makes its libraries raise."""


DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ExpatError,
    UnicodeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    OSError,
    RuntimeError,
)
"""What parsers let through when a file is not as it should be; each means that the document is damaged."""


class OcrWanted(Exception):
    """Pages are images, and must be read by OCR first; then the file is parsed again.

    Attributes:
        pages: From 1.
    """

    def __init__(self, pages: tuple[int, ...]) -> None:
        super().__init__()
        self.pages = pages
