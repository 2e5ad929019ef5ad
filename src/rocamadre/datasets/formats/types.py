"""What a format of records is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rocamadre.datasets.types import Example

Record: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """One way in which people write records.

    Attributes:
        name: By which it is chosen.
        title: What people call it.
        sample: A record in it; shown in the docs, and read by the tests.
        required: Names of members that each record has.
        optional: Names of members that a record may have; `id` always.
        matches: Whether a record seems to be in it; only asked where no `required` is missing.
        read: The record as an example; raises `BadRecord`.
        write: An example as a record, or None where the format has no place for it; None where it is only read.
    """

    name: str
    title: str
    sample: Record
    required: tuple[str, ...]
    optional: tuple[str, ...]
    matches: Callable[[Record], bool]
    read: Callable[[Record], Example]
    write: Callable[[Example], dict[str, Any] | None] | None = None


def always(_: Record) -> bool:
    """A format whose required members tell it."""
    return True
