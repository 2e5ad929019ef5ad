"""Chances: how likely something this marked is when nothing is wrong, and which of many such are worth telling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache


def hypergeometric_tail(hits: int, *, drawn: int, marked: int, of: int) -> float:
    """Chance of `hits` or more marked rows among `drawn`, when `marked` of all `of` rows are.

    >>> round(hypergeometric_tail(2, drawn=2, marked=2, of=4), 4)
    0.1667
    """
    most = min(drawn, marked)
    terms = [
        _log_choose(marked, hit) + _log_choose(of - marked, drawn - hit) - _log_choose(of, drawn)
        for hit in range(max(hits, drawn + marked - of), most + 1)
    ]
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def false_discovery(chances: Sequence[float], *, tested: int | None = None) -> list[float]:
    """For each chance the least rate of false discoveries at which it would be told (q-value).

    Args:
        chances: Of each.
        tested: How many were looked at, when those not given are all unremarkable.

    Source: Benjamini & Hochberg 1995, "Controlling the false discovery rate".

    >>> false_discovery([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.03]
    """
    count = max(len(chances), tested or 0)
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    found, least = [1.0] * len(chances), 1.0
    for rank in range(len(order), 0, -1):
        place = order[rank - 1]
        least = min(least, chances[place] * count / rank)
        found[place] = least
    return found


@cache
def _log_factorial(number: int) -> float:
    return math.lgamma(number + 1)


def _log_choose(number: int, chosen: int) -> float:
    if not 0 <= chosen <= number:
        return -math.inf
    return _log_factorial(number) - _log_factorial(chosen) - _log_factorial(number - chosen)
