"""Thousands of words and phrases found in one pass over a text: an automaton over words instead of characters.

Words are the letters and digits between other characters; in scripts written without spaces each character is one. Aho
and Corasick's links between the phrases make the pass linear, whatever the phrases are.

Source: Aho & Corasick, Communications of the ACM 18(6), 1975.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import re2

# Thai, Lao, Burmese, Khmer, kana, ideographs, Hangul: no spaces between words, or endings written on.
SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(f"[{SPACELESS}]|[^\\W_{SPACELESS}]+")
_BLANKS = re.compile(r"\s+")
_LOOSE = 3
_SHORT = 100_000


@dataclass(slots=True)
class _Node:
    """A beginning of phrases.

    Attributes:
        depth: Words so far.
        next: The node behind each word.
        fail: The longest beginning that this one ends with.
        hit: The nearest node on the way of `fail`, itself first, where phrases end; None if none.
        ends: Phrases that end here, by the characters around and between their words; outside, by how many these are
            before and behind.
    """

    depth: int = 0
    next: dict[str, _Node] = field(default_factory=dict)
    fail: _Node | None = None
    hit: _Node | None = None
    ends: dict[tuple[int, int], dict[tuple[str, ...], int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase in a text: its number, its first character, and the place behind its last."""

    number: int
    start: int
    end: int


class WordIndex:
    """Phrases by number; the first of two equal ones counts.

    Args:
        phrases: Folded as the texts will be.
        loose: Up to three characters of any kind may part two words of a phrase; else they must be the phrase's own,
            save that blanks of any number are one.
    """

    def __init__(self, phrases: Sequence[str], *, loose: bool = False) -> None:
        self._loose = loose
        self._root = _Node()
        symbols: dict[str, int] = {}
        for number, phrase in enumerate(phrases):
            tokens = list(_TOKEN.finditer(phrase))
            if tokens:
                self._insert(number, phrase, tokens)
            elif phrase:
                symbols.setdefault(phrase, number)
        self._link()
        self._symbols = symbols
        self._symbol_pattern = _literals(symbols) if symbols else None

    def __contains__(self, word: str) -> bool:
        node = self._root.next.get(word)
        return node is not None and bool(node.ends)

    def number(self, word: str) -> int | None:
        """The number of a phrase of one word."""
        node = self._root.next.get(word)
        return next(iter(node.ends.get((0, 0), {}).values()), None) if node is not None else None

    def _insert(self, number: int, phrase: str, tokens: Sequence[re.Match[str]]) -> None:
        node = self._root
        for token in tokens:
            node = node.next.setdefault(token.group(), _Node(node.depth + 1))
        if self._loose:
            node.ends.setdefault((0, 0), {}).setdefault((), number)
            return
        before, behind = phrase[: tokens[0].start()], phrase[tokens[-1].end() :]
        between = tuple(_BLANKS.sub(" ", phrase[one.end() : two.start()]) for one, two in pairwise(tokens))
        node.ends.setdefault((len(before), len(behind)), {}).setdefault((before, *between, behind), number)

    def _link(self) -> None:
        waiting = deque(self._root.next.values())
        for child in waiting:
            child.fail = self._root
        while waiting:
            node = waiting.popleft()
            node.hit = node if node.ends else (node.fail.hit if node.fail else None)
            for token, child in node.next.items():
                back = node.fail
                while back is not None and token not in back.next:
                    back = back.fail
                child.fail = back.next[token] if back is not None else self._root
                waiting.append(child)

    def find(self, text: str) -> Iterator[Hit]:
        """Phrases in a text in order of their ends, overlapping ones too."""
        if self._symbol_pattern is not None:
            for match in self._symbol_pattern.finditer(text):
                yield Hit(self._symbols[match.group()], *match.span())
        root = self._root
        if not root.next or (len(text) < _SHORT and root.next.keys().isdisjoint(_TOKEN.findall(text))):
            return
        spans: deque[tuple[int, int]] = deque(maxlen=128)
        node = root
        for match in _TOKEN.finditer(text):
            token = match.group()
            while (following := node.next.get(token)) is None and node is not root:
                node = node.fail or root
            node = following or root
            if node is root:
                continue
            spans.append(match.span())
            ending = node.hit
            while ending is not None:
                yield from self._verified(text, ending, spans)
                ending = ending.fail.hit if ending.fail is not None else None

    def _verified(self, text: str, node: _Node, spans: deque[tuple[int, int]]) -> Iterator[Hit]:
        """The phrases that end at a node and at the newest word, if the characters around the words fit."""
        if node.depth > len(spans):
            return
        words = [spans[place] for place in range(len(spans) - node.depth, len(spans))]
        start, end = words[0][0], words[-1][1]
        if self._loose:
            if all(0 <= two[0] - one[1] <= _LOOSE for one, two in pairwise(words)):
                yield Hit(node.ends[0, 0][()], start, end)
            return
        if any(two[0] - one[1] > 200 for one, two in pairwise(words)):
            return
        between = tuple(_BLANKS.sub(" ", text[one[1] : two[0]]) for one, two in pairwise(words))
        for (before, behind), phrases in node.ends.items():
            if start < before:
                continue
            number = phrases.get((text[start - before : start], *between, text[end : end + behind]))
            if number is not None:
                yield Hit(number, start - before, end + behind)


def _literals(symbols: Iterable[str]) -> re2._Regexp:
    options = re2.Options()
    options.longest_match = True
    options.max_mem = 64 << 20
    return re2.compile("|".join(re2.escape(each) for each in symbols), options)


def longest_first(hits: Iterable[Hit]) -> list[Hit]:
    """Those that no longer one overlaps, the earlier of two as long as each other, in order of place."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda one: (one.start, -one.end)):
        if kept and hit.start < kept[-1].end:
            if hit.end - hit.start > kept[-1].end - kept[-1].start:
                kept[-1] = hit
            continue
        kept.append(hit)
    return kept
