"""How many tokens a model of a size is worth training on, and what loss to expect.

Source: Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models" (arXiv:2203.15556): about twenty tokens
per parameter (table 3, first approach), and loss as a function of parameters and tokens (equation 2). The constants of
that function are those of Besiroglu et al. 2024 (arXiv:2404.10102), who fitted the same runs again and found that the
published ones contradict the paper's other two approaches. Losses are of that paper's data and tokenizer, in nats per
token: good for comparing plans, not for predicting one's own figure.
"""

from __future__ import annotations

from typing import NamedTuple

TOKENS_PER_PARAMETER = 20.0

_IRREDUCIBLE, _A, _ALPHA, _B, _BETA = 1.8172, 482.01, 0.3478, 2085.43, 0.3658


class Optimum(NamedTuple):
    """The best use of some computing.

    Attributes:
        parameters: Of the model.
        tokens: To train it on.
        loss: Expected, in nats per token.
    """

    parameters: float
    tokens: float
    loss: float


def optimal_tokens(parameters: float) -> float:
    """Tokens at which a model of this size is compute-optimal.

    >>> optimal_tokens(70e9) / 1e12  # Chinchilla: 70 billion parameters, 1.4 trillion tokens
    1.4
    """
    return TOKENS_PER_PARAMETER * parameters


def training_flops(parameters: float, tokens: float) -> float:
    """Floating-point operations of training: six for each parameter and token (attention left out)."""
    return 6.0 * parameters * tokens


def expected_loss(parameters: float, tokens: float) -> float:
    """Loss of a model of this size after so many tokens, none seen twice, in nats per token.

    >>> round(expected_loss(70e9, 1.4e12), 2)
    1.97
    """
    return float(_IRREDUCIBLE + _A / parameters**_ALPHA + _B / tokens**_BETA)


def optimum(flops: float) -> Optimum:
    """The model and its tokens that make the most of so many operations, by `expected_loss`.

    >>> best = optimum(5.76e23)
    >>> f"{best.parameters / 1e9:.0f}b on {best.tokens / 1e12:.1f}t"
    '72b on 1.3t'
    """
    half = flops / 6.0
    share = _BETA / (_ALPHA + _BETA)
    scale = (_ALPHA * _A / (_BETA * _B)) ** (1 / (_ALPHA + _BETA))
    parameters = scale * half**share
    tokens = half / parameters
    return Optimum(parameters, tokens, expected_loss(parameters, tokens))
