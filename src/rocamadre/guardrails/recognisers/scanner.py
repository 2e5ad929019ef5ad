"""Every pattern over a text in one go: a set that says which occur at all, then each of these by itself.

The text is scanned as Latin-1, one byte for each character, so that places need no translation; what Latin-1 lacks
counts as a question mark there. RE2 keeps each scan linear, and a match that is refused costs no more than itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import re2

from rocamadre.guardrails.recognisers.pattern import Certainty, Pattern
from rocamadre.guardrails.recognisers.registry import PATTERNS, TAGGED
from rocamadre.guardrails.recognisers.tagger import tag

_FAR = 40
_SHORT = 100_000
_ANY = re2.compile(rb"[0-9@=]|://")
_TAIL = re.compile(r"\[\^[^\]]*\]\{0,\d+\}\$$")
_RUN = re.compile(rb"[0-9A-Za-z\xc0-\xd6\xd8-\xf6\xf8-\xff]+")
_JOINTS = frozenset(".,-/")


@dataclass(frozen=True, slots=True)
class Match:
    """A piece of personal data: its type, its place, and how sure it is."""

    type: str
    start: int
    end: int
    certainty: Certainty


def _options(*, ignore_case: bool = False) -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = not ignore_case
    options.max_mem = 64 << 20
    options.log_errors = False
    return options


def _latin1(expression: str) -> bytes:
    """With letters beyond ASCII among those of a word."""
    return expression.replace(r"\w", r"[\pL\d_]").encode("latin-1")


class _Compiled:
    """A pattern and its expressions."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.regex = re2.compile(_latin1(pattern.regex), _options())
        self.group = 1 if self.regex.groups else 0
        self.near = re2.compile(_latin1(pattern.near), _options(ignore_case=True)) if pattern.near else None
        self.far = re2.compile(_latin1(pattern.far), _options(ignore_case=True)) if pattern.far else None
        self.behind = re2.compile(_latin1(pattern.behind), _options(ignore_case=True)) if pattern.behind else None

    def find(self, data: bytes, text: str) -> Iterator[Match]:
        """What is found and holds, in order of place."""
        at = 0
        search = self.regex.search
        while (match := search(data, at)) is not None:
            start, end = match.span(self.group)
            end = self._accepted(data, text, start, end)
            if end:
                yield Match(self.pattern.type, start, end, self.pattern.certainty)
                at = max(end, match.start() + 1)
            else:
                at = _next_start(data, match.start(), self.pattern.bounded)

    def _accepted(self, data: bytes, text: str, start: int, end: int) -> int:
        """Where the value ends; 0 if something does not hold of it."""
        pattern = self.pattern
        if pattern.bounded and not _begins(text, start):
            return 0
        if pattern.cut is not None:
            taken = pattern.cut(text[start:end])
            if not taken:
                return 0
            end = start + taken
        if pattern.bounded and not _ends(text, end):
            return 0
        if pattern.check is not None and not pattern.check(text[start:end]):
            return 0
        if self.far is not None and self.far.search(data[max(0, start - _FAR) : start]):
            return 0
        if self.behind is not None and self.behind.match(data[end : end + _FAR]):
            return 0
        if self.near is not None and not self.near.search(data[max(0, start - pattern.before) : start]):
            if not pattern.after or not self.near.search(data[end : end + pattern.after]):
                return 0
        return end


@lru_cache(maxsize=64)
def scanner_of(types: frozenset[str]) -> Scanner:
    """The scanner of some types; guardrails that ask for the same types share it."""
    return Scanner(types)


@cache
def _compiled(pattern: Pattern) -> _Compiled:
    return _Compiled(pattern)


def _begins(text: str, start: int) -> bool:
    if not start:
        return True
    before = text[start - 1]
    if before.isalnum() or before == "_":
        return False
    return not (before in _JOINTS and text[start].isdigit() and start > 1 and text[start - 2].isdigit())


def _ends(text: str, end: int) -> bool:
    if end >= len(text):
        return True
    behind = text[end]
    if behind.isalnum() or behind == "_":
        return False
    return not (behind in ".,-" and text[end - 1].isdigit() and text[end + 1 : end + 2].isdigit())


def _next_start(data: bytes, start: int, bounded: bool) -> int:
    """Where to go on after a refused match: no bounded value begins within a run of letters and digits."""
    run = _RUN.match(data, start) if bounded else None
    return run.end() if run is not None else start + 1


def _set_of(expressions: Iterable[str], *, ignore_case: bool) -> re2.Set:
    made = re2.Set.SearchSet(_options(ignore_case=ignore_case))
    for each in expressions:
        made.Add(_latin1(each))
    made.Compile()
    return made


class Scanner:
    """Patterns of some types, ready for use by many threads.

    Args:
        types: Of the API, or names of ours.

    Attributes:
        longest: Characters of a value at most.
        longest_spaced: The same, of those with white space in them.
    """

    def __init__(self, types: Collection[str]) -> None:
        self._compiled = [_compiled(each) for each in PATTERNS if each.type in types]
        self._tagged = frozenset(types) & frozenset(TAGGED)
        self.longest = max((each.pattern.longest for each in self._compiled), default=0)
        spaced = (each.pattern.longest for each in self._compiled if not each.pattern.unbroken)
        self.longest_spaced = max(spaced, default=0)
        if self._tagged:
            self.longest = max(self.longest, 200)
            self.longest_spaced = max(self.longest_spaced, 200)
        self._set = _set_of((each.pattern.regex for each in self._compiled), ignore_case=False)
        # Words that must stand near: a pattern whose words are nowhere in the text need not be tried.
        nearby = [number for number, each in enumerate(self._compiled) if each.near]
        self._nearby = {number: place for place, number in enumerate(nearby)}
        self._near_set = _set_of(
            (_TAIL.sub("", self._compiled[each].pattern.near) for each in nearby), ignore_case=True
        )

    def scan(self, text: str) -> list[Match]:
        """What a text holds, in order of place, one type to a place.

        Args:
            text: Cleaned (`folding.clean`).
        """
        found: list[Match] = []
        if self._compiled:
            data = text.encode("latin-1", "replace")
            matching: Sequence[int] = self._set.Match(data) or ()
            if not matching and _ANY.search(data):
                # A set that runs out of memory says that nothing matches: then each pattern is tried.
                matching = range(len(self._compiled))
            near = frozenset[int](self._near_set.Match(data) or ()) if self._nearby and matching else frozenset[int]()
            for number in sorted(matching):
                if number not in self._nearby or self._nearby[number] in near or len(data) > _SHORT:
                    found += self._compiled[number].find(data, text)
        if self._tagged:
            found += (each for each in map(_tagged, tag(text)) if each.type in self._tagged)
        return resolve(found)


def _tagged(found: tuple[str, int, int]) -> Match:
    return Match(*found, Certainty.GUESS)


def resolve(found: Iterable[Match]) -> list[Match]:
    """Of matches that overlap the surest, then the longest; in order of place."""
    kept: list[Match] = []
    for match in sorted(found, key=lambda one: (one.start, -one.end)):
        # Rivals overlap each other in a row at most as long as a value, so only the last few need a look.
        while kept and match is not None and match.start < kept[-1].end:
            rival = kept[-1]
            if (match.certainty, match.end - match.start) <= (rival.certainty, rival.end - rival.start):
                break
            kept.pop()
        else:
            kept.append(match)
    return kept
