"""Data in parts: which example goes where follows from its content and a seed, not from its place in the file.

Examples that are nearly the same, or ask the same, stay on one side: a part that is held back says nothing of what was
learned when it was learned almost literally.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.canonical import encode
from rocamadre.datasets.content import asked_text, digest64, plain_text
from rocamadre.datasets.minhash import families
from rocamadre.datasets.types import Example

_WHOLE = 1 << 64


def assign(
    examples: Iterable[Example], shares: Mapping[str, float], *, seed: int = 0, threshold: float = 0.8
) -> list[str]:
    """The part that each example belongs to.

    A family (see the module) falls on a point of [0, 1) by a hash of its least member's content, so that it goes where
    it went before when examples are added or put in another order, unless the new ones join families. Shares are
    therefore met on average. A part that would stay empty is given the family nearest to it.

    Args:
        examples: In order; read once.
        shares: By part, positive, 1 together.
        seed: Another one divides otherwise.
        threshold: Least Jaccard index of what counts as nearly the same.

    Raises:
        InvalidRequest: the shares are wrong, or there are fewer families than parts.
    """
    _check(shares)
    texts, asked, keys = [], [], []
    for example in examples:
        texts.append(plain_text(example))
        asked.append((asked_text(example),))
        keys.append(digest64(encode(example), seed=seed + 1))
    heads = families(texts, asked, threshold=threshold)
    least: dict[int, int] = {}
    for head, key in zip(heads, keys, strict=True):
        least[head] = min(key, least.get(head, _WHOLE))
    if len(least) < len(shares):
        raise InvalidRequest(
            f"{len(keys)} records are {len(least)} that differ; they cannot be divided into {len(shares)} parts"
        )
    part_of = _parts(least, shares)
    return [part_of[head] for head in heads]


def _check(shares: Mapping[str, float]) -> None:
    if not shares or any(share <= 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        given = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise InvalidRequest(f"the parts' shares are {given or 'none'}; each must be positive, all together 1")


def _parts(points: Mapping[int, int], shares: Mapping[str, float]) -> dict[int, str]:
    names = list(shares)
    bounds: dict[str, tuple[float, float]] = {}
    at = 0.0
    for name in names:
        bounds[name] = (at, at + shares[name])
        at += shares[name]
    placed = {head: _part_at(point / _WHOLE, bounds, names) for head, point in points.items()}
    for name in names:
        if name in placed.values():
            continue
        low, high = bounds[name]
        counts = {each: list(placed.values()).count(each) for each in names}
        free = [head for head in points if counts[placed[head]] > 1]
        nearest = min(free, key=lambda head: (_distance(points[head] / _WHOLE, low, high), points[head]))
        placed[nearest] = name
    return placed


def _part_at(point: float, bounds: Mapping[str, tuple[float, float]], names: Sequence[str]) -> str:
    return next((name for name in names if point < bounds[name][1]), names[-1])


def _distance(point: float, low: float, high: float) -> float:
    return max(low - point, point - high, 0.0)
