"""Holding a generation to a grammar: the logits of tokens that may not come next are set to minus infinity."""

from __future__ import annotations

import numpy as np
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from torch import Tensor

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.torch.model import TorchModel


class Holder:
    """One generation's place in its grammar.

    Args:
        model: Whose tokens they are.
        grammar: Lark, for llguidance.

    Raises:
        InvalidRequest: the grammar does not fit the model's tokenizer.
    """

    def __init__(self, model: TorchModel, grammar: str) -> None:
        if model.grammar_tokenizer is None:
            model.grammar_tokenizer = from_tokenizer(model.tokenizer, n_vocab=model.config.vocab_size)
        self._matcher = LLMatcher(model.grammar_tokenizer, LLMatcher.grammar_from_lark(grammar))
        self._ends = list(model.ends)
        if self._matcher.is_error():
            raise InvalidRequest("the grammar of this request does not fit the model's tokenizer")

    def held(self, logits: Tensor) -> Tensor:
        """The logits with only what may come next: float32, shape (vocabulary,)."""
        if self._matcher.is_stopped():
            allowed = torch.zeros_like(logits, dtype=torch.bool)
        else:
            bits = np.unpackbits(np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8), bitorder="little")
            allowed = torch.from_numpy(bits[: logits.numel()].astype(bool)).to(logits.device)
        if self._ends and (self._matcher.is_stopped() or self._matcher.is_accepting()):
            allowed[self._ends] = True
        return logits.masked_fill(~allowed, -torch.inf)

    def take(self, token: int) -> None:
        """Go on with the token that was picked."""
        if not self._matcher.is_stopped() and token not in self._ends:
            self._matcher.consume_token(token)
