"""What encoders are asked to restore: masked tokens, or spans that were cut out. Pure functions of ids and dice."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


class Masked(NamedTuple):
    """A text with holes.

    Attributes:
        ids: As the model reads it.
        places: Where something is to be restored, ascending.
    """

    ids: Ids
    places: Ids


def masked_count(length: int, *, share: float) -> int:
    """How many of `length` tokens are masked; at least one."""
    return max(1, round(length * share))


def mask_tokens(ids: Ids, *, share: float, mask: int, ordinary: Ids, dice: np.random.Generator) -> Masked:
    """Hide a share of the tokens: eight of ten become the mask, one another token, one stays.

    Args:
        ids: Ordinary tokens, without marks.
        share: Of tokens.
        mask: Id of the mask.
        ordinary: Ids that stand for text, to draw from.
        dice: Where chance comes from.

    Source: Devlin et al. 2019, arXiv:1810.04805, section 3.1.
    """
    places = np.sort(dice.choice(len(ids), masked_count(len(ids), share=share), replace=False))
    found, chance = ids.copy(), dice.random(len(places))
    found[places[chance < 0.8]] = mask
    others = places[chance >= 0.9]
    found[others] = dice.choice(ordinary, len(others))
    return Masked(found, places)


class Cut(NamedTuple):
    """A text with spans cut out.

    Attributes:
        inputs: What the encoder reads: the text, a sentinel for each span, the end.
        targets: What the decoder writes: each sentinel with its span, the end.
    """

    inputs: Ids
    targets: Ids


def cut_counts(length: int, *, share: float, span: float) -> tuple[int, int]:
    """Tokens cut out of `length`, and in how many spans; both at least one, and something is left."""
    tokens = min(max(1, round(length * share)), length - 1)
    spans = min(max(1, round(tokens / span)), tokens, length - tokens)
    return tokens, spans


def cut_spans(ids: Ids, *, share: float, span: float, sentinels: Ids, end: int, dice: np.random.Generator) -> Cut:
    """Cut random spans out; the text begins with something that stays.

    Args:
        ids: Ordinary tokens, at least two, without marks.
        share: Of tokens that are cut out.
        span: Mean length of a span.
        sentinels: Ids that stand for the first span, the second, …; at least as many as there are spans.
        end: Id that ends both sides.
        dice: Where chance comes from.

    Source: Raffel et al. 2020, arXiv:1910.10683, section 3.1.4.
    """
    cut, spans = cut_counts(len(ids), share=share, span=span)
    spans = min(spans, len(sentinels))
    lengths = _parts(cut, spans, dice)
    gaps = _parts(len(ids) - cut, spans, dice)
    inputs: list[Ids] = []
    targets: list[Ids] = []
    at = 0
    for index in range(spans):
        sentinel = sentinels[index : index + 1]
        start = at + gaps[index]
        inputs += [ids[at:start], sentinel]
        targets += [sentinel, ids[start : start + lengths[index]]]
        at = start + lengths[index]
    ending = np.array([end])
    return Cut(np.concatenate([*inputs, ids[at:], ending]), np.concatenate([*targets, ending]))


def _parts(total: int, count: int, dice: np.random.Generator) -> Ids:
    """`total` in `count` parts of at least one, each division as likely as another."""
    cuts = np.sort(dice.choice(total - 1, count - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], cuts, [total]]))
