"""Words of many texts: what `detect_language` and `analyse` say of them, and what they cost in tokens.

Texts are split at white space only. What a piece between spaces gives is the same wherever it stands, so each different
one is taken apart once and gets a number; whatever is known of it is then found by that number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
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

_Kind: TypeAlias = tuple[int, tuple[tuple[str, float], ...]]
"""How many words a piece has, and what they say of the language."""
_Taking: TypeAlias = Callable[[Any], tuple[Any, ...]]


class _Table:
    """What is known of pieces, by number; never emptied, but replaced: a text that was made with it goes on with it."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.pieces: list[str] = [""]
        self.kinds = bytearray([_ODD])
        self.meaning: list[_Kind] = []
        self.terms: dict[str, list[str | None]] = {}
        self.costs: WeakKeyDictionary[Callable[[str], int], list[int | None]] = WeakKeyDictionary()
        self._kind_numbers: dict[_Kind, int] = {}
        self._lock = threading.Lock()

    def learn(self, pieces: Iterable[str]) -> None:
        with self._lock:
            for piece in set(pieces).difference(self.numbers):
                if len(piece) > LONGEST:
                    continue
                words = [piece.lower()] if piece.isalpha() and piece.isascii() else words_of(piece)
                points = [POINTS[word] for word in words if word in POINTS]
                kind = len(words), tuple(each for one in points for each in one) if points else ()
                number = self._kind_numbers.get(kind)
                if number is None:
                    number = min(len(self.meaning), _ODD)
                    if number < _ODD:
                        self._kind_numbers[kind] = number
                        self.meaning.append(kind)
                self.kinds.append(number)
                self.pieces.append(piece)
                self.numbers[piece] = len(self.pieces) - 1

    def known(self, column: list[Any], words: Words, found: Callable[[str], Any]) -> tuple[Any, ...]:
        """What a column has of some words; what it lacks is found out. Number 0 has nothing ever."""
        if len(column) < len(self.pieces):
            with self._lock:
                column += [None] * (len(self.pieces) - len(column))
        got = words.taking(column)
        if None not in got:
            return got
        for number in words.numbers:
            if column[number] is None and number:
                column[number] = found(self.pieces[number])
        return words.taking(column)


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
        table = self._table
        column = table.terms.setdefault(language, [])
        found = table.known(column, self, lambda piece: _terms(piece, language))
        if 0 in self.numbers:
            return " ".join(terms_of([word for piece in self.pieces for word in words_of(piece)], language))
        return " ".join(filter(None, found))

    def costs(self, count: Callable[[str], int]) -> tuple[int, ...]:
        """What each costs, as `count` says of it; of one with more than `LONGEST` characters, 0."""
        table = self._table
        column = table.costs.get(count)
        if column is None:
            column = table.costs[count] = []
        found = table.known(column, self, count)
        return tuple(cost or 0 for cost in found) if 0 in self.numbers else found


def split(text: str) -> Words:
    """A text's pieces.

    >>> words = split("What is the capital of France?")
    >>> words.language("What is the capital of France?"), words.part(2, 6).terms("en")
    ('en', 'capit franc')
    """
    global _table
    pieces = text.split()
    table = _table
    if len(table.pieces) > _MOST:
        table = _table = _Table()
    taking = _taker(pieces)
    try:
        return Words(table, pieces, taking(table.numbers))
    except KeyError:
        table.learn(pieces)
    numbers = table.numbers
    try:
        return Words(table, pieces, taking(numbers))
    except KeyError:
        return Words(table, pieces, tuple(numbers.get(piece, 0) for piece in pieces))


def _terms(piece: str, language: str) -> str:
    return " ".join(filter(None, [term_of(word, language) for word in words_of(piece)]))


def _taker(keys: Sequence[Any]) -> _Taking:
    """`itemgetter` for any number of keys; it takes half the time of `map`."""
    if not keys:
        return lambda _: ()
    getter = itemgetter(*keys)
    return getter if len(keys) > 1 else lambda source: (getter(source),)
