"""The network of roca-mini: a Llama-shaped decoder in plain torch.

The arithmetic is that of Hugging Face's `LlamaForCausalLM` (RMSNorm, rotary positions on split halves, grouped-query
attention, SwiGLU, tied embeddings), with the three attention inputs and the two gate inputs fused into one matrix each,
because few large products are faster than many small ones. `export.py` writes the unfused Hugging Face names.
"""

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """Sizes of the network; `context` in tokens."""

    vocabulary: int = 4096
    hidden: int = 256
    layers: int = 8
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 768
    context: int = 2048
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads

    def as_dict(self) -> dict[str, int | float]:
        return asdict(self)


def rotary_table(shape: Shape, *, length: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (length, head_size), float32.

    Source: Su et al. 2021, arXiv:2104.09864, in the split-halves layout of Hugging Face.
    """
    exponents = torch.arange(0, shape.head_size, 2, dtype=torch.float32) / shape.head_size
    angles = torch.outer(torch.arange(length, dtype=torch.float32), shape.rope_theta**-exponents)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn (batch, heads, length, head_size) by its positions."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Norm(nn.Module):
    """Root-mean-square normalisation. Source: Zhang & Sennrich 2019, arXiv:1910.07467."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


class Block(nn.Module):
    """One layer: attention, then SwiGLU, each on a normalised copy added back."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.causal = True
        kv = shape.kv_heads * shape.head_size
        self.sizes = (shape.hidden, kv, kv)
        self.norm_attention = Norm(shape.hidden, shape.norm_eps)
        self.qkv = nn.Linear(shape.hidden, sum(self.sizes), bias=False)
        self.out = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.norm_mlp = Norm(shape.hidden, shape.norm_eps)
        self.gate_up = nn.Linear(shape.hidden, 2 * shape.feed_forward, bias=False)
        self.down = nn.Linear(shape.feed_forward, shape.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, hidden = x.shape
        q, k, v = self.qkv(self.norm_attention(x)).split(self.sizes, dim=-1)
        q = q.view(batch, length, self.shape.heads, -1).transpose(1, 2)
        k = k.view(batch, length, self.shape.kv_heads, -1).transpose(1, 2)
        v = v.view(batch, length, self.shape.kv_heads, -1).transpose(1, 2)
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        groups = self.shape.heads // self.shape.kv_heads
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, length, hidden))
        gate, up = self.gate_up(self.norm_mlp(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Network(nn.Module):
    """Tokens (batch, length) int64 to the final hidden states (batch, length, hidden)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.masked = False
        self.embedding = nn.Embedding(shape.vocabulary, shape.hidden)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.hidden, shape.norm_eps)
        cos, sin = rotary_table(shape, length=shape.context)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.reset()

    def reset(self) -> None:
        """Normal weights; the matrices that write into the stream are scaled down by depth."""
        nn.init.normal_(self.embedding.weight, std=0.02)
        for name, weight in self.named_parameters():
            if weight.dim() != 2 or name == "embedding.weight":
                continue
            std = 1 / math.sqrt(weight.shape[1])
            if name.endswith(("out.weight", "down.weight")):
                std /= math.sqrt(2 * self.shape.layers)
            nn.init.normal_(weight, std=std)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        length = tokens.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.norm(x)

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats over the targets that are not -100.

        Args:
            tokens: (batch, length) int64.
            targets: (batch, length) int64, already shifted: the token that follows each position, or -100.
        """
        return self.loss_of(self(tokens), targets)

    def loss_of(self, states: Tensor, targets: Tensor) -> Tensor:
        """The same from final hidden states (batch, length, hidden); logits are made for learnt positions only."""
        states, flat = states.flatten(0, 1), targets.flatten()
        if self.masked:
            kept = (flat >= 0).nonzero().squeeze(1)
            states, flat = states[kept], flat[kept]
        return F.cross_entropy((states @ self.embedding.weight.t()).float(), flat)

    def parameter_count(self) -> int:
        return sum(weight.numel() for weight in self.parameters())
