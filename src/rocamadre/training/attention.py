"""Attention over several examples laid end to end in one row, none of which sees another.

A block-diagonal mask would compute every example against every other and throw the result away, and keeps the fast
kernels from being used. Here the row is cut where examples end, pieces of equal length are one call, and each is plain
causal attention. transformers hands the cuts through the model as the keyword `segments`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

NAME = "rocamadre_segments"
"""Of this attention, among those of transformers."""


def segment_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    segments: Sequence[int] | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each segment.

    Args:
        module: The layer that asks; its `is_causal` counts.
        query: (1, heads, tokens, size).
        key: (1, key heads, tokens, size); the heads are a multiple of them.
        value: As `key`.
        attention_mask: None; there is no padding.
        scaling: Of the products; the root of the size unless given.
        dropout: Probability.
        segments: Lengths of the examples, in order; their sum is `tokens`.
        sliding_window: Tokens that a token sees, itself included; all unless given.

    Returns:
        (1, tokens, heads, size).

    Raises:
        ValueError: no segments, a mask, or more than one row.
    """
    if segments is None or attention_mask is not None or query.shape[0] != 1:
        raise ValueError("segment attention takes one row without a mask and the lengths of its segments")
    repeats = query.shape[1] // key.shape[1]
    causal = bool(getattr(module, "is_causal", True))
    parts = list(runs(segments))
    # Split in one go: its gradient is one concatenation, where that of a slice is a whole row of zeros.
    rows = [each[0].transpose(0, 1).split([count * length for count, length in parts]) for each in (query, key, value)]
    pieces = []
    for (count, length), *laid in zip(parts, *rows, strict=True):
        q, k, v = (each.unflatten(0, (count, length)).transpose(1, 2) for each in laid)
        mask = None
        if sliding_window is not None and length > sliding_window:
            mask = _band(length, sliding_window, causal=causal, device=query.device)
        out = scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=dropout,
            is_causal=causal and mask is None,
            scale=scaling,
            enable_gqa=repeats > 1,
        )
        pieces.append(out.transpose(1, 2).flatten(0, 1))
    return torch.cat(pieces)[None], None


def runs(segments: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbours of equal length: how many, how long.

    >>> list(runs([4, 4, 3]))
    [(2, 4), (1, 3)]
    """
    for length, same in groupby(segments):
        yield len(list(same)), length


def _band(length: int, window: int, *, causal: bool, device: torch.device) -> Tensor:
    places = torch.arange(length, device=device)
    distance = places[:, None] - places
    return (distance < window) & ((distance >= 0) if causal else (distance > -window))


def register() -> None:
    """Make it known to transformers; may be called again."""
    ALL_ATTENTION_FUNCTIONS.register(NAME, segment_attention)
