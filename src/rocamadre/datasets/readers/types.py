"""What a reader gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.sources import Source


class Row(NamedTuple):
    """One record as its file has it.

    Attributes:
        line: Where it begins, from 1; the row, in Parquet.
        value: Its members by name; None where it cannot be read.
        problem: Why it cannot be read.
    """

    line: int
    value: Mapping[str, Any] | None
    problem: BadRecord | None = None


Reader: TypeAlias = Callable[[Source, str], Iterator[Row]]
"""Reads a source in an encoding (empty: detect it), a bounded part at a time."""
