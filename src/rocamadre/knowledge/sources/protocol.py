"""Where documents come from.

A source lists what it has and gives the content of one when asked. It never decides what is to be done: the ingestion
compares what is listed with what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from rocamadre.knowledge.parsers.file import Columns

MOST_BYTES = 50 * 1024 * 1024
"""50 MB, Amazon Bedrock's limit for one file of a knowledge base."""

Value: TypeAlias = str | int | float | bool | list[str]
"""What an attribute of a document may be; anything else cannot be filtered by, and is refused."""


class SourceFailure(Exception):
    """One document cannot be had; its message is a sentence for the owner. The others go on."""


@dataclass(frozen=True, slots=True)
class Item:
    """A document as its source lists it.

    Attributes:
        id: Its URI, or the client's own id; unique within the data source, the same at the next listing.
        version: Changes whenever the content does, and perhaps without that: an ETag, a time with a size. Empty where
            the source cannot tell without reading: the content is then read and hashed.
        name: A file name; parsers go by its ending where there is no media type.
        size_bytes: None where unknown.
        media_type: Empty where unknown.
        metadata_version: Changes whenever the attributes beside the document do; empty where it has none.
        failure: Why its content cannot be had, found while listing: it exists, and must not be taken for deleted.
    """

    id: str
    version: str
    name: str
    size_bytes: int | None = None
    media_type: str = ""
    metadata_version: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is known beside a document's content.

    Attributes:
        values: What may be filtered by.
        ignored: Names of attributes that were left out, each with its reason.
        columns: Of a CSV file: which columns are text, and which are attributes of their row.
        embedded: Names of values that are embedded together with the text of each chunk.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    columns: Columns | None = None
    embedded: tuple[str, ...] = ()


class Source(Protocol):
    """One data source. Used by one ingestion at a time; `fetch` and `attributes` from several threads at once.

    Attributes:
        complete: Whether the last listing saw all there is; else what it did not show is not taken for deleted.
    """

    complete: bool

    def listing(self) -> Iterator[Item]:
        """All documents there are, none twice, in any order; again from the beginning at each call.

        Raises:
            RocamadreError: the source as a whole cannot be read; nothing is then taken for deleted.
        """
        ...

    def fetch(self, item: Item) -> bytes | Path:
        """A document's content: bytes, or a file that stays until `close`.

        Raises:
            SourceFailure: this document cannot be had.
        """
        ...

    def attributes(self, item: Item) -> Attributes:
        """What is known beside the content.

        Raises:
            SourceFailure: what says it cannot be read.
        """
        ...

    def close(self) -> None:
        """Let files and connections go."""
        ...


def sized(item_id: str, size_bytes: int, most_bytes: int = MOST_BYTES) -> None:
    """Refuse a document that is too large.

    Raises:
        SourceFailure: it is.
    """
    if size_bytes > most_bytes:
        raise SourceFailure(f"{item_id} has {size_bytes} bytes; a document has at most {most_bytes}")


def plain_attributes(given: Mapping[str, Any]) -> Attributes:
    """The attributes that may be filtered by, of those a client or a file beside the document gives.

    >>> plain_attributes({"year": 2024, "tags": ["a"], "nested": {"a": 1}}).ignored
    {'nested': 'a dict; allowed are text, a number, true or false, and a list of texts'}
    """
    values: dict[str, Value] = {}
    ignored: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, (str, bool, int, float)) or (
            isinstance(value, list) and all(isinstance(each, str) for each in value)
        ):
            values[name] = value
        else:
            ignored[name] = f"a {type(value).__name__}; allowed are text, a number, true or false, and a list of texts"
    return Attributes(values, ignored)
