"""One generation, token by token, as a plain generator: the child runs several by turns."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    Finish,
    GenerationRequest,
    StopReason,
    TextDelta,
    TokenLogprob,
    Usage,
)
from rocamadre.engines.beams import check_beams
from rocamadre.engines.stops import StopFilter
from rocamadre.engines.torch.beams import Found, search, spell
from rocamadre.engines.torch.holder import Holder
from rocamadre.engines.torch.model import TorchModel
from rocamadre.engines.torch.sampling import Choice, pick

_REPLACEMENT = "\ufffd"


class Pieces:
    """Text of tokens as they come, whole characters only.

    Decoding starts at the last token whose text is out, since some tokenizers spell a token differently at the
    beginning; an unfinished character at the end is held back.

    Args:
        tokenizer: The model's.
        special: Whether control tokens are shown.
    """

    def __init__(self, tokenizer: Any, *, special: bool = False) -> None:
        self._tokenizer = tokenizer
        self._special = special
        self._tokens: list[int] = []
        self._from = 0
        self._to = 0

    def add(self, token: int, *, last: bool = False) -> str:
        """Take a token in; new text comes out."""
        self._tokens.append(token)
        return self._new(last=last)

    def rest(self) -> str:
        """Text that was held back."""
        return self._new(last=True) if self._to < len(self._tokens) else ""

    def _new(self, *, last: bool) -> str:
        shown = self._decode(self._tokens[self._from : self._to])
        whole = self._decode(self._tokens[self._from :])
        if len(whole) <= len(shown) or (whole.endswith(_REPLACEMENT) and not last):
            return ""
        self._from, self._to = self._to, len(self._tokens)
        return whole[len(shown) :]

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=not self._special, clean_up_tokenization_spaces=False
        )
        return text


def generate(
    model: TorchModel, request: GenerationRequest, fields: dict[str, Any], *, grammar: str = ""
) -> Iterator[TextDelta | Finish]:
    """Events of one generation, the last a `Finish`; yields an empty `TextDelta` where a token shows no text yet.

    Args:
        model: A causal or encoder-decoder model.
        request: As it came.
        fields: Its sampling fields by name.
        grammar: Lark, for llguidance; what the answer is held to. Empty leaves it free.

    Raises:
        InvalidRequest: the prompt is empty or too long, or a biased token is not in the vocabulary.
    """
    prompt, tokens = model.render(request)
    _check(model, tokens, request)
    choice = Choice.from_fields(fields)
    room = model.context_length - (len(tokens) if model.kind == "causal" else 0)
    limit = min(request.sampling.max_tokens or room, room)
    if (beams := check_beams(request)) > 1:
        yield from _search(model, request, prompt, tokens, choice, beams=beams, limit=limit)
        return
    generator = torch.Generator()
    generator.manual_seed(random.getrandbits(63) if request.sampling.seed is None else request.sampling.seed)
    stepper = _Stepper(model, tokens)
    if request.echo:
        yield TextDelta(prompt, _prompt_logprobs(model, tokens, stepper.prompt_logits, request.logprobs))
    stop, pieces = StopFilter(request.sampling.stop), Pieces(model.tokenizer, special=bool(grammar))
    holder = Holder(model, grammar) if grammar else None
    generated: list[int] = []
    pending: list[TokenLogprob] = []
    reason: StopReason | None = None
    while reason is None and len(generated) < limit:
        logits = stepper.logits
        held = logits if holder is None else holder.held(logits)
        token = pick(held, choice, prompt=tokens, generated=generated, ends=model.ends, generator=generator)
        generated.append(token)
        if holder is not None:
            holder.take(token)
        if token in model.ends:
            reason = "end_turn"
            break
        if request.logprobs is not None:
            pending.append(_logprob(model, logits, token, request.logprobs))
        text = stop.feed(pieces.add(token))
        if stop.matched is not None:
            reason = "stop_sequence"
            pending = pending[: _count_shown(pending, text)]
        yield TextDelta(text, tuple(pending) if text else ())
        pending = [] if text else pending
        if reason is None and len(generated) < limit:
            stepper.step(token)
    rest = "" if stop.matched is not None else stop.feed(pieces.rest()) + stop.flush()
    if rest:
        yield TextDelta(rest, tuple(pending))
    yield Finish(reason or _cut_by(request, len(generated)), Usage(len(tokens), len(generated)), stop.matched)


def _search(
    model: TorchModel,
    request: GenerationRequest,
    prompt: str,
    tokens: list[int],
    choice: Choice,
    *,
    beams: int,
    limit: int,
) -> Iterator[TextDelta | Finish]:
    """As `generate`, by beam search: all the text comes at the end."""
    found: Found | None = None
    for found in search(model, tokens, choice, beams=beams, limit=limit, stops=request.sampling.stop):
        if found is None:
            yield TextDelta("")
    assert found is not None
    text = spell(model, found.tokens)
    if found.stop is not None:
        text = text[: text.index(found.stop)]
    reason: StopReason = _cut_by(request, len(found.tokens))
    if found.ended:
        reason = "end_turn"
    elif found.stop is not None:
        reason = "stop_sequence"
    yield TextDelta(prompt + text if request.echo else text)
    yield Finish(reason, Usage(len(tokens), len(found.tokens)), found.stop)


def _cut_by(request: GenerationRequest, generated: int) -> StopReason:
    """Why an answer ended that did not end by itself."""
    wanted = request.sampling.max_tokens
    return "max_tokens" if wanted is not None and generated >= wanted else "model_context_window_exceeded"


class _Stepper:
    """The model's state between tokens.

    Attributes:
        logits: For the next token: float32, shape (vocabulary,).
        prompt_logits: For every place of the prompt: shape (tokens, vocabulary); empty for encoder-decoder models.
    """

    def __init__(self, model: TorchModel, tokens: list[int]) -> None:
        self._model = model
        self._fixed: dict[str, Any] = {}
        if model.kind == "encoder-decoder":
            ids = torch.tensor([tokens], device=model.device)
            with torch.inference_mode():
                self._fixed["encoder_outputs"] = model.model.get_encoder()(input_ids=ids)
            self._past: Any = None
            self._forward([int(model.config.decoder_start_token_id or 0)])
            self.prompt_logits = torch.empty(0, 0)
        else:
            self._past = None
            self.prompt_logits = self._forward(tokens)

    def step(self, token: int) -> None:
        """Read one more token."""
        self._forward([token])

    def _forward(self, tokens: list[int]) -> Tensor:
        name = "decoder_input_ids" if self._fixed else "input_ids"
        ids = torch.tensor([tokens], device=self._model.device)
        with torch.inference_mode():
            out = self._model.model(**{name: ids}, **self._fixed, past_key_values=self._past, use_cache=True)
        self._past = out.past_key_values
        logits: Tensor = out.logits[0].float()
        self.logits = logits[-1]
        return logits


def _check(model: TorchModel, tokens: list[int], request: GenerationRequest) -> None:
    if not tokens:
        raise InvalidRequest("the prompt is empty")
    if len(tokens) >= model.context_length:
        raise InvalidRequest(
            f"the prompt has {len(tokens)} tokens; the model reads at most {model.context_length - 1} and needs room "
            "for the answer"
        )
    for token in request.sampling.logit_bias:
        if not 0 <= token < model.config.vocab_size:
            raise InvalidRequest(
                f"logit bias on token {token}; this model's tokens are 0 to {model.config.vocab_size - 1}"
            )
    if request.echo and model.kind != "causal":
        raise InvalidRequest("an encoder-decoder model cannot echo its prompt: it does not generate it")


def _count_shown(pending: list[TokenLogprob], text: str) -> int:
    """How many tokens the text before a stop sequence takes."""
    size, count = len(text.encode()), 0
    while size > 0 and count < len(pending):
        size -= len(pending[count].data)
        count += 1
    return count


def _prompt_logprobs(model: TorchModel, tokens: list[int], logits: Tensor, top: int | None) -> tuple[TokenLogprob, ...]:
    if top is None:
        return ()
    text, data = _spell(model, tokens[0])
    first = TokenLogprob(tokens[0], text, data, None)
    return (first, *(_logprob(model, logits[place], token, top) for place, token in enumerate(tokens[1:])))


def _logprob(model: TorchModel, logits: Tensor, token: int, top: int) -> TokenLogprob:
    """Of the model itself: before biases, penalties and temperature."""
    scores = logits.log_softmax(0)
    best = scores.topk(top) if top else None
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True) if best is not None else ()
    candidates = tuple((*_spell(model, other), score) for other, score in pairs)
    ids = tuple(best.indices.tolist()) if best is not None else ()
    return TokenLogprob(token, *_spell(model, token), float(scores[token]), candidates, ids)


def _spell(model: TorchModel, token: int) -> tuple[str, bytes]:
    text: str = model.tokenizer.decode([token], clean_up_tokenization_spaces=False)
    return text, text.encode()
