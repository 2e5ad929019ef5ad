"""A document's words with the tokens that each costs, and where pieces may end: what all chunkers count with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rocamadre.knowledge.chunkers.graphemes import boundary_before, is_boundary
from rocamadre.knowledge.chunkers.registry import CountTokens, Piece
from rocamadre.knowledge.chunkers.sentences import sentences
from rocamadre.knowledge.parsers.parsed import Parsed, Places

Positions: TypeAlias = npt.NDArray[np.int64]

_WORD = re.compile(r"\S+")
_LINE = re.compile(r"\n(?=[^\S\n]*+\S)")
_PARAGRAPH = re.compile(r"\n[^\S\n]*+\n\s*+")
_LONGEST_WORD = 64
_CUT = 16
_MOST_KNOWN = 200_000
_PROBE = "The house by the river is green, la casa del río es verde."


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
        self._before = self._lead()
        self._known: dict[str, int] = {}
        self._places = Places(parsed)
        starts: list[int] = []
        ends: list[int] = []
        costs: list[int] = []
        for start, end in self._words():
            cost = self._cost(self.text[start:end])
            if cost > limit:
                self._cut(start, end, starts, ends, costs)
            else:
                starts.append(start)
                ends.append(end)
                costs.append(cost)
        self.starts: Positions = np.array(starts, np.int64)
        self.ends: Positions = np.array(ends, np.int64)
        self.totals: Positions = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(costs, np.int64))])

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

    def _lead(self) -> str:
        """A space, if words cost nearer to what they cost in a text when one stands before them."""
        whole = self._count(_PROBE) - self._marks
        words = _PROBE.split()
        bare = sum(self._count(word) - self._marks for word in words)
        spaced = sum(self._count(" " + word) - self._marks for word in words)
        return " " if abs(spaced - whole) < abs(bare - whole) else ""

    def _cost(self, word: str) -> int:
        cost = self._known.get(word)
        if cost is None:
            cost = self._count(self._before + word) - self._marks
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[word] = cost
        return cost

    def _words(self) -> Iterable[tuple[int, int]]:
        """Runs of characters that are not white space; long ones (some languages use no spaces) in parts."""
        for match in _WORD.finditer(self.text):
            start, end = match.span()
            while end - start > _LONGEST_WORD:
                cut = boundary_before(self.text, start + _CUT)
                cut = cut if cut > start else start + _CUT
                yield start, cut
                start = cut
            yield start, end

    def _cut(self, start: int, end: int, starts: list[int], ends: list[int], costs: list[int]) -> None:
        """Add a word that costs more than a piece may, in parts."""
        waiting = [(start, end)]
        while waiting:
            start, end = waiting.pop()
            cost = self._cost(self.text[start:end])
            middle = boundary_before(self.text, (start + end) // 2)
            if middle <= start:
                middle = next((at for at in range(start + 1, end) if is_boundary(self.text, at)), end)
            if cost <= self.limit or middle >= end:
                starts.append(start)
                ends.append(end)
                costs.append(cost)
            else:
                waiting += [(middle, end), (start, middle)]


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
