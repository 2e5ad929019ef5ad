"""The trainer's model and merged weights, asked in torch; and how much rounding alone moves them.

**What counts as noise.** A served form may differ from the trainer's model by rounding, and by nothing else. How much
rounding moves this model on these prompts is measured, not assumed: the weights of all matrices are rounded to F16 and
so is what enters each of them, as llama.cpp computes with an F16 file, and the log-probabilities are compared with
those of float32 arithmetic. That gives a root mean square d and a largest difference w over the likely tokens. Then:

- A form in F16 may deviate by 3 d. It rounds at other places than the imitation does, so its d is not the same, but it
  is of one size; a detour through bfloat16, with three bits fewer, deviates by eight.
- A form in float32 rounds 8,192 times finer, wherever it sums in another order. It may deviate by d / 64: ample for
  float32, and far from anything that has been rounded on the way, or merged with another scale.
- A greedy answer parts from the trainer's at a tie: two tokens change places when one gains and the other loses what
  lies between them, at most 2 w. Since w is the largest of a sample, twice that is granted: a gap below 4 w is noise.
  After it the two answers have different beginnings and are no longer compared.

Quantised forms are not meant to be equal: their divergence from the trainer's model has a limit instead (`judge.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from rocamadre.datasets.rendered import render_example
from rocamadre.datasets.tokenizer import ModelTokenizer, open_tokenizer
from rocamadre.datasets.types import Prompt, Turn
from rocamadre.training.certificate.measure import Measured
from rocamadre.training.certificate.prompts import TEXTS, Golden
from rocamadre.training.certificate.scores import CANDIDATES, Difference, Scores, difference


class Reference:
    """What the trainer's model does with the golden prompts; made once, then the model may go.

    Args:
        module: The trained model, as the trainer has it: unmerged.
        tokenizer: The trainer's.
        golden: The prompts.
        steps: Tokens of each answer at most.
        context_length: Of the model.

    Attributes:
        steps: Per prompt, as far as the context reaches.
        answers: Per prompt, the mark that ends it included.
        paths: Scores along prompt and answer, per prompt.
    """

    def __init__(
        self, module: nn.Module, tokenizer: ModelTokenizer, golden: Sequence[Golden], *, steps: int, context_length: int
    ) -> None:
        self.tokenizer = tokenizer
        self.golden = golden
        # One place is left over: an engine that is asked about a whole path wants to write a token after it.
        self.steps = [min(steps, context_length - len(prompt.ids) - 1) for prompt in golden]
        self.answers: list[tuple[int, ...]] = []
        self.paths: list[Scores] = []
        for prompt, most in zip(golden, self.steps, strict=True):
            answer = greedy(module, prompt.ids, most, tokenizer.ends)
            self.answers.append(answer)
            self.paths.append(scores_of(module, (*prompt.ids, *answer)))

    def noise(self, module: nn.Module) -> Difference:
        """How far rounding to F16 moves the paths' scores; `module` is rounded and no longer good for anything else.

        Args:
            module: The trained model or the merged one.
        """
        plain = [scores_of(module, path.ids) for path in self.paths]
        round_to_f16(module)
        return difference((before, scores_of(module, before.ids)) for before in plain)


def read(text: str, tokenizer: ModelTokenizer) -> tuple[int, ...]:
    """A raw prompt's tokens, as an engine reads it."""
    begin = (tokenizer.bos,) if tokenizer.begins and tokenizer.bos is not None else ()
    return (*begin, *tokenizer.encode(text))


def measure_module(module: nn.Module, folder: Path, into: Measured, reference: Reference) -> Measured:
    """Merged weights, with the tokenizer and template that lie beside them."""
    tokenizer = open_tokenizer(folder)
    for prompt, path in zip(reference.golden, reference.paths, strict=True):
        text, ids = _render(prompt, tokenizer)
        into.texts.append(text)
        into.ids.append(ids)
        into.paths.append(scores_of(module, path.ids))
    into.plain = [read(text, tokenizer) for text in TEXTS]
    into.end = tokenizer.eos
    into.stops = {reference.tokenizer.eos, reference.tokenizer.document_end} <= tokenizer.ends
    return into


def greedy(module: nn.Module, prompt: Sequence[int], steps: int, ends: Collection[int]) -> tuple[int, ...]:
    """The likeliest answer, the mark that ends it included.

    It is drafted with a cache and then read in one pass without: only what that pass confirms counts.
    """
    answer: tuple[int, ...] = ()
    while len(answer) < steps and not (answer and answer[-1] in ends):
        draft = _draft(module, (*prompt, *answer), steps - len(answer), ends)
        start = len(prompt) + len(answer) - 1
        chosen = scores_of(module, (*prompt, *answer, *draft), candidates=1).top_ids[start:, 0].tolist()
        for drafted, token in zip(draft, chosen, strict=True):
            answer = (*answer, token)
            if token != drafted or token in ends:
                break
    return answer


def scores_of(module: nn.Module, ids: Sequence[int], *, candidates: int = CANDIDATES) -> Scores:
    """The next tokens' probabilities at every place but the last, in one pass."""
    device = next(module.parameters()).device
    with torch.inference_mode():
        logits = module(input_ids=torch.tensor([list(ids)], device=device), use_cache=False).logits[0, :-1].float()
        best = logits.log_softmax(-1).topk(min(candidates, logits.shape[-1]), dim=-1)
    return Scores(tuple(ids), best.indices.cpu().numpy(), best.values.cpu().numpy().astype(np.float64))


def _draft(module: nn.Module, ids: Sequence[int], steps: int, ends: Collection[int]) -> list[int]:
    device = next(module.parameters()).device
    draft: list[int] = []
    given, past = list(ids), None
    while len(draft) < steps and not (draft and draft[-1] in ends):
        with torch.inference_mode():
            out = module(input_ids=torch.tensor([given], device=device), past_key_values=past, use_cache=True)
        past = out.past_key_values
        draft.append(int(out.logits[0, -1].argmax()))
        given = draft[-1:]
    return draft


def round_to_f16(module: nn.Module) -> None:
    """Let a model compute as with an F16 file: every matrix rounded, and what enters it."""

    def rounded(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0].half().float(), *args[1:])

    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding | Conv1D) and part.weight.is_floating_point():
            part.weight.data = part.weight.data.half().float()
            if not isinstance(part, nn.Embedding):
                part.register_forward_pre_hook(rounded)


def _render(prompt: Golden, tokenizer: ModelTokenizer) -> tuple[str, tuple[int, ...]]:
    """A golden prompt with another tokenizer and template."""
    if prompt.request.prompt is not None:
        return prompt.request.prompt, read(prompt.request.prompt, tokenizer)
    if tokenizer.template is None:
        return "", ()
    turns = [Turn("system", prompt.request.system)] if prompt.request.system else []
    for message in prompt.request.messages:
        turns.append(Turn(message.role, "".join(getattr(block, "text", "") for block in message.content)))
    example = Prompt(tuple(turns))
    ids = render_example(example, tokenizer, tokenizer.template).ids
    return tokenizer.template.render(turns, to_answer=True), tuple(ids)
