"""Beam search: the likeliest sequences are carried on side by side.

As commonly defined (for example Sutskever, Vinyals & Le 2014, arXiv:1409.3215, section 3.2), with the conventions that
make it comparable with Hugging Face's defaults: a finished sequence counts with its mean log-probability per token, its
end mark included; the search ends when there are as many finished sequences as beams and the best open one, by its mean
so far, is no better than the worst of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rocamadre.engines.torch.model import TorchModel
from rocamadre.engines.torch.sampling import Choice, adjusted


class Found(NamedTuple):
    """A finished sequence.

    Attributes:
        score: Mean log-probability per token, in nats.
        tokens: Generated, the end mark included.
        ended: Whether the last of them is an end mark.
        stop: The stop sequence in its text.
    """

    score: float
    tokens: tuple[int, ...]
    ended: bool
    stop: str | None


class _Open(NamedTuple):
    """A sequence that goes on; `total` is its summed log-probability."""

    total: float
    tokens: tuple[int, ...]
    row: int


def search(
    model: TorchModel, prompt: Sequence[int], choice: Choice, *, beams: int, limit: int, stops: Sequence[str]
) -> Iterator[Found | None]:
    """Search, a token at a time.

    Args:
        model: Causal or encoder-decoder.
        prompt: Tokens to go on from.
        choice: Penalties, biases and `min_tokens` act as in sampling; what draws by chance does not.
        beams: How many sequences are carried on, at least 2.
        limit: Most tokens to generate, at least 1.
        stops: A sequence whose text holds one of these is finished.

    Yields:
        None after each token; at last the best sequence.
    """
    state = _State(model, prompt)
    open_: list[_Open] = [_Open(0.0, (), 0)]
    finished: list[Found] = []
    for length in range(1, limit + 1):
        going_on: list[_Open] = []
        ranked = _continuations(state, open_, choice, prompt, beams)
        for place, candidate in enumerate(ranked):
            ended = candidate.tokens[-1] in model.ends
            stop = None if ended else _stop_in(model, candidate.tokens, stops)
            if ended or stop is not None or length == limit:
                if place < beams:
                    finished.append(Found(candidate.total / length, candidate.tokens, ended, stop))
            elif len(going_on) < beams:
                going_on.append(candidate)
        finished = sorted(finished, key=lambda found: -found.score)[:beams]
        yield None
        full = len(finished) == beams
        if not going_on or (full and going_on[0].total / length <= finished[-1].score):
            break
        open_ = going_on
        state.step([each.row for each in open_], [each.tokens[-1] for each in open_])
    yield finished[0]


def _continuations(
    state: _State, open_: Sequence[_Open], choice: Choice, prompt: Sequence[int], beams: int
) -> list[_Open]:
    """The likeliest continuations by one token, best first; enough that as many as there are beams go on."""
    ends = state.model.ends
    rows = []
    for each, logits in zip(open_, state.logits, strict=True):
        scores = adjusted(logits.log_softmax(0), choice, prompt, each.tokens)
        if len(each.tokens) < choice.min_tokens and ends:
            scores[list(ends)] = -torch.inf
        rows.append(scores + each.total)
    scores = torch.stack(rows)
    width = scores.shape[1]
    best = scores.flatten().topk(min(scores.numel(), max(2, 1 + len(ends)) * beams))
    found = []
    for total, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        row, token = divmod(place, width)
        if total > -torch.inf:
            found.append(_Open(total, (*open_[row].tokens, token), row))
    return found


def _stop_in(model: TorchModel, tokens: Sequence[int], stops: Sequence[str]) -> str | None:
    """The stop sequence that comes first in the text of these tokens."""
    if not any(stops):
        return None
    text = spell(model, tokens)
    places = [(text.find(stop), stop) for stop in stops if stop and stop in text]
    return min(places)[1] if places else None


def spell(model: TorchModel, tokens: Sequence[int]) -> str:
    """The text of generated tokens, without marks."""
    text: str = model.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


class _State:
    """The model's state for every open sequence.

    Attributes:
        logits: For the next token: float32, shape (open sequences, vocabulary).
    """

    def __init__(self, model: TorchModel, prompt: Sequence[int]) -> None:
        self.model = model
        self._past: Any = None
        self._encoded: Tensor | None = None
        if model.kind == "encoder-decoder":
            with torch.inference_mode():
                ids = torch.tensor([list(prompt)], device=model.device)
                self._encoded = model.model.get_encoder()(input_ids=ids).last_hidden_state
            prompt = [int(model.config.decoder_start_token_id or 0)]
        self.logits = self._forward([list(prompt)])

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> None:
        """Go on from these rows of the last step, each with one more token."""
        self._past.reorder_cache(torch.tensor(rows, device=self.model.device))
        self.logits = self._forward([[token] for token in tokens])

    def _forward(self, tokens: list[list[int]]) -> Tensor:
        ids = torch.tensor(tokens, device=self.model.device)
        fields: dict[str, Any] = {"input_ids": ids}
        if self._encoded is not None:
            encoded = self._encoded.expand(len(tokens), -1, -1)
            fields = {"decoder_input_ids": ids, "encoder_outputs": (encoded,)}
        with torch.inference_mode():
            out = self.model.model(**fields, past_key_values=self._past, use_cache=True)
        self._past = out.past_key_values
        logits: Tensor = out.logits[:, -1].float()
        return logits
