"""Whether bfloat16 pays on this machine: measured with matrices of the model's size, not assumed.

A processor without bfloat16 instructions computes it some eighty times slower than float32, and says nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import torch

_WORTH = 1.2
"""How much faster it must be: rounding has its price."""
_PATIENCE_S = 0.5


def choose(wanted: str, *, width: int, inner: int, device: torch.device) -> Literal["fp32", "bf16"]:
    """The precision of the matrix products; weights, gradients and optimiser stay float32.

    Args:
        wanted: `fp32`, `bf16` or `auto`.
        width: Of the model.
        inner: Of its feed-forward layers.
        device: That computes.
    """
    if wanted in ("fp32", "bf16"):
        return "bf16" if wanted == "bf16" else "fp32"
    full, half = seconds(torch.float32, width=width, inner=inner, device=device), None
    # One product first: where bfloat16 is emulated, ten of them would be minutes for a large model.
    half = seconds(torch.bfloat16, width=width, inner=inner, device=device, give_up_s=max(full, 1e-4) * 20)
    return "bf16" if half * _WORTH < full else "fp32"


def seconds(
    dtype: torch.dtype, *, width: int, inner: int, device: torch.device, give_up_s: float = _PATIENCE_S, rows: int = 256
) -> float:
    """Best time of one product (rows, width) by (width, inner), in seconds."""
    left, right = (torch.ones(shape, dtype=dtype, device=device) for shape in ((rows, width), (width, inner)))
    best, spent = float("inf"), 0.0
    for _ in range(10):
        took = _timed(lambda: left @ right, device)
        best, spent = min(best, took), spent + took
        if spent > give_up_s:
            break
    return best


def _timed(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
