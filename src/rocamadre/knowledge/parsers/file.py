"""What a parser is given, and what it may answer besides a parsed document."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from xml.parsers.expat import ExpatError

from rocamadre.documents.types import Limits
from rocamadre.knowledge.parsers.parsed import Parsed, ParseFailure

_BY_RECORD = "RECORD_BASED_STRUCTURE_METADATA"


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


def columns_of(configuration: Any) -> Columns:
    """What the `documentStructureConfiguration` of a CSV file's sidecar says.

    Raises:
        ParseFailure: `bad-metadata`, it is of another form.

    >>> columns_of({"type": "RECORD_BASED_STRUCTURE_METADATA", "recordBasedStructureMetadata": {
    ...     "contentFields": [{"fieldName": "text"}],
    ...     "metadataFieldsSpecification": {"fieldsToInclude": [{"fieldName": "year"}]}}})
    Columns(content='text', included=('year',), excluded=())
    """
    if not isinstance(configuration, Mapping) or configuration.get("type") != _BY_RECORD:
        raise ParseFailure("bad-metadata", f"documentStructureConfiguration has another type than {_BY_RECORD}")
    found = configuration.get("recordBasedStructureMetadata")
    found = found if isinstance(found, Mapping) else {}
    content = _field_names(found.get("contentFields"))
    if len(content) != 1:
        raise ParseFailure("bad-metadata", f"contentFields names {len(content)} fields; it names exactly one")
    chosen = found.get("metadataFieldsSpecification")
    chosen = chosen if isinstance(chosen, Mapping) else {}
    included, excluded = (_field_names(chosen.get(name)) for name in ("fieldsToInclude", "fieldsToExclude"))
    both = sorted({*included, content[0]} & {*excluded})
    if both:
        raise ParseFailure("bad-metadata", f"the field {both[0]!r} is to be read and in fieldsToExclude; choose one")
    return Columns(content[0], included, excluded)


def _field_names(fields: Any) -> tuple[str, ...]:
    if not isinstance(fields, Sequence) or isinstance(fields, str):
        return ()
    return tuple(str(each["fieldName"]) for each in fields if isinstance(each, Mapping) and each.get("fieldName"))


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
