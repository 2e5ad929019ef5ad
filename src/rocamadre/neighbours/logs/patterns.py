"""Filter patterns: words, and comparisons of JSON members, in their simple forms.

Words: `ERROR`, `"two words"`, several (all must be there), `?this ?that` (any), `-without`. JSON:
`{ $.level = "ERROR" }` with `= != < <= > >=`, `IS NULL | TRUE | FALSE`, `NOT EXISTS`, members `$.a.b` and `$.a[0]`,
`*` in strings, and several joined by `&&` or by `||`. Everything else (regular expressions, columns in brackets,
parentheses) is refused.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from rocamadre.neighbours.logs.errors import LogsInvalid

Matcher: TypeAlias = Callable[[str], bool]
_Test: TypeAlias = Callable[[Any], bool]

MAX_PATTERN = 1024
_MISSING = object()
_WORD = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]+))(?=\s|$)')
_PLAIN = re.compile(r"[\w.:/@#$&,;=+-]+")
_CLAUSE = re.compile(
    r"\s*\$(?P<path>(?:\.[A-Za-z0-9_-]+|\[\d{1,6}\])+)\s*"
    r"(?:(?P<state>IS\s+NULL|IS\s+TRUE|IS\s+FALSE|NOT\s+EXISTS)"
    r"|(?P<sign>!=|<=|>=|=|<|>)\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<plain>[^\s\"&|(){}%\[\]]+)))\s*"
)
_STATES = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False, "NOT EXISTS": _MISSING}
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_pattern(pattern: str) -> Matcher:
    """A function that says whether a message fits a filter pattern; the empty pattern fits all.

    Raises:
        LogsInvalid: the pattern is longer than 1,024 characters or has a form that is not taken.

    >>> compile_pattern('{ $.level = "ERR*" && $.n > 2 }')('{"level": "ERROR", "n": 3}')
    True
    """
    text = pattern.strip()
    if len(text) > MAX_PATTERN:
        raise LogsInvalid(f"the filter pattern has {len(text)} characters; at most {MAX_PATTERN} are taken")
    if text.startswith("{"):
        return _json_matcher(text)
    return _word_matcher(text)


def _refused(pattern: str) -> LogsInvalid:
    return LogsInvalid(
        f'Invalid filter pattern {pattern[:100]!r}: taken are words, "phrases", ?any ?of, -without, and '
        '{ $.member = "value" } with = != < <= > >=, IS NULL|TRUE|FALSE, NOT EXISTS, joined by && or by ||'
    )


def _word_matcher(pattern: str) -> Matcher:
    every: list[str] = []
    some: list[str] = []
    none: list[str] = []
    at = 0
    while at < len(pattern):
        match = _WORD.match(pattern, at)
        if match is None or (match["plain"] is not None and not _PLAIN.fullmatch(match["plain"])):
            raise _refused(pattern)
        word = match["plain"] if match["quoted"] is None else _unescaped(match["quoted"])
        {"?": some, "-": none, "": every}[match["sign"]].append(word)
        at = match.end()

    def matches(message: str) -> bool:
        return (
            all(word in message for word in every)
            and not any(word in message for word in none)
            # Beside words that must be there, those that may be there change nothing.
            and (bool(every) or not some or any(word in message for word in some))
        )

    return matches


def _json_matcher(pattern: str) -> Matcher:
    if not pattern.endswith("}"):
        raise _refused(pattern)
    inside = pattern[1:-1]
    tests: list[_Test] = []
    joints: set[str] = set()
    at = 0
    while True:
        match = _CLAUSE.match(inside, at)
        if match is None:
            raise _refused(pattern)
        tests.append(_clause(match, pattern))
        at = match.end()
        if at == len(inside):
            break
        joints.add(inside[at : at + 2])
        at += 2
    if not joints <= {"&&"} and not joints <= {"||"}:
        raise _refused(pattern)
    fold = any if joints == {"||"} else all

    def matches(message: str) -> bool:
        try:
            value = msgspec.json.decode(message.encode("utf-8", "surrogatepass"))
        except (msgspec.DecodeError, RecursionError):
            return False
        return isinstance(value, dict) and fold(test(value) for test in tests)

    return matches


def _clause(match: re.Match[str], pattern: str) -> _Test:
    steps = [name or int(index) for name, index in _STEP.findall(match["path"])]
    state, sign = match["state"], match["sign"]
    if state is not None:
        wanted_object = _STATES[" ".join(state.split())]
        return lambda value: _follow(value, steps) is wanted_object
    if match["quoted"] is not None:
        wanted = _unescaped(match["quoted"])
        number = None
    else:
        wanted = match["plain"]
        number = _number(wanted)
    if sign in _ORDERS:
        if number is None:
            raise _refused(pattern)
        order, bound = _ORDERS[sign], number
        return lambda value: _is_number(found := _follow(value, steps)) and order(found, bound)
    equal = _equal(wanted, number)
    if sign == "=":
        return lambda value: equal(_follow(value, steps))
    return lambda value: (found := _follow(value, steps)) is not _MISSING and not equal(found)


def _equal(wanted: str, number: float | None) -> _Test:
    if number is not None:
        return lambda found: _is_number(found) and bool(found == number)
    return lambda found: isinstance(found, str) and _fits(found, wanted.split("*"))


def _fits(text: str, parts: list[str]) -> bool:
    """Whether a text is the parts with anything between them, in time linear in the text for each part."""
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _follow(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(step, str) and isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return _MISSING
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
