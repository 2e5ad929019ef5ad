"""A document's words with the tokens that each costs, and where pieces may end: what all chunkers count with."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from operator import add
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary, ref

from rocamadre.knowledge.chunkers.additivity import additivity
from rocamadre.knowledge.chunkers.graphemes import boundary_before, is_boundary
from rocamadre.knowledge.chunkers.registry import CountTokens, Piece
from rocamadre.knowledge.chunkers.sentences import sentences
from rocamadre.knowledge.languages.bulk import LONGEST, Words, split
from rocamadre.knowledge.parsers.parsed import Parsed, Places

Positions: TypeAlias = Sequence[int]
"""Rising."""

_SPACE = re.compile(r"\s")
_LINE = re.compile(r"\n(?=[^\S\n]*+\S)")
_PARAGRAPH = re.compile(r"\n[^\S\n]*+\n\s*+")
_SPACES = re.compile(r"\s+")
_WIDE = re.compile(r"\s\s+")
_BREAKS = re.compile(r"\n\s+")
_BLOCK = 1 << 20
_CUT = 16
_COSTS: WeakKeyDictionary[CountTokens, Callable[[str], int]] = WeakKeyDictionary()
"""By what counts tokens: what a word costs. The same one each time, since costs are remembered by it."""


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
        self._cost = _cost_of(count_tokens, self._before, self._marks)
        self._words: Words | None = None
        self.starts: Positions
        self.ends: Positions
        self.totals: Positions
        self._measure()

    def __len__(self) -> int:
        return len(self.starts)

    def cost(self, start: int, end: int) -> int:
        """Tokens of a range of words, as the sum of theirs."""
        return self.totals[end] - self.totals[start]

    def reach(self, start: int, tokens: int) -> int:
        """The end of the longest range from a word that costs at most so much; at least one word."""
        end = bisect_right(self.totals, self.totals[start] + tokens) - 1
        return max(start + 1, min(end, len(self)))

    def reach_back(self, end: int, tokens: int) -> int:
        """The start of the longest range up to a word that costs at most so much; may be `end` itself."""
        return min(end, bisect_left(self.totals, self.totals[end] - tokens))

    def fits(self, start: int, end: int, limit: int) -> bool:
        """Whether a range of words, as it stands in the text, has at most so many tokens."""
        if self._sure and self.cost(start, end) <= limit:
            return True
        return self._count(self.text[self.starts[start] : self.ends[end - 1]]) - self._marks <= limit

    def word_at(self, positions: Iterable[int]) -> Positions:
        """The words that begin at or after characters, each once, in order."""
        return sorted({self._at(position) for position in positions})

    def _at(self, position: int) -> int:
        starts = self.starts
        return starts.at(position) if isinstance(starts, _Starts) else bisect_left(starts, position)

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

    def units_within(self, start: int, end: int) -> Positions:
        """The words within a range at which sentences begin; a range that begins and ends with a paragraph."""
        begun = self.starts[start]
        if self.is_plain and self.text[begun] != "#":
            # Blank lines end sentences: a paragraph's are the same whatever is around it, unless it may be a heading.
            spans = sentences(self.text[begun : self.ends[end - 1]])
            return [at for at in self.word_at([begun + span.start for span in spans]) if start < at < end]
        return inner(self.units, start, end)

    @property
    def is_plain(self) -> bool:
        """Whether it is text and nothing else: no table, record or heading."""
        parsed = self.parsed
        return not (parsed.tables or parsed.records or parsed.headings)

    @cached_property
    def rows(self) -> tuple[Positions, Positions]:
        """The words at which rows of tables and of data begin and end, in order."""
        text = self.text
        spans = [(record.start, record.end) for record in self.parsed.records]
        for table in self.parsed.tables:
            begins = [*_rows(text, table.start, table.end, table.header), table.end]
            spans += pairwise(begins)
        spans.sort()
        return [self._at(start) for start, _ in spans], [self._at(end) for _, end in spans]

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
            start, end = self._at(record.start), self._at(record.end)
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
        first, last = self.starts[start], self.ends[end - 1]
        return Piece(
            first,
            last,
            self.text[first:last],
            self._places.headings(first),
            self._places.page(first),
            parent,
            searched,
            metadata or {},
            None if self._words is None else self._words.part(start, end),
        )

    def _measure(self) -> None:
        """Find the words: runs of characters that are not white space, long ones and costly ones in parts."""
        if len(self.text) <= _BLOCK:
            words = split(self.text)
            costs: Sequence[int] = words.costs(self._cost)
            self.starts = _Starts(self.text, words.widths())
            self.ends = _Ends(self.starts)
            self._words = words
        else:
            self.starts, self.ends, costs = self._blocks()
        if costs and (max(costs) > self.limit or 0 in costs):
            costs = self._divided(costs)
        totals = accumulate(costs, initial=0)
        self.totals = array("q", totals) if isinstance(self.starts, array) else list(totals)

    def _blocks(self) -> tuple[Positions, Positions, Positions]:
        """Starts, ends and costs of the words of a large text: in blocks, since words are many small objects."""
        starts, ends, costs = array("q"), array("q"), array("q")
        begun = 0
        while begun < len(self.text):
            gap = _SPACE.search(self.text, begun + _BLOCK)
            stop = gap.start() if gap else len(self.text)
            block = self.text[begun:stop]
            words = split(block)
            for column, found in zip((starts, ends), _runs(block, words.pieces), strict=True):
                column.extend([begun + at for at in found])
            costs.extend(words.costs(self._cost))
            begun = stop
        return starts, ends, costs

    def _divided(self, costs: Sequence[int]) -> Sequence[int]:
        """Cut long words (some languages use no spaces) and costly ones; the costs of what there is then."""
        large = [
            place
            for place, (start, end, cost) in enumerate(zip(self.starts, self.ends, costs, strict=True))
            if cost > self.limit or end - start > LONGEST
        ]
        if not large:
            return costs
        self._words = None
        columns = array("q"), array("q"), array("q")
        done = 0
        for place in [*large, len(costs)]:
            for column, whole in zip(columns, (self.starts, self.ends, costs), strict=True):
                column.extend([whole[at] for at in range(done, place)])
            if place < len(costs):
                for part in self._parts(self.starts[place], self.ends[place]):
                    for column, value in zip(columns, part, strict=True):
                        column.append(value)
            done = place + 1
        self.starts, self.ends = columns[0], columns[1]
        return columns[2]

    def _parts(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """A long word (some languages use no spaces) or a costly one, in parts, each with its cost."""
        found: list[tuple[int, int, int]] = []
        while end - start > LONGEST:
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


def inner(positions: Positions, start: int, end: int) -> Positions:
    """Those behind `start` and before `end`."""
    return positions[bisect_right(positions, start) : bisect_left(positions, end)]


def _cost_of(count_tokens: CountTokens, before: str, marks: int) -> Callable[[str], int]:
    known = _COSTS.get(count_tokens)
    if known is None:
        counting = ref(count_tokens)

        def cost(word: str) -> int:
            found = counting()
            assert found is not None
            return found(before + word) - marks

        known = _COSTS[count_tokens] = cost
    return known


class _Starts(Sequence[int]):
    """Where a text's words start. Most are a single space apart: their lengths, and the wider gaps, say it all.

    Attributes:
        even: Where they would start if all gaps were single spaces, and the first word were at 0.
        firsts: The words behind wider gaps; word 0 is the first of them.
        offsets: What the gaps add from each of those on.
        places: Where those really start.
    """

    __slots__ = ("even", "firsts", "offsets", "places")

    def __init__(self, text: str, widths: Sequence[int]) -> None:
        self.even = list(accumulate(widths, initial=0))
        offset = len(text) - len(text.lstrip())
        self.firsts, self.offsets, self.places = [0], [offset], [offset]
        for start, end in _wide_gaps(text, offset, self.even[-1] - 1):
            self.firsts.append(bisect_left(self.even, start - offset + 1))
            offset += end - start - 1
            self.offsets.append(offset)
            self.places.append(end)

    def __len__(self) -> int:
        return len(self.even) - 1

    def __getitem__(self, word: Any) -> Any:
        return self.even[word] + self.offsets[bisect_right(self.firsts, word) - 1]

    def __iter__(self) -> Iterator[int]:
        return map(self.__getitem__, range(len(self)))

    def end(self, word: int) -> int:
        """Where a word ends."""
        even: int = self.even[word + 1]
        return even - 1 + self.offsets[bisect_right(self.firsts, word) - 1]

    def at(self, position: int) -> int:
        """The first word that starts at or behind a character."""
        part = max(0, bisect_right(self.places, position) - 1)
        found = bisect_left(self.even, position - self.offsets[part], 0, len(self))
        return found if part + 1 == len(self.firsts) else min(found, self.firsts[part + 1])


def _wide_gaps(text: str, begin: int, even: int) -> list[tuple[int, int]]:
    """Where a text has several characters of white space in a row.

    Args:
        text: Any.
        begin: Where its first word does.
        even: The length from there to the end of its last word if all gaps were single spaces.
    """
    stop = len(text.rstrip())
    found = [gap.span() for gap in _BREAKS.finditer(text, begin, stop)]
    # Mostly they are all between paragraphs, which is found out sooner than where any others are.
    if begin + even + sum([end - start - 1 for start, end in found]) == stop:
        return found
    return [gap.span() for gap in _WIDE.finditer(text, begin, stop)]


class _Ends(Sequence[int]):
    """Where they end."""

    __slots__ = ("_starts",)

    def __init__(self, starts: _Starts) -> None:
        self._starts = starts

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, word: Any) -> Any:
        return self._starts.end(word)

    def __iter__(self) -> Iterator[int]:
        return map(self._starts.end, range(len(self)))


def _runs(text: str, words: Sequence[str]) -> tuple[list[int], list[int]]:
    """Where a text's words start and end."""
    first = len(text) - len(text.lstrip())
    lengths = list(map(len, words))
    gaps = map(len, _SPACES.findall(text, first))
    # There is a gap behind the last word, or none.
    starts = list(accumulate(map(add, lengths, gaps), initial=first))[: len(words)]
    return starts, list(map(add, starts, lengths))


def _outside(positions: list[int], spans: Sequence[tuple[int, int]]) -> list[int]:
    """The positions that lie within no span, their first characters excepted; both in order, spans without overlap."""
    if not spans:
        return positions
    starts = [start for start, _ in spans]
    kept = []
    for position in positions:
        place = bisect_right(starts, position) - 1
        if place < 0 or position >= spans[place][1] or position == starts[place]:
            kept.append(position)
    return kept


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
