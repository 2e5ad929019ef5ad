"""Floating-point operations of a run of ours; a multiplication and an addition are two."""

from __future__ import annotations

from rocamadre.training.preflight.shape import ModelShape
from rocamadre.training.preflight.trained import Trained
from rocamadre.training.preflight.workload import Passes


def pass_flops(shape: ModelShape, moved: Trained, passes: Passes, *, checkpointing: bool = False) -> float:
    """Operations of training passes: forward, gradients of what flows, gradients of what is trained.

    Args:
        shape: The base's.
        moved: What is trained.
        passes: What is computed.
        checkpointing: Whether layers are computed again.
    """
    reached = moved.layers / shape.layers
    layers, attention, head = _parts(shape, moved, passes)
    # Attention goes back twice: to what it multiplied, on both sides; and makes its square again on the way.
    total = layers + attention + reached * (layers + 2.5 * attention)
    total += 2.0 * moved.matrices * passes.tokens
    total += 6.0 * moved.rank * sum(each.inputs + each.outputs for each in moved.adapted) * shape.layers * passes.tokens
    if checkpointing:
        total += layers + attention
    return total + head * (3 if moved.head else 2)


def forward_pass_flops(shape: ModelShape, moved: Trained, passes: Passes) -> float:
    """Operations of passes that nothing is learned from."""
    return sum(_parts(shape, moved, passes))


def _parts(shape: ModelShape, moved: Trained, passes: Passes) -> tuple[float, float, float]:
    """Forward: matrices of the layers, attention, head at the learned places."""
    layers = 2.0 * shape.layers * shape.layer_parameters * passes.tokens
    pairs = passes.squares / 2 + moved.virtual_keys * passes.tokens
    attention = 4.0 * shape.layers * shape.query * pairs
    return layers, attention, 2.0 * shape.embedding_parameters * passes.targets
