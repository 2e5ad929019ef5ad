"""The output layer and its cross entropy, for the positions that are learnt and for no others.

A head makes one number per token of the vocabulary and position: the largest tensor of a pass by far. It is made a
chunk at a time, and what the backward pass needs is computed from the chunk before the next one takes its place.

Source: the idea of Liger Kernel's fused linear cross entropy, Hsu et al. 2024, arXiv:2410.10989.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

CHUNK_NUMBERS = 1 << 22
"""Logits that exist at a time."""


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  (autograd passes them by place)
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, dtype: Any
    ) -> Tensor:
        rows = max(16, CHUNK_NUMBERS // weight.shape[0])
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if wants_weight else None
        grad_bias = torch.zeros_like(bias, dtype=torch.float32) if wants_bias and bias is not None else None
        matrix = weight.to(dtype)
        for start in range(0, hidden.shape[0], rows):
            part, wanted = hidden[start : start + rows].to(dtype), targets[start : start + rows, None]
            logits = (part @ matrix.T).float()
            if bias is not None:
                logits += bias
            norms = logits.logsumexp(1, keepdim=True)
            total += (norms - logits.gather(1, wanted)).sum()
            if grad_hidden is None and grad_weight is None:
                continue
            logits.sub_(norms).exp_().scatter_add_(1, wanted, torch.full_like(norms, -1.0))
            if grad_bias is not None:
                grad_bias += logits.sum(0)
            error = logits.to(dtype)
            if grad_hidden is not None:
                grad_hidden[start : start + rows] = error @ matrix
            if grad_weight is not None:
                if dtype == torch.float32:
                    grad_weight.addmm_(error.T, part)
                else:
                    grad_weight += error.T @ part
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        ctx.weight_dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (scale,) = grads
        hidden, weight, bias = ctx.saved_tensors
        return (
            hidden * scale if hidden is not None else None,
            (weight * scale).to(ctx.weight_dtype) if weight is not None else None,
            bias * scale if bias is not None else None,
            None,
            None,
        )


def linear_cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """Summed cross entropy of `hidden @ weight.T + bias`, nats, float32.

    Args:
        hidden: (positions, width).
        weight: (vocabulary, width).
        bias: (vocabulary,), or None.
        targets: (positions,), int64.
    """
    kind = hidden.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
    with torch.autocast(kind, enabled=False):
        total: Tensor = _LinearCrossEntropy.apply(hidden, weight, bias, targets, dtype)
    return total


def head_loss(head: nn.Module, forward: Callable[[Tensor], Tensor], hidden: Tensor, targets: Tensor) -> Tensor:
    """Summed cross entropy of a model's head, nats; a head that is more than a matrix is called, chunk by chunk.

    Args:
        head: The output layer.
        forward: What it computes.
        hidden: (positions, width).
        targets: (positions,).
    """
    if type(head) is nn.Linear:
        return linear_cross_entropy(hidden, head.weight, head.bias, targets)
    rows = max(16, CHUNK_NUMBERS // max(1, int(getattr(head, "out_features", 1 << 15))))
    total = torch.zeros((), dtype=torch.float32, device=hidden.device)
    for start in range(0, hidden.shape[0], rows):

        def part(states: Tensor, wanted: Tensor) -> Tensor:
            return cross_entropy(forward(states).float(), wanted, reduction="sum")

        total = total + checkpoint(
            part, hidden[start : start + rows], targets[start : start + rows], use_reentrant=False
        )
    return total
