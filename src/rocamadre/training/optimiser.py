"""AdamW whose state is plain tensors by name, so that safetensors can hold it.

Source: Loshchilov & Hutter 2019, arXiv:1711.05101.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Named = Sequence[tuple[str, nn.Parameter]]

BETAS = (0.9, 0.999)
_STATE = ("exp_avg", "exp_avg_sq")


def make_optimiser(named: Named, *, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the trained weights; only matrices decay, norms and biases do not.

    Args:
        named: What is trained.
        weight_decay: Per step, relative to the learning rate.
    """
    matrices = [weight for _, weight in named if weight.ndim >= 2]
    others = [weight for _, weight in named if weight.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    fused = all(type(weight.data) is Tensor and weight.device.type in ("cpu", "cuda") for _, weight in named)
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=0.0, betas=BETAS, fused=fused)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def state_of(optimiser: torch.optim.Optimizer, named: Named) -> dict[str, Tensor]:
    """Every tensor that a continued run needs, by name; empty before the first step."""
    found: dict[str, Tensor] = {}
    for name, weight in named:
        state = optimiser.state.get(weight)
        if state:
            found |= {f"{kind}/{name}": state[kind] for kind in (*_STATE, "step")}
    return found


def load_state(
    optimiser: torch.optim.Optimizer,
    named: Named,
    saved: Mapping[str, Tensor],
    *,
    put: Callable[[Tensor, Tensor], None],
) -> None:
    """Take over what `state_of` gave.

    Args:
        optimiser: Of `make_optimiser`, before its first step.
        named: What is trained.
        saved: By name.
        put: Copies values into a tensor.
    """
    for name, weight in named:
        if f"step/{name}" not in saved:
            continue
        state = {kind: torch.zeros_like(weight, requires_grad=False) for kind in _STATE}
        for kind, tensor in state.items():
            put(tensor, saved[f"{kind}/{name}"])
        optimiser.state[weight] = {**state, "step": saved[f"step/{name}"].clone()}
