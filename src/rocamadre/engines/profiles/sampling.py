"""Bounds of the sampling settings that no family makes narrower."""

from __future__ import annotations

from dataclasses import replace

from rocamadre.core.messages import Sampling

MOST_TOKENS = 1_048_576
MOST_SEED = 2**31 - 1


def settled(sampling: Sampling) -> Sampling:
    """A nucleus of 0 keeps the best candidate only, which is what greedy means.

    >>> settled(Sampling(top_p=0.0)).temperature
    0.0
    """
    return replace(sampling, temperature=0.0, top_p=None) if sampling.top_p == 0 else sampling
