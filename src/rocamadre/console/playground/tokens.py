"""Tokens of a text, with what else the model thought likely at each place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

TOP = 20
"""Candidates that the API reports at each place, at most."""
MOST_TOKENS = 600
"""Shown of one answer."""
MOST_CHARACTERS = 16_000
"""Of prompt and answer together, that are read again to see the tokens."""

UNREADABLE = "\ufffd"
"""In a piece that holds part of a letter only."""

_MARK = re.compile(r"<\|[^|]*\|>|</s>|<eos>|<end_of_turn>")
_SHADES = (0.01, 0.05, 0.2, 0.5, 0.8)


class Candidate(NamedTuple):
    """One token that could stand at a place.

    Attributes:
        logprob: Natural logarithm of its probability.
    """

    text: str
    logprob: float

    @property
    def probability(self) -> float:
        """In [0, 1]."""
        return math.exp(min(0.0, self.logprob))


class Token(NamedTuple):
    """One token.

    Attributes:
        id: Its number in the vocabulary; None where it is not known.
        text: Its piece; hostile.
        logprob: None for the first token of a text.
        top: The likeliest at its place, best first.
    """

    id: int | None
    text: str
    logprob: float | None
    top: tuple[Candidate, ...] = ()

    @property
    def probability(self) -> float | None:
        """In [0, 1]."""
        return None if self.logprob is None else math.exp(min(0.0, self.logprob))

    @property
    def shade(self) -> int:
        """From 0, hardly expected, to 5, nearly certain."""
        probability = self.probability
        return 5 if probability is None else sum(probability >= bound for bound in _SHADES)


def read_logprobs(logprobs: Mapping[str, Any] | None, ids: Sequence[int] = ()) -> list[Token]:
    """Tokens of a text completion.

    Args:
        logprobs: As a choice has them.
        ids: Of the same text; taken when there is one for each token, or more before the first (marks without a piece).
    """
    if not logprobs:
        return []
    pieces = logprobs["tokens"]
    surplus = len(ids) - len(pieces)
    known: Sequence[int | None] = ids[surplus:] if surplus >= 0 and ids else [None] * len(pieces)
    return [
        Token(each, piece, logprob, rank(top))
        for each, piece, logprob, top in zip(
            known, pieces, logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True
        )
    ]


def rank(top: Mapping[str, float] | None) -> tuple[Candidate, ...]:
    """Candidates, best first."""
    return tuple(sorted((Candidate(*item) for item in (top or {}).items()), key=lambda each: -each.logprob)[:TOP])


def after(tokens: Sequence[Token], start: int) -> list[Token]:
    """The tokens from a character on; one that begins before it and ends after it is among them.

    >>> [token.text for token in after([Token(1, "ab", None), Token(2, "cd", None)], 2)]
    ['cd']
    """
    found, end = [], 0
    for token in tokens:
        end += len(token.text)
        if end > start:
            found.append(token)
    return found


def ends(piece: str) -> bool:
    """Whether a piece is a mark that ends a turn, so that nothing can follow it.

    >>> ends("<|im_end|>"), ends("</s>"), ends("end")
    (True, True, False)
    """
    return bool(_MARK.fullmatch(piece))


def visible(piece: str) -> str:
    r"""A piece with its white space to be seen; an empty one is the end.

    >>> visible(" a\n")
    '␣a⏎'
    """
    return piece.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥").replace("\r", "␍") or "∎"
