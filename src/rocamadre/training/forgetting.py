"""What a model forgets while it learns something else: its losses on chosen sets, before and after.

Torch-free; the caller measures the losses. Mean loss per learned token is comparable only within a set.

Sources: Kirkpatrick et al. 2017, arXiv:1612.00796; for language models Luo et al. 2023, arXiv:2308.08747.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from rocamadre.core.errors import InvalidRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """One set, before and after.

    Attributes:
        name: Of the set.
        before: The base's loss in mean nats per learned token.
        after: The trained model's.
    """

    name: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """Nats per token more than before: above 0 it was forgotten, below 0 it was learned."""
        return self.after - self.before

    @property
    def perplexity_ratio(self) -> float:
        """How many times the perplexity of before."""
        return math.exp(self.change)


def measure(sets: Mapping[str, T], loss: Callable[[T], float]) -> dict[str, float]:
    """The loss of each set.

    Args:
        sets: By name.
        loss: Mean nats per learned token.

    Raises:
        InvalidRequest: one is not finite.
    """
    found = {name: float(loss(each)) for name, each in sets.items()}
    if bad := [name for name, value in found.items() if not math.isfinite(value)]:
        raise InvalidRequest(f"the loss is not finite on {', '.join(bad)}; has the set anything that is learned?")
    return found


def compare(before: Mapping[str, float], after: Mapping[str, float]) -> list[Change]:
    """Changes of all sets, what was forgotten most first.

    Raises:
        InvalidRequest: the sets are not the same.

    >>> [each.name for each in compare({"a": 2.0, "b": 2.0}, {"a": 1.0, "b": 2.5})]
    ['b', 'a']
    """
    if set(before) != set(after):
        raise InvalidRequest(
            f"before: {', '.join(sorted(before))}; after: {', '.join(sorted(after))}; not the same sets"
        )
    changes = [Change(name, before[name], after[name]) for name in before]
    return sorted(changes, key=lambda each: (-each.change, each.name))


def report(changes: list[Change], *, tolerance: float = 0.05) -> dict[str, Any]:
    """As JSON: every set, and the names of those whose loss rose by more than `tolerance` nats per token."""
    rows = [asdict(each) | {"change": each.change, "perplexity_ratio": each.perplexity_ratio} for each in changes]
    return {
        "sets": rows,
        "forgotten": [each.name for each in changes if each.change > tolerance],
        "tolerance": tolerance,
    }
