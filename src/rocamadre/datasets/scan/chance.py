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


def beta_binomial_tail(hits: int, *, tries: int, mean: float, spread: float) -> float:
    """Chance of `hits` or more in `tries` whose own chance varies about `mean`.

    Args:
        hits: At least this many.
        tries: Of so many.
        mean: In (0, 1).
        spread: Correlation of two tries, in (0, 1); near 0 it is the binomial distribution.
    """
    first, second = mean * (1 - spread) / spread, (1 - mean) * (1 - spread) / spread
    whole = _log_beta(first, second)
    terms = [
        _log_choose(tries, hit) + _log_beta(first + hit, second + tries - hit) - whole for hit in range(hits, tries + 1)
    ]
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def beta_binomial_fit(hits: Sequence[int], tries: Sequence[int]) -> tuple[float, float]:
    """Mean and spread of counts, by moments; both kept off 0 and 1.

    Source: Kleinman 1973, "Proportions with extraneous variance: single and independent samples".
    """
    total = sum(tries)
    mean = min(0.99, max(0.01, sum(hits) / total)) if total else 0.5
    squares = sum(each * (hit / each - mean) ** 2 for hit, each in zip(hits, tries, strict=True))
    free = total - sum(each * each for each in tries) / total if total else 0.0
    groups = len(tries)
    if groups < 2 or free <= 0:
        return mean, 0.05
    expected = mean * (1 - mean)
    spread = (squares - (groups - 1) * expected) / (expected * (free - (groups - 1))) if free > groups - 1 else 0.05
    return mean, min(0.9, max(0.01, spread))


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


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)
