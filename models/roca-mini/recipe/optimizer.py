"""Muon for the matrices of the layers, AdamW for the embedding and the norms."""

from collections.abc import Iterable

import torch
from network import Network
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(stack: Tensor, *, iterations: int = 5) -> Tensor:
    """Move each matrix of a stack (count, rows, columns) towards the nearest half-orthogonal one.

    Source: Jordan et al. 2024, Muon: quintic Newton-Schulz iteration with their coefficients.
    """
    a, b, c = COEFFICIENTS
    tall = stack.shape[1] > stack.shape[2]
    # Five rounds need no precision: on a GPU sixteen bits are much faster, on a CPU they are slower.
    x = (stack.mT if tall else stack).to(torch.bfloat16 if stack.is_cuda else stack.dtype)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return (x.mT if tall else x).to(stack.dtype)


def matrix_parts(network: Network) -> dict[str, tuple[torch.nn.Parameter, tuple[int, ...]]]:
    """Layer matrices by name with the row counts of the matrices fused in each."""
    shape = network.shape
    kv = shape.kv_heads * shape.head_size
    parts = {}
    for name, weight in network.named_parameters():
        if name.endswith("qkv.weight"):
            parts[name] = (weight, (shape.hidden, kv, kv))
        elif name.endswith("gate_up.weight"):
            parts[name] = (weight, (shape.feed_forward, shape.feed_forward))
        elif weight.dim() == 2 and name != "embedding.weight":
            parts[name] = (weight, (weight.shape[0],))
    return parts


class Muon:
    """Momentum whose steps are made orthogonal. Source: Jordan et al. 2024.

    Args:
        network: Its layer matrices are trained, fused ones as the several matrices they stand for.
        momentum: Nesterov momentum, 0 to 1.
        decay: Weight decay per step, relative to the learning rate.
    """

    def __init__(self, network: Network, *, momentum: float = 0.95, decay: float = 0.01) -> None:
        self.parts = matrix_parts(network)
        self.momentum, self.decay = momentum, decay
        self.velocity = {name: torch.zeros_like(weight) for name, (weight, _) in self.parts.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update with the gradients at hand; `rate` is the spectral size of a step."""
        groups: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
        for name, (weight, rows) in self.parts.items():
            velocity = self.velocity[name].lerp_(weight.grad, 1 - self.momentum)
            direction = weight.grad.lerp(velocity, self.momentum)
            for part, piece in zip(weight.split(rows), direction.split(rows), strict=True):
                groups.setdefault(tuple(part.shape), []).append((part, piece))
        for (height, width), pairs in groups.items():
            updates = orthogonalise(torch.stack([piece for _, piece in pairs]))
            size = rate * max(1.0, height / width) ** 0.5
            for (part, _), update in zip(pairs, updates, strict=True):
                part.mul_(1 - rate * self.decay).sub_(update, alpha=size)


class Adam:
    """AdamW without weight decay for what Muon leaves. Source: Loshchilov & Hutter 2019, arXiv:1711.05101."""

    def __init__(self, network: Network, *, betas: tuple[float, float] = (0.9, 0.95)) -> None:
        handled = matrix_parts(network)
        self.weights = {name: weight for name, weight in network.named_parameters() if name not in handled}
        self.first = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.second = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.betas, self.steps = betas, 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update with the gradients at hand."""
        self.steps += 1
        one, two = self.betas
        for name, weight in self.weights.items():
            first = self.first[name].lerp_(weight.grad, 1 - one)
            second = self.second[name].lerp_(weight.grad.square(), 1 - two)
            scale = (second / (1 - two**self.steps)).sqrt_().add_(1e-8)
            weight.addcdiv_(first, scale, value=-rate / (1 - one**self.steps))


class Optimizer:
    """Both optimisers, one clipped step, and a state of plain tensors that safetensors can hold."""

    def __init__(self, network: Network, *, matrix_rate: float, vector_rate: float) -> None:
        self.network = network
        self.muon, self.adam = Muon(network), Adam(network)
        self.matrix_rate, self.vector_rate = matrix_rate, vector_rate

    def step(self, scale: float) -> None:
        """One update at `scale` (0 to 1) times the learning rates; gradients are dropped afterwards."""
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.muon.step(self.matrix_rate * scale)
        self.adam.step(self.vector_rate * scale)
        for weight in self.network.parameters():
            weight.grad = None

    def _tables(self) -> Iterable[tuple[str, dict[str, Tensor]]]:
        return (("velocity", self.muon.velocity), ("first", self.adam.first), ("second", self.adam.second))

    def state(self) -> dict[str, Tensor]:
        """Every tensor that a continued run needs, by name."""
        return {f"{kind}/{name}": tensor for kind, table in self._tables() for name, tensor in table.items()}

    @torch.no_grad()
    def load(self, state: dict[str, Tensor], *, steps: int) -> None:
        """Take over what `state` returned after `steps` steps."""
        for kind, table in self._tables():
            for name, tensor in table.items():
                tensor.copy_(state[f"{kind}/{name}"])
        self.adam.steps = steps
