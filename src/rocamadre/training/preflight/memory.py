"""Memory of a training process of ours, by part.

Counted from what autograd keeps of each operation of a Llama-shaped block as `training.causal` runs it: one row of
examples laid end to end, attention that keeps its inputs and its output but no square matrix, a head that makes its
logits in chunks, AdamW in fp32. A matrix keeps its input only if it, or what is put beside it, is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

from rocamadre.training.preflight.shape import ModelShape
from rocamadre.training.preflight.trained import Trained

FP32 = 4
FRAMEWORK_BYTES, PEFT_BYTES = 390_000_000, 60_000_000
"""Of a process with torch, transformers and a tokenizer, before it has a model, and of peft beside them; where it was
not measured."""

LOGITS_BYTES = 3 * (1 << 22) * FP32
"""Chunk of logits, its copy, and what comes of them; see `training.head`."""

HOLES = 1.2
"""What the C allocator takes for each byte in use where tensors that live for different times are made in turn, as by a
matrix and its adapter, or by layers that are computed again: measured. In plain layers there is next to nothing between
the tensors."""

NF4_BITS = 4.5
"""Per weight of a base in 4 bits, a scale for every 64 of them included; less with double quantisation."""

_READERS = {"q_proj": "attention", "k_proj": "attention", "v_proj": "attention"} | {
    "gate_proj": "mlp",
    "up_proj": "mlp",
}


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one process.

    Attributes:
        weights: The base's, and what is put beside them.
        gradients: Of what is trained.
        optimiser: Two moments of what is trained.
        activations: Kept for the backward pass, of the largest pass.
        temporary: Gradients on their way, logits.
        framework: The libraries themselves.
    """

    weights: float
    gradients: float
    optimiser: float
    activations: float
    temporary: float
    framework: float

    @property
    def total(self) -> float:
        """All parts."""
        return self.weights + self.gradients + self.optimiser + self.activations + self.temporary + self.framework


def kept_by_layer(shape: ModelShape, moved: Trained, *, reached: bool = True) -> int:
    """Numbers that a layer keeps of one token.

    Args:
        shape: The base's.
        moved: What is trained.
        reached: Whether the backward pass goes through this layer.
    """
    if not reached:
        return 0
    full = moved.matrices > 0
    adapted = {linear.name for linear in moved.adapted}
    inputs = {_READERS[name] for name in adapted if name in _READERS} if moved.rank or full else set()
    count = 2 * shape.hidden * (2 if moved.norms else 1)
    count += shape.hidden * (2 if full else len(inputs))
    shared = shape.query if shape.kv_heads != shape.heads else shape.key
    count += 2 * shape.query + 2 * shared
    count += shape.query  # Pieces of attention are put together in a tensor of their own.
    inner = (3 if shape.gated else 1) * shape.inner
    if full or "down_proj" in adapted:
        inner += shape.inner
    count += inner + moved.rank * len(moved.adapted)
    if moved.adapted and not moved.rank:
        count += sum(linear.outputs for linear in moved.adapted if linear.name in ("k_proj", "v_proj"))
    return count


def process_memory(
    shape: ModelShape,
    moved: Trained,
    *,
    tokens: int,
    targets: int,
    examples: int = 0,
    checkpointing: bool = False,
    half: bool = False,
    four_bits: bool = False,
    shares: int = 1,
    framework_bytes: float = FRAMEWORK_BYTES + PEFT_BYTES,
) -> Memory:
    """Bytes of one process of a run.

    Args:
        shape: The base's.
        moved: What is trained.
        tokens: Of the largest pass.
        targets: Learned tokens of that pass.
        examples: Of that pass.
        checkpointing: Whether layers are computed again.
        half: Whether matrices are multiplied in bf16; what a layer keeps is then half as large, and
            copies of the weights come on top.
        four_bits: Whether the layers' matrices are held in 4 bits.
        shares: Processes that share out weights, gradients and optimiser (FSDP).
        framework_bytes: See `FRAMEWORK_BYTES`.
    """
    size = 2 if half else FP32
    matrices = shape.layers * shape.layer_parameters
    weights = float(FP32 * shape.parameters)
    if four_bits:
        weights -= matrices * (FP32 - NF4_BITS / 8)
    if half:
        weights += 2 * matrices
    if not moved.matrices and not moved.head:
        weights += FP32 * moved.parameters
    layer = kept_by_layer(shape, moved)
    kept = layer * moved.layers
    if checkpointing:
        kept = shape.hidden * shape.layers * FP32 // size + layer
    # Keys and values that are put before every example, as each layer keeps them.
    prefixes = 2 * shape.query * moved.virtual_keys * examples * moved.layers
    temporary = size * tokens * (4 * shape.inner + 4 * shape.hidden) + LOGITS_BYTES
    temporary += 3 * FP32 * targets * shape.hidden
    if moved.head:
        temporary += FP32 * shape.embedding_parameters
    holes = HOLES if moved.adapted or moved.rank or checkpointing else 1.0
    return Memory(
        weights=weights / shares,
        gradients=FP32 * moved.parameters / shares,
        optimiser=2 * FP32 * moved.parameters / shares,
        activations=holes * size * (tokens * kept + prefixes),
        temporary=holes * temporary,
        framework=framework_bytes,
    )
