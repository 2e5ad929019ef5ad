r"""Strings that match, or just do not match, the patterns of the service models.

>>> matching("[a-z]{2,4}-[0-9]+", least=8, most=20)
'aaaa-000'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from random import Random
from typing import Any

from rocamadre.api.wire.patterns import matcher

# The parser of `re` is the one description of its syntax; its module has moved before.
_parser: Any = import_module("re._parser")

_PREFERRED = "a0A1-_./: "
_PROPERTY = re.compile(r"\\[pP](?:\{\^?\w+\}|\w)")
_ODD = ("\u2603", "\n", "!", " ", "\t", "#", "A", "a", "0", "-", "_", ".", "/", ":")
_TRIES = 400


class NoExample(ValueError):
    """No string was found; the pattern needs a hand-made one."""


@cache
def matching(pattern: str, *, least: int = 0, most: int | None = None) -> str:
    """A short string that the pattern matches whole.

    Args:
        pattern: As a service model has it.
        least: Fewest characters.
        most: Most characters; None for no limit.

    Raises:
        NoExample: none was found.
    """
    limit = most if most is not None else 10**9
    for text in _tries(pattern, least):
        if least <= len(text) <= limit and matcher(pattern)(text):
            return text
    raise NoExample(f"no string of {least} to {most} characters was found for {pattern!r}")


@cache
def unmatching(pattern: str, *, least: int = 0, most: int | None = None) -> str | None:
    """A string of allowed length that the pattern does not match; None when it matches everything tried."""
    length = max(least, 1)
    if most is not None and length > most:
        return None
    for odd in _ODD:
        if not matcher(pattern)(odd * length):
            return odd * length
    try:
        good = matching(pattern, least=least, most=most)
    except NoExample:
        return None
    for odd in _ODD:
        for text in (good[:-1] + odd, odd + good[1:]):
            if len(text) >= least and not matcher(pattern)(text):
                return text
    return None


def _tries(pattern: str, least: int) -> Iterator[str]:
    tree = _parse(pattern)
    for extra in (0, 1, 2, 4, 8, 16, 32, least, 2 * least):
        yield "".join(_build(tree, extra, None, {}))
    random = Random(0)
    for _ in range(_TRIES):
        yield "".join(_build(tree, random.choice((0, 1, 3, least)), random, {}))


def _parse(pattern: str) -> Any:
    pattern = pattern.replace("/d{", r"\d{").replace("/d+", r"\d+")
    return _parser.parse(_PROPERTY.sub("a", pattern))  # Python lacks `\p{L}` and its like; a letter has most of them.


def _build(tree: Iterable[Any], extra: int, random: Random | None, groups: dict[int, str]) -> Iterator[str]:
    for operator, argument in tree:
        yield _one(str(operator), argument, extra, random, groups)


def _one(operator: str, argument: Any, extra: int, random: Random | None, groups: dict[int, str]) -> str:
    if operator == "LITERAL":
        return chr(argument)
    if operator == "NOT_LITERAL":
        return next(letter for letter in _PREFERRED if ord(letter) != argument)
    if operator == "ANY":
        return "a"
    if operator == "IN":
        return _of_class(argument, random)
    if operator == "BRANCH":
        choices = argument[1]
        return "".join(_build(random.choice(choices) if random else choices[0], extra, random, groups))
    if operator == "SUBPATTERN":
        text = "".join(_build(argument[3], extra, random, groups))
        groups[argument[0]] = text
        return text
    if operator.endswith("REPEAT"):
        fewest, greatest, inner = argument
        count = min(int(greatest), fewest + (random.choice((0, extra)) if random else extra))
        return "".join("".join(_build(inner, extra, random, groups)) for _ in range(count))
    if operator == "GROUPREF":
        return groups.get(argument, "")
    return ""  # Anchors and look-around take no room; the result is checked against them afterwards.


def _of_class(items: Any, random: Random | None) -> str:
    negated = str(items[0][0]) == "NEGATE"
    accepted = [letter for letter in _PREFERRED if any(_in_item(ord(letter), item) for item in items) != negated]
    if random is None and accepted:
        return accepted[0]
    if not negated:
        operator, argument = (random or Random(0)).choice(list(items))
        if str(operator) == "LITERAL":
            return chr(argument)
        if str(operator) == "RANGE":
            return chr((random or Random(0)).randint(*argument))
    if accepted:
        return (random or Random(0)).choice(accepted)
    return next(chr(code) for code in range(33, 10_000) if any(_in_item(code, item) for item in items) != negated)


def _in_item(code: int, item: Any) -> bool:
    operator, argument = str(item[0]), item[1]
    if operator == "LITERAL":
        return bool(code == argument)
    if operator == "RANGE":
        return bool(argument[0] <= code <= argument[1])
    if operator == "CATEGORY":
        classes = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
        name = str(argument).rpartition("_")[2]
        found = re.match(classes[name], chr(code)) is not None
        return found != ("NOT" in str(argument))
    return False
