"""Words of many texts: what `detect_language` and `analyse` say of them, and what they cost in tokens.

Texts are split at white space only. What a piece between spaces gives is the same wherever it stands, so each different
one is taken apart once and gets a number; whatever is known of it is then found by that number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from rocamadre.datasets.languages import OTHER, POINTS, decided_language, detect_language
from rocamadre.knowledge.languages.analysis import term_of, terms_of, words_of

LONGEST = 64
"""Characters of a piece that is remembered; all others have number 0."""
_MOST = 100_000
_ODD = 255
_MARGIN = 1e-9
_UNKNOWN: Any = object()

_Kind: TypeAlias = tuple[int, tuple[tuple[str, float], ...]]
"""How many words a piece has, and what they say of the language."""
_Taking: TypeAlias = Callable[[Any], tuple[Any, ...]]


class _Numbers(dict[str, int]):
    """The number of every piece; one that is looked up for the first time is learnt then."""

    def __init__(self, table: _Table) -> None:
        self._table = table

    def __missing__(self, piece: str) -> int:
        return self._table.learn(piece) if len(piece) <= LONGEST else 0


class _Table:
    """What is known of pieces, by number; never emptied, but replaced: a text that was made with it goes on with it."""

    def __init__(self) -> None:
        self.numbers = _Numbers(self)
        self.pieces: list[str] = [""]
        self.widths: list[int] = [1]
        self.kinds = bytearray([_ODD])
        self.meaning: list[_Kind] = []
        self._terms: dict[str, list[str]] = {}
        self._costs: WeakKeyDictionary[Callable[[str], int], list[int]] = WeakKeyDictionary()
        self._kind_numbers: dict[_Kind, int] = {}
        self._lock = threading.Lock()

    def learn(self, piece: str) -> int:
        """The number of a piece that had none."""
        words = [piece.lower()] if piece.isalpha() and piece.isascii() else words_of(piece)
        points = [POINTS[word] for word in words if word in POINTS]
        kind = len(words), tuple(each for one in points for each in one) if points else ()
        with self._lock:
            if piece in self.numbers:
                return self.numbers[piece]
            number = self._kind_numbers.get(kind)
            if number is None:
                number = min(len(self.meaning), _ODD)
                if number < _ODD:
                    self._kind_numbers[kind] = number
                    self.meaning.append(kind)
            self.kinds.append(number)
            self.widths.append(len(piece) + 1)
            # Last, and in this order: what has a number is found by it in all columns.
            self.pieces.append(piece)
            self.numbers[piece] = len(self.pieces) - 1
            return len(self.pieces) - 1

    def costs(self, count: Callable[[str], int]) -> list[int]:
        """What each piece costs; number 0 costs nothing."""
        column = self._costs.get(count)
        if column is None:
            column = self._costs[count] = [0]
        if len(column) < len(self.pieces):
            with self._lock:
                column += map(count, self.pieces[len(column) :])
        return column

    def terms(self, language: str, words: Words) -> str:
        """The terms of some pieces, separated by spaces; number 0 has none."""
        column = self._terms.get(language)
        if column is None:
            column = self._terms[language] = [""]
        if len(column) < len(self.pieces):
            with self._lock:
                column += [_UNKNOWN] * (len(self.pieces) - len(column))
        try:
            return " ".join(filter(None, words.taking(column)))
        except TypeError:  # What is not known is no text.
            for number in set(words.numbers):
                if column[number] is _UNKNOWN:
                    column[number] = _terms(self.pieces[number], language)
            return " ".join(filter(None, words.taking(column)))


_table = _Table()


class Words:
    """A text's pieces between spaces, in order; made by `split` and `part`.

    Attributes:
        pieces: The pieces.
        numbers: Theirs.
        taking: Takes what is theirs out of something that has it by number.
    """

    __slots__ = ("_table", "numbers", "pieces", "taking")

    def __init__(self, table: _Table, pieces: list[str], numbers: tuple[int, ...]) -> None:
        self._table = table
        self.numbers = numbers
        self.taking = _taker(numbers)
        self.pieces = pieces

    def part(self, start: int, end: int) -> Words:
        """Some of them."""
        return Words(self._table, self.pieces[start:end], self.numbers[start:end])

    def language(self, text: str) -> str:
        """As `detect_language` says of the text that they are."""
        table = self._table
        kinds = bytes(self.taking(table.kinds))
        if _ODD in kinds:
            return detect_language(text, words_of(text))
        words, said = 0, []
        for kind in sorted(set(kinds)):
            count = kinds.count(kind)
            each, points = table.meaning[kind]
            words += count * each
            if points:
                said.append((count, points))
        if not words:
            return OTHER
        return decided_language(text, words, said, margin=_MARGIN) or detect_language(text, words_of(text))

    def terms(self, language: str) -> str:
        """As `analyse`, separated by spaces."""
        if 0 in self.numbers:
            return " ".join(terms_of([word for piece in self.pieces for word in words_of(piece)], language))
        return self._table.terms(language, self)

    def costs(self, count: Callable[[str], int]) -> tuple[int, ...]:
        """What each costs, as `count` says of it; of one with more than `LONGEST` characters, 0."""
        return self.taking(self._table.costs(count))

    def widths(self) -> Sequence[int]:
        """The characters of each, and one for the space behind it."""
        return [len(piece) + 1 for piece in self.pieces] if 0 in self.numbers else self.taking(self._table.widths)


def split(text: str) -> Words:
    """A text's pieces.

    >>> words = split("What is the capital of France?")
    >>> words.language("What is the capital of France?"), words.part(2, 6).terms("en")
    ('en', 'capit franc')
    """
    global _table
    pieces = text.split()
    if len(_table.pieces) > _MOST:
        _table = _Table()
    table = _table
    return Words(table, pieces, _taker(pieces)(table.numbers))


def _terms(piece: str, language: str) -> str:
    if piece.isalpha() and piece.isascii():
        return term_of(piece.lower(), language)
    return " ".join(filter(None, [term_of(word, language) for word in words_of(piece)]))


def _taker(keys: Sequence[Any]) -> _Taking:
    """`itemgetter` for any number of keys; it takes half the time of `map`."""
    if not keys:
        return lambda _: ()
    getter = itemgetter(*keys)
    return getter if len(keys) > 1 else lambda source: (getter(source),)
