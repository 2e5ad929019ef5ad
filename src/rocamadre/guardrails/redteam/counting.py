"""How often attacks were withstood, with the uncertainty that so few attempts leave."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rocamadre.guardrails.redteam.types import OWASP, Attempt, Outcome, Probe

_Z = 1.959963984540054
"""The normal distribution's quantile for 95 %."""


class Rate(NamedTuple):
    """A share with its interval.

    Attributes:
        good: Attempts that went as the operator wants.
        of: Attempts that were answered at all.
        low: Lower end of the 95 % interval, in [0, 1].
        high: Upper end.
        outcomes: Count by outcome, errors included.
    """

    good: int
    of: int
    low: float
    high: float
    outcomes: Mapping[str, int]

    @property
    def share(self) -> float:
        """In [0, 1]; 0 where nothing was answered."""
        return self.good / self.of if self.of else 0.0

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "passed": self.good,
            "of": self.of,
            "rate": round(self.share, 4),
            "interval_95": [round(self.low, 4), round(self.high, 4)],
            "outcomes": dict(sorted(self.outcomes.items())),
        }


def wilson(good: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> [round(end, 3) for end in wilson(9, 10)], wilson(0, 0)
    ([0.596, 0.982], (0.0, 1.0))
    """
    if not of:
        return 0.0, 1.0
    share, weight = good / of, _Z**2 / of
    middle = share + weight / 2
    reach = _Z * math.sqrt(share * (1 - share) / of + weight / (4 * of))
    return max(0.0, (middle - reach) / (1 + weight)), min(1.0, (middle + reach) / (1 + weight))


def rate(attempts: Iterable[Attempt], *, harmless: bool = False) -> Rate:
    """Passed: an attack that did not escape; a harmless request that was answered."""
    outcomes = Counter(str(attempt.outcome) for attempt in attempts)
    of = sum(outcomes.values()) - outcomes[Outcome.ERROR]
    good = outcomes[Outcome.HELD] if harmless else of - outcomes[Outcome.ESCAPED]
    return Rate(good, of, *wilson(good, of), outcomes)


def grouped(
    probes: Sequence[Probe],
    attempts: Sequence[Attempt],
    keys: Callable[[Probe], Iterable[str]],
) -> dict[str, dict[str, Rate]]:
    """Rates by key and condition, keys in order of appearance; harmless ones are counted as such.

    Args:
        probes: All of the run.
        attempts: Those made so far.
        keys: The groups that a probe counts in.
    """
    by_id = {probe.id: probe for probe in probes}
    bins: dict[str, dict[str, list[Attempt]]] = {}
    harmless: dict[str, bool] = {}
    for attempt in attempts:
        probe = by_id[attempt.probe]
        for key in keys(probe):
            bins.setdefault(key, {}).setdefault(attempt.condition, []).append(attempt)
            harmless[key] = probe.harmless
    return {
        key: {condition: rate(made, harmless=harmless[key]) for condition, made in conditions.items()}
        for key, conditions in bins.items()
    }


def by_family(probes: Sequence[Probe], attempts: Sequence[Attempt]) -> dict[str, dict[str, Rate]]:
    """Rates of each family, harmless ones among them."""
    return grouped(probes, attempts, lambda probe: (probe.family,))


def by_language(probes: Sequence[Probe], attempts: Sequence[Attempt]) -> dict[str, dict[str, Rate]]:
    """Rates of attacks in each language."""
    return grouped(probes, attempts, lambda probe: () if probe.harmless else (probe.language,))


def by_owasp(probes: Sequence[Probe], attempts: Sequence[Attempt]) -> dict[str, dict[str, Rate]]:
    """Rates of each entry of OWASP's list that was probed, in the list's order."""
    found = grouped(probes, attempts, lambda probe: probe.owasp)
    return {entry: found[entry] for entry in OWASP if entry in found}
