"""A pattern of personal data: what it looks like, what must hold of it, and which words must stand near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum


class Certainty(IntEnum):
    """How sure a finding is; of overlapping ones the surer stays."""

    GUESS = 1
    FORM = 2
    CHECKED = 3


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way in which a kind of personal data is written.

    Attributes:
        type: A type of the API, such as EMAIL, or a name of ours such as ES_DNI.
        regex: RE2's syntax over Latin-1, every repetition bounded. Its first group, if any, is the value.
        certainty: Of what it finds.
        check: What must hold of the value.
        cut: How many characters of the value count; 0 refuses it.
        near: Alternatives of RE2, not minding case; one must stand before the value, or close behind it.
        before: Characters before the value in which `near` is looked for.
        after: Characters behind it.
        far: Alternatives that must not stand right before the value.
        behind: Alternatives that must not stand right behind it.
        bounded: No letter or digit touches the value, nor is it a part of a longer number.
        longest: Characters at most.
        unbroken: The value holds no white space.
    """

    type: str
    regex: str
    certainty: Certainty = Certainty.FORM
    check: Callable[[str], bool] | None = None
    cut: Callable[[str], int] | None = None
    near: str = ""
    before: int = 50
    after: int = 0
    far: str = ""
    behind: str = ""
    bounded: bool = True
    longest: int = 64
    unbroken: bool = False
