"""One record in the form that every format comes to, whatever the file said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; its text is not empty."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Running text, all of which is learned."""

    text: str


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation that ends with the assistant; the assistant's turns are learned.

    Attributes:
        turns: At most one system turn, first; then user and assistant in turns.
        task: Which of several mixed tasks it belongs to; empty for one.
    """

    turns: tuple[Turn, ...]
    task: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation that ends with the user: something to answer.

    Attributes:
        turns: As in `Chat`, but the last is the user's.
        reference: The answer it should have; empty where there is none.
    """

    turns: tuple[Turn, ...]
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Preference:
    """A conversation that ends with the user, a better and a worse answer."""

    turns: tuple[Turn, ...]
    chosen: str
    rejected: str


Example: TypeAlias = Text | Chat | Prompt | Preference
