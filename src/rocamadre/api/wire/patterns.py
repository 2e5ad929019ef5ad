r"""Regular expressions of the service models, matched in time linear in the input.

AWS matches a pattern against the whole value, whether or not it is anchored. RE2 never backtracks. The few patterns
that it lacks (look-ahead, `\u` escapes, counts over 1,000) have no nested repetition and go to Python's `re`, on
values of bounded length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

import re2

_MOST_FOR_BACKTRACKING = 8192
_MOST_REMEMBERED = 128


@cache
def matcher(pattern: str) -> Callable[[str], bool]:
    """A test of whole values against one pattern; remembers its verdict on short ones (model ids come again).

    Args:
        pattern: In the dialect of the service models (ECMA 262, as Java reads it).
    """
    # Some models spell `\d` as `/d` in ARN patterns, which no ARN could satisfy.
    pattern = pattern.replace("/d{", r"\d{").replace("/d+", r"\d+")
    # That of prompt routers knows the default ones only; Converse and the tags take an account's own as well.
    pattern = pattern.replace(":default-prompt-router/", ":(?:default-)?prompt-router/")
    options = re2.Options()
    options.log_errors = False
    try:
        fullmatch, most = re2.compile(pattern, options).fullmatch, None
    except re2.error:
        fullmatch, most = re.compile(pattern).fullmatch, _MOST_FOR_BACKTRACKING

    @lru_cache(maxsize=512)
    def remembered(value: str) -> bool:
        return fullmatch(value) is not None

    def matches(value: str) -> bool:
        if len(value) <= _MOST_REMEMBERED:
            return remembered(value)
        return (most is None or len(value) <= most) and fullmatch(value) is not None

    return matches
