"""What a decoder keeps of the forward pass for the backward one.

Counted per token and layer of a Llama-shaped layer, in numbers (not bytes), for attention that does not keep its
square matrix (FlashAttention, or PyTorch's fused one):

=====================================  =====================================================
both norms                             input and normalised input: 4 hidden
matrices q, k, v and gate, up          their inputs, the norms' outputs: 2 hidden
attention                              query and 2 key after the rotation
o                                      its input, attention's output: query
feed-forward part                      gate, its activation, up, their product: 4 inner
=====================================  =====================================================

Without a gate, three of inner become two. With recomputation, a layer keeps its input alone (hidden), and one layer at
a time all of the above. Method of counting: Korthikanti et al. 2022, arXiv:2205.05198, section 4.
"""

from __future__ import annotations

from rocamadre.training.preflight.shape import ModelShape


def kept_per_token(shape: ModelShape) -> int:
    """Numbers that one layer keeps of one token when every weight is trained."""
    inner = (4 if shape.gated else 2) * shape.inner
    return 6 * shape.hidden + 2 * shape.query + 2 * shape.key + inner


def activation_numbers(shape: ModelShape, tokens: int, *, checkpointing: bool) -> int:
    """Numbers kept of `tokens` by all layers.

    Args:
        shape: The model's.
        tokens: Of a pass on one device, rows times their length.
        checkpointing: Whether layers are computed again in the backward pass.
    """
    layer = kept_per_token(shape)
    if checkpointing:
        return tokens * (shape.layers * shape.hidden + layer)
    return tokens * shape.layers * layer


def forward_flops(shape: ModelShape, tokens: int, length: int, *, counted: float | None = None) -> float:
    """Floating-point operations of a forward pass, a multiplication and an addition counted as two.

    Two for each weight of a matrix and token, and the attention of `length` tokens under a causal mask.

    Args:
        shape: The model's.
        tokens: How many.
        length: Of a row, in tokens.
        counted: Weights to count instead of the shape's matrices.
    """
    matrices = shape.matrix_parameters if counted is None else counted
    return tokens * (2.0 * matrices + 2.0 * shape.layers * length * shape.query)
