"""A document's words with the tokens that each costs, and where pieces may end: what all chunkers count with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from rocamadre.knowledge.chunkers.additivity import additivity
from rocamadre.knowledge.chunkers.graphemes import boundary_before, is_boundary
from rocamadre.knowledge.chunkers.registry import CountTokens, Piece
from rocamadre.knowledge.chunkers.sentences import sentences
from rocamadre.knowledge.parsers.parsed import Parsed, Places

Positions: TypeAlias = npt.NDArray[np.int64]

_SPACE = re.compile(r"\s")
_LINE = re.compile(r"\n(?=[^\S\n]*+\S)")
_PARAGRAPH = re.compile(r"\n[^\S\n]*+\n\s*+")
_SPACES = np.array([code for code in range(0x3001) if chr(code).isspace()], np.uint32)
_BLOCK = 1 << 20
_LONGEST_WORD = 64
_MOST_KNOWN = 200_000
_KNOWN: WeakKeyDictionary[CountTokens, dict[str, int]] = WeakKeyDictionary()
"""Words and their tokens by what counts them: the same words come in every document."""
_CUT = 16


class Measured:
    """A document as a row of words. Words are numbered; a range of words is `start` to `end`, without `end`.

    Args:
        parsed: The document.
        count_tokens: The embedder's count.
        limit: Most tokens of a piece: a longer word is cut, though never within a character.
    """

    def __init__(self, parsed: Parsed, count_tokens: CountTokens, limit: int) -> None:
        self.parsed = parsed
        self.text = parsed.text
        self.limit = limit
        self._count = count_tokens
        self._marks = count_tokens("")
        self._before, self._sure = additivity(count_tokens)
        self._places = Places(parsed)
        self.starts, self.ends, costs = self._measure()
        self.totals: Positions = np.concatenate([np.zeros(1, np.int64), np.cumsum(costs)])

    def __len__(self) -> int:
        return len(self.starts)

    def cost(self, start: int, end: int) -> int:
        """Tokens of a range of words, as the sum of theirs."""
        return int(self.totals[end] - self.totals[start])

    def reach(self, start: int, tokens: int) -> int:
        """The end of the longest range from a word that costs at most so much; at least one word."""
        end = int(np.searchsorted(self.totals, self.totals[start] + tokens, side="right")) - 1
        return max(start + 1, min(end, len(self)))

    def reach_back(self, end: int, tokens: int) -> int:
        """The start of the longest range up to a word that costs at most so much; may be `end` itself."""
        return min(end, int(np.searchsorted(self.totals, self.totals[end] - tokens, side="left")))

    def fits(self, start: int, end: int, limit: int) -> bool:
        """Whether a range of words, as it stands in the text, has at most so many tokens."""
        if self._sure and self.cost(start, end) <= limit:
            return True
        return self._count(self.text[self.starts[start] : self.ends[end - 1]]) - self._marks <= limit

    def word_at(self, positions: Iterable[int]) -> Positions:
        """The words that begin at or after characters, each once, in order."""
        found = np.searchsorted(self.starts, np.fromiter(positions, np.int64), side="left")
        return np.unique(found)

    @cached_property
    def units(self) -> Positions:
        """Where sentences begin; but a row of a table, a row of data and a heading with what follows are one each."""
        text, parsed = self.text, self.parsed
        starts = [span.start for span in sentences(text)]
        kept = _outside(starts, [(table.start, table.end) for table in parsed.tables])
        kept = _outside(kept, [(record.start, record.end) for record in parsed.records])
        kept = _outside(kept, [(heading.start, heading.end) for heading in parsed.headings])
        kept += [record.start for record in parsed.records]
        for table in parsed.tables:
            kept += _rows(text, table.start, table.end, table.header)
            kept.append(table.end)
        after = _after_headings(parsed)
        kept = [start for start in kept if start not in after]
        kept += self._section_starts
        return self.word_at(kept)

    @cached_property
    def rows(self) -> tuple[Positions, Positions]:
        """The words at which rows of tables and of data begin and end, in order."""
        text = self.text
        spans = [(record.start, record.end) for record in self.parsed.records]
        for table in self.parsed.tables:
            begins = [*_rows(text, table.start, table.end, table.header), table.end]
            spans += pairwise(begins)
        spans.sort()
        found = np.searchsorted(self.starts, np.array(spans, np.int64).reshape(-1, 2))
        return found[:, 0], found[:, 1]

    @cached_property
    def sections(self) -> Positions:
        """Where headings begin that no other heading comes right before."""
        return self.word_at(self._section_starts)

    @cached_property
    def lines(self) -> Positions:
        """Where lines begin."""
        return self.word_at(match.end() for match in _LINE.finditer(self.text))

    @cached_property
    def paragraphs(self) -> Positions:
        """Where paragraphs begin: after blank lines."""
        return self.word_at(match.end() for match in _PARAGRAPH.finditer(self.text))

    @cached_property
    def _section_starts(self) -> list[int]:
        after = _after_headings(self.parsed)
        return [heading.start for heading in self.parsed.headings if heading.start not in after]

    def ranges(self) -> list[tuple[int, int, Mapping[str, Any]]]:
        """The ranges of words that are cut on their own: all, or each row of data that has metadata."""
        records = self.parsed.records
        if not any(record.metadata for record in records):
            return [(0, len(self), {})] if len(self) else []
        found = []
        for record in records:
            start = int(np.searchsorted(self.starts, record.start))
            end = int(np.searchsorted(self.starts, record.end))
            if start < end:
                found.append((start, end, record.metadata))
        return found

    def piece(
        self,
        start: int,
        end: int,
        *,
        parent: int | None = None,
        searched: bool = True,
        metadata: Mapping[str, Any] | None = None,
    ) -> Piece:
        """A range of words as a piece."""
        first, last = int(self.starts[start]), int(self.ends[end - 1])
        return Piece(
            first,
            last,
            self.text[first:last],
            self._places.headings(first),
            self._places.page(first),
            parent,
            searched,
            metadata or {},
        )

    def _measure(self) -> tuple[Positions, Positions, Positions]:
        """Starts, ends and costs of the words: runs of characters that are not white space, long ones in parts."""
        starts, ends = _runs(self.text)
        costs = self._costs(len(starts))
        large = np.flatnonzero((ends - starts > _LONGEST_WORD) | (costs > self.limit))
        if not len(large):
            return starts, ends, costs
        columns: list[list[Positions]] = [[], [], []]
        done = 0
        for place in map(int, large):
            parts = np.array(self._parts(int(starts[place]), int(ends[place])), np.int64).reshape(-1, 3)
            for column, whole, new in zip(columns, (starts, ends, costs), parts.T, strict=True):
                column += [whole[done:place], new]
            done = place + 1
        for column, whole in zip(columns, (starts, ends, costs), strict=True):
            column.append(whole[done:])
        first, last, cost = map(np.concatenate, columns)
        return first, last, cost

    def _costs(self, count: int) -> Positions:
        """The tokens of each word, each different one counted once; in blocks, since words are many small objects."""
        known = _KNOWN.get(self._count, {})
        blocks: list[Positions] = [np.empty(0, np.int64)]
        begun = 0
        while begun < len(self.text):
            gap = _SPACE.search(self.text, begun + _BLOCK)
            stop = gap.start() if gap else len(self.text)
            words = self.text[begun:stop].split()
            for word in set(words).difference(known):
                known[word] = self._cost(word) if len(word) <= _LONGEST_WORD else 0
            blocks.append(np.fromiter(map(known.__getitem__, words), np.int64, len(words)))
            begun = stop
            if len(known) > _MOST_KNOWN:
                known = {}
        # Replaced, never emptied: another thread may be reading the one before.
        _KNOWN[self._count] = known
        found = np.concatenate(blocks)
        assert len(found) == count
        return found

    def _cost(self, word: str) -> int:
        return self._count(self._before + word) - self._marks

    def _parts(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """A long word (some languages use no spaces) or a costly one, in parts, each with its cost."""
        found: list[tuple[int, int, int]] = []
        while end - start > _LONGEST_WORD:
            cut = boundary_before(self.text, start + _CUT)
            cut = cut if cut > start else start + _CUT
            self._halve(start, cut, found)
            start = cut
        self._halve(start, end, found)
        return found

    def _halve(self, start: int, end: int, found: list[tuple[int, int, int]]) -> None:
        waiting = [(start, end)]
        while waiting:
            start, end = waiting.pop()
            cost = self._cost(self.text[start:end])
            middle = boundary_before(self.text, (start + end) // 2)
            if middle <= start:
                middle = next((at for at in range(start + 1, end) if is_boundary(self.text, at)), end)
            if cost <= self.limit or middle >= end:
                found.append((start, end, cost))
            else:
                waiting += [(middle, end), (start, middle)]


def _runs(text: str) -> tuple[Positions, Positions]:
    """Where runs of characters that are not white space start and end."""
    if text.isascii():
        codes: npt.NDArray[Any] = np.frombuffer(text.encode("ascii"), np.uint8)
        spaces: npt.NDArray[Any] = _SPACES[_SPACES < 128]
    else:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        spaces = _SPACES
    solid = np.zeros(len(codes) + 2, np.int8)
    table = np.ones(0x3001, np.int8)
    table[spaces] = 0
    # 0x3000 is the last space, and the one before it is none: it stands for everything beyond.
    beyond = codes > 0x3000
    solid[1:-1] = table[np.where(beyond, 0x2FFF, codes)]
    steps = np.diff(solid)
    return np.flatnonzero(steps == 1).astype(np.int64), np.flatnonzero(steps == -1).astype(np.int64)


def _outside(positions: list[int], spans: Sequence[tuple[int, int]]) -> list[int]:
    """The positions that lie within no span, their first characters excepted; both in order, spans without overlap."""
    if not spans:
        return positions
    starts = np.array([start for start, _ in spans])
    ends = np.array([end for _, end in spans])
    given = np.array(positions, np.int64)
    place = np.searchsorted(starts, given, side="right") - 1
    within = (place >= 0) & (given < ends[place]) & (given != starts[place])
    return [int(position) for position in given[~within]]


def _rows(text: str, start: int, end: int, header: int) -> list[int]:
    """Where a table's rows begin; the lines of its header and its first row are one."""
    found = [start]
    at, line = text.find("\n", start, end), 1
    while at >= 0:
        if line > header:
            found.append(at + 1)
        at, line = text.find("\n", at + 1, end), line + 1
    return found


def _after_headings(parsed: Parsed) -> set[int]:
    """Where text begins that stands right behind a heading, and must not be parted from it."""
    found: set[int] = set()
    text = parsed.text
    for heading in parsed.headings:
        at = heading.end
        while at < len(text) and text[at].isspace():
            at += 1
        found.add(at)
    return found
