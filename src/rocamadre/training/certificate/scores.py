"""Distributions of next tokens, as far as their likely candidates, and how far two of them are apart.

Of a place's distribution the `CANDIDATES` likeliest tokens are kept; whatever is left is one lump. Divergence computed
over a coarser partition is never larger than the true one (the data processing inequality), and here it is the same to
all intents: the lump holds next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

CANDIDATES = 256
"""Tokens kept of each place."""
LIKELY = 10
"""The reference's best tokens, by which deviations are measured: of the unlikely nobody ever sees one."""
_LEAST = 1e-12

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model expects next at each place of a text.

    Attributes:
        ids: The text's tokens, in so far as the model reports them.
        top_ids: (places, k): the likeliest tokens after each of the last `places` prefixes, best first.
        top: (places, k): their log-probabilities, in nats.
    """

    ids: tuple[int, ...]
    top_ids: npt.NDArray[np.int64]
    top: Floats

    def last(self, places: int) -> Scores:
        """The last places alone."""
        start = max(0, len(self.top) - places)
        return Scores(self.ids, self.top_ids[start:], self.top[start:])

    def gap(self, place: int, token: int) -> float:
        """By how much the best token is likelier than another, in nats; a lower bound if the other was not kept."""
        row = np.flatnonzero(self.top_ids[place] == token)
        other = self.top[place][row[0]] if row.size else self.top[place][-1]
        return float(self.top[place][0] - other)


class Difference(NamedTuple):
    """How far a form is from the reference.

    Attributes:
        deviation: Root mean square difference of log-probability over the likely tokens, nats.
        widest: The largest of these differences, nats.
        kl: Mean divergence KL(reference ‖ form) per place, nats.
        places: How many were compared.
    """

    deviation: float
    widest: float
    kl: float
    places: int


def difference(pairs: Iterable[tuple[Scores, Scores]]) -> Difference:
    """Compare scores of the same texts.

    Args:
        pairs: Reference, form. Where one of them has fewer places, its last ones are compared with the other's last.
    """
    deltas: list[Any] = []
    divergence, places = 0.0, 0
    for reference, form in pairs:
        count = min(len(reference.top), len(form.top))
        expected, found = reference.last(count), form.last(count)
        for place in range(count):
            row, kl = _row(expected.top_ids[place], expected.top[place], found.top_ids[place], found.top[place])
            deltas.append(row)
            divergence += kl
        places += count
    if not places:
        return Difference(np.inf, np.inf, np.inf, 0)
    flat = np.concatenate(deltas)
    return Difference(
        float(np.sqrt(np.mean(flat**2))), float(np.max(np.abs(flat))), max(0.0, divergence / places), places
    )


def _row(ids: Any, logs: Floats, other_ids: Any, other_logs: Floats) -> tuple[Floats, float]:
    """One place: differences over the likely tokens, and the divergence."""
    both, mine, theirs = np.intersect1d(ids, other_ids, assume_unique=True, return_indices=True)
    known = dict(zip(both.tolist(), other_logs[theirs].tolist(), strict=True))
    floor = float(other_logs[-1])
    likely = [
        known.get(token, floor) - log for token, log in zip(ids[:LIKELY].tolist(), logs[:LIKELY].tolist(), strict=True)
    ]
    p, q = np.exp(logs[mine]), np.exp(other_logs[theirs])
    kl = float(np.sum(p * (logs[mine] - other_logs[theirs])))
    rest, other_rest = 1 - float(p.sum()), 1 - float(q.sum())
    if rest > _LEAST:
        kl += rest * float(np.log(rest / max(other_rest, _LEAST)))
    return np.array(likely), kl
