"""A small encoder trained by masked words, on the shards of roca-mini. A recipe to learn from: no weights ship.

    python models/roca-mini/recipe/encoder.py --work build/roca-mini/cpu --minutes 60
    python models/roca-mini/recipe/encoder.py --smoke

The network is roca-mini's with attention to both sides. Source: Devlin et al. 2019, arXiv:1810.04805, without the
next-sentence task (Liu et al. 2019, arXiv:1907.11692).
"""

import argparse
import logging
import sys

import loop
import sidekicks
import torch
import torch.nn.functional as F
from network import Network, Shape
from torch import Tensor
from vocabulary import RESERVED

logger = logging.getLogger("roca-mini")
HIDDEN_MARK = RESERVED[0]
SHARE = 0.15


class Encoder(Network):
    """Tokens (batch, length) int64 to states (batch, length, hidden); every position sees all others."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        for block in self.blocks:
            block.causal = False


def hide(tokens: Tensor, *, mark: int, first_word: int, words: int, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide a share of the tokens: 80 % by the mark, 10 % by another token, 10 % not at all.

    Args:
        tokens: (batch, length) int64.
        mark: The token that stands for a hidden one.
        first_word: Ids below it are marks and are never hidden.
        words: Size of the vocabulary.

    Returns:
        Inputs, and targets that are -100 where nothing is to be said; both (batch, length).
    """
    chance = torch.rand(tokens.shape, generator=dice)
    chosen = (chance < SHARE) & (tokens >= first_word)
    inputs = torch.where(chosen & (chance < 0.8 * SHARE), torch.full_like(tokens, mark), tokens)
    other = torch.randint(first_word, words, tokens.shape, generator=dice)
    inputs = torch.where(chosen & (chance >= 0.9 * SHARE), other, inputs)
    return inputs, tokens.masked_fill(~chosen, -100)


def masked_loss(encoder: Encoder, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats over the hidden positions."""
    kept = (targets.flatten() >= 0).nonzero().squeeze(1)
    states = encoder(inputs).flatten(0, 1)[kept]
    return F.cross_entropy(states @ encoder.embedding.weight.t(), targets.flatten()[kept])


def mean_states(encoder: Encoder, tokens: Tensor) -> Tensor:
    """One vector a text, (batch, hidden): the mean of its states."""
    return encoder(tokens).mean(dim=1)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = sidekicks.arguments(parser)
    shape, batches, tokenizer = sidekicks.material(chosen)
    torch.manual_seed(chosen.seed)
    encoder, dice = Encoder(shape), torch.Generator().manual_seed(chosen.seed)
    mark, first_word = tokenizer.token_to_id(HIDDEN_MARK), tokenizer.token_to_id(RESERVED[-1]) + 1

    def step(number: int) -> Tensor:
        dice.manual_seed(number)
        tokens, _ = batches.at(number)
        return masked_loss(encoder, *hide(tokens, mark=mark, first_word=first_word, words=shape.vocabulary, dice=dice))

    losses = sidekicks.train(encoder, step, chosen, loop.CHECKPOINT.replace("checkpoint", "encoder"))
    logger.info("masked-word loss: %.3f at first, %.3f at last", losses[0], losses[-1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
