"""What a reader is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Embed = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Texts to rows of unit length, float32."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrieved chunk, best first in a list of them.

    Attributes:
        text: As it stands in its document.
        language: `en`, `es`, `pt`; empty where it is not known.
        score: Of the retrieval, in [0, 1].
        content: The wire's `RetrievalResultContent`.
        location: The wire's `RetrievalResultLocation`.
        metadata: The wire's.
    """

    text: str
    language: str = ""
    score: float = 0.0
    content: Mapping[str, Any] = field(default_factory=dict)
    location: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Support:
    """Where in the passages a statement comes from: `passages[passage].text[start:end]`."""

    passage: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A part of an answer, and what supports it; nothing for a part that nothing supports."""

    text: str
    supports: tuple[Support, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, statement by statement, in order; the text between two of them is one space.

    Attributes:
        confidence: That the passages hold the answer, in [0, 1].
        form: `span`, `sentence`, `generated` or `none`.
        facts: What a trace shows.
    """

    statements: tuple[Statement, ...]
    confidence: float = 1.0
    form: str = "sentence"
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(each.text for each in self.statements)


class Reader(Protocol):
    """Finds answers in passages. Blocks; call it in a thread."""

    def read(self, question: str, passages: Sequence[Passage]) -> Answer | None:
        """The answer, every word of it from the passages; None when they do not hold it."""
        ...
