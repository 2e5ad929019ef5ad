"""What is wrong with a record, said so that it can be mended: where, what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "json",
    "encoding",
    "table",
    "record-too-large",
    "type",
    "missing",
    "unknown-field",
    "unknown-format",
    "mixed",
    "empty",
    "role",
    "order",
    "tools",
    "media",
    "unsupported",
    "kind",
    "too-long",
    "template",
    "duplicate",
]

WARNINGS: frozenset[Kind] = frozenset({"duplicate"})
"""Kinds that do not stop training."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one record.

    Attributes:
        file: As its source is called.
        line: Of the file, from 1; the row, in Parquet. 0: the whole file.
        field: Path of the member, for example `messages[2].content`; empty for the whole record.
        kind: Which sort of problem.
        message: What is wrong.
        fix: What to do.
    """

    file: str
    line: int
    field: str
    kind: Kind
    message: str
    fix: str

    @property
    def is_warning(self) -> bool:
        """Whether training goes on in spite of it."""
        return self.kind in WARNINGS

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}" if self.line else self.file
        field = f", {self.field}" if self.field else ""
        return f"{place}{field}: {self.message}; {self.fix}"


class BadRecord(Exception):
    """A record cannot be used.

    Args:
        kind: Which sort of problem.
        field: Path of the member; empty for the whole record.
        message: What is wrong.
        fix: What to do.
    """

    def __init__(self, kind: Kind, field: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.field = field
        self.message = message
        self.fix = fix

    def at(self, file: str, line: int) -> Problem:
        """The problem at a place."""
        return Problem(file, line, self.field, self.kind, self.message, self.fix)
