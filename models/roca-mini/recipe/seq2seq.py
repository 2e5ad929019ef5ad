"""A small encoder-decoder trained by filling spans, on the shards of roca-mini. A recipe: no weights of it ship.

    python models/roca-mini/recipe/seq2seq.py --work build/roca-mini/cpu --minutes 60
    python models/roca-mini/recipe/seq2seq.py --smoke

Source: Raffel et al. 2020, arXiv:1910.10683: stretches of the text are replaced by a mark each; the decoder writes
every mark with what it stood for.
"""

import argparse
import logging
import sys

import loop
import numpy as np
import sidekicks
import torch
import torch.nn.functional as F
from encoder import Encoder
from network import Block, Norm, Shape, rotary_table
from torch import Tensor, nn
from vocabulary import BOS, END_OF_TEXT, RESERVED

logger = logging.getLogger("roca-mini")
MARKS = len(RESERVED)
MEAN_SPAN = 3


class Crossing(nn.Module):
    """Attention from decoder states (batch, to, hidden) to encoder states (batch, from, hidden), added back."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.norm = Norm(shape.hidden, shape.norm_eps)
        self.q = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.kv = nn.Linear(shape.hidden, 2 * shape.hidden, bias=False)
        self.out = nn.Linear(shape.hidden, shape.hidden, bias=False)

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        batch, length, hidden = x.shape
        q = self.q(self.norm(x)).view(batch, length, self.heads, -1).transpose(1, 2)
        k, v = (part.view(batch, source.shape[1], self.heads, -1).transpose(1, 2)
                for part in self.kv(source).chunk(2, dim=-1))  # fmt: skip
        found = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(found.transpose(1, 2).reshape(batch, length, hidden))


class Seq2Seq(nn.Module):
    """Source (batch, from) and beginning of the target (batch, to), int64, to states (batch, to, hidden)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.crossings = nn.ModuleList(Crossing(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.hidden, shape.norm_eps)
        cos, sin = rotary_table(shape, length=shape.context)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2 and not name.startswith("encoder."):
                nn.init.normal_(
                    weight, std=weight.shape[1] ** -0.5 * (0.25 if "out" in name or "down" in name else 1.0)
                )

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        read = self.encoder(source)
        x = self.encoder.embedding(target)
        cos, sin = self.cos[: target.shape[1]], self.sin[: target.shape[1]]
        for block, crossing in zip(self.blocks, self.crossings, strict=True):
            x = block(crossing(x, read), cos, sin)
        return self.norm(x)

    def loss(self, source: Tensor, target: Tensor, wanted: Tensor) -> Tensor:
        """Mean cross-entropy in nats over the positions of `wanted` (batch, to) that are not -100."""
        logits = self(source, target) @ self.encoder.embedding.weight.t()
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten())


def corrupt(
    tokens: np.ndarray, *, marks: list[int], end: int, dice: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Cut up to one span a mark out of a row.

    Args:
        tokens: (length,) ids.
        marks: A token for each span, in order.

    Returns:
        The row with marks for spans, and the marks each with its span, closed by `end`.

    >>> corrupt(np.arange(10, 22), marks=[1, 2], end=0, dice=np.random.default_rng(0))
    ([10, 1, 15, 2, 19, 20, 21], [1, 11, 12, 13, 14, 2, 16, 17, 18, 0])
    """
    part = len(tokens) // len(marks)
    source: list[int] = []
    target: list[int] = []
    for number, mark in enumerate(marks):
        stretch = tokens[number * part : (number + 1) * part if number < len(marks) - 1 else len(tokens)]
        size = int(dice.integers(1, min(2 * MEAN_SPAN, len(stretch) - 1)))
        start = int(dice.integers(0, len(stretch) - size))
        source += [*stretch[:start].tolist(), mark, *stretch[start + size :].tolist()]
        target += [mark, *stretch[start : start + size].tolist()]
    return source, [*target, end]


def padded(rows: list[list[int]], fill: int) -> Tensor:
    """Rows of any length as one table, (batch, longest) int64."""
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = sidekicks.arguments(parser)
    shape, batches, tokenizer = sidekicks.material(chosen)
    torch.manual_seed(chosen.seed)
    network = Seq2Seq(shape)
    marks = [tokenizer.token_to_id(mark) for mark in RESERVED]
    begin, end = tokenizer.token_to_id(BOS), tokenizer.token_to_id(END_OF_TEXT)

    def step(number: int) -> Tensor:
        dice = np.random.default_rng((chosen.seed, number))
        tokens, _ = batches.at(number)
        pairs = [corrupt(row, marks=marks, end=end, dice=dice) for row in tokens.numpy()]
        source = padded([pair[0] for pair in pairs], end)
        target = padded([[begin, *pair[1][:-1]] for pair in pairs], end)
        return network.loss(source, target, padded([pair[1] for pair in pairs], -100))

    losses = sidekicks.train(network, step, chosen, loop.CHECKPOINT.replace("checkpoint", "seq2seq"))
    logger.info("span loss: %.3f at first, %.3f at last", losses[0], losses[-1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
