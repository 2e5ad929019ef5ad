"""One generation: llama.cpp's events to ours.

Two ways. The plain one lets llama.cpp look for stop sequences and passes text on as it comes. The careful one is for
log-probabilities and for a minimum length: it asks for every token's bytes and assembles text and finds stop sequences
here, since llama.cpp reports no token while it holds text back, and cannot forbid the end for the first tokens only.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from rocamadre.core.errors import ModelFailure
from rocamadre.core.messages import (
    Event,
    Finish,
    GenerationRequest,
    StopReason,
    TextDelta,
    TokenLogprob,
    Usage,
)
from rocamadre.engines.llama.transport import Chunk, Picked, Transport
from rocamadre.engines.stops import StopFilter

_CERTAIN = 1e6


@dataclass(frozen=True, slots=True)
class Work:
    """What to generate from.

    Attributes:
        transport: The way to the model.
        tokens: The prompt.
        request: As it came.
        fields: Sampling, as llama.cpp's fields.
        room: Tokens that fit into the context after the prompt.
    """

    transport: Transport
    tokens: Sequence[int]
    request: GenerationRequest
    fields: dict[str, Any]
    room: int

    @property
    def limit(self) -> int:
        """Most tokens to generate."""
        return min(self.request.sampling.max_tokens or self.room, self.room)

    def ended_by_limit(self, generated: int) -> StopReason:
        """Why a generation that did not end by itself ended."""
        wanted = self.request.sampling.max_tokens
        return "max_tokens" if wanted is not None and generated >= wanted else "model_context_window_exceeded"


def generate(work: Work) -> AsyncGenerator[Event, None]:
    """Events of one generation, the last a `Finish`."""
    careful = work.request.logprobs is not None or (work.request.sampling.min_tokens or 0) > 0
    return _careful(work) if careful else _plain(work)


async def _plain(work: Work) -> AsyncGenerator[Event, None]:
    body = {**work.fields, "prompt": work.tokens, "n_predict": work.limit, "stop": work.request.sampling.stop}
    async with aclosing(work.transport.chunks(body)) as stream:
        async for chunks in stream:
            text = chunks[0].content if len(chunks) == 1 else "".join([chunk.content for chunk in chunks])
            if text:
                yield TextDelta(text)
            if chunks[-1].stop:
                yield _finish(work, chunks[-1])
                return
    raise ModelFailure("the generation broke off")


def _finish(work: Work, last: Chunk) -> Finish:
    cached = last.timings.cache_n if last.timings is not None else 0
    usage = Usage(len(work.tokens) - cached, last.tokens_predicted, cached)
    if last.stop_type == "eos":
        return Finish("end_turn", usage)
    if last.stop_type == "word":
        return Finish("stop_sequence", usage, last.stopping_word)
    return Finish(work.ended_by_limit(last.tokens_predicted), usage)


class _Assembly:
    """Text out of tokens' bytes, with the log-probabilities of the tokens that it shows."""

    def __init__(self, request: GenerationRequest) -> None:
        self.stop = StopFilter(request.sampling.stop)
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._top = request.logprobs
        self._pending: list[TokenLogprob] = []

    def add(self, picked: Picked) -> TextDelta | None:
        """Take a token in; text that is certain comes out, with the tokens since the last."""
        data = bytes(picked.bytes)
        if data and self._top is not None:
            self._pending.append(_token(picked, self._top))
        return self._give(self.stop.feed(self._utf8.decode(data)))

    def end(self) -> TextDelta | None:
        """What is left; nothing after a stop sequence."""
        if self.stop.matched is not None:
            return None
        return self._give(self.stop.feed(self._utf8.decode(b"", final=True)) + self.stop.flush())

    def _give(self, text: str) -> TextDelta | None:
        if not text:
            return None
        shown = self._pending
        if self.stop.matched is not None:
            shown = _covering(shown, len(text.encode()))
        self._pending = []
        return TextDelta(text, tuple(shown))


def _covering(tokens: list[TokenLogprob], size_bytes: int) -> list[TokenLogprob]:
    """The first tokens that together hold `size_bytes` bytes."""
    shown: list[TokenLogprob] = []
    for token in tokens:
        if size_bytes <= 0:
            break
        shown.append(token)
        size_bytes -= len(token.data)
    return shown


async def _careful(work: Work) -> AsyncGenerator[Event, None]:
    sampling = work.request.sampling
    assembly = _Assembly(work.request)
    at_least = min(sampling.min_tokens or 0, work.limit)
    legs = [leg for leg in ((at_least, True), (work.limit - at_least, False)) if leg[0] > 0]
    generated: list[int] = []
    cached = 0
    reason: StopReason | None = None
    for leg, (count, without_end) in enumerate(legs):
        body = {
            **work.fields,
            "prompt": [*work.tokens, *generated],
            "n_predict": count,
            "n_probs": max(1, work.request.logprobs or 0),
            "ignore_eos": without_end,
            "seed": work.fields["seed"] if leg == 0 else (work.fields["seed"] * 31 + 7) % 0xFFFFFFFF,
        }
        async with aclosing(work.transport.chunks(body)) as stream:
            async for chunk in _each(stream):
                generated += chunk.tokens
                for picked in chunk.completion_probabilities:
                    if (event := assembly.add(picked)) is not None:
                        yield event
                if chunk.stop and leg == 0:
                    cached = chunk.timings.cache_n if chunk.timings is not None else 0
                if chunk.stop and chunk.stop_type == "eos":
                    reason = "end_turn"
                if assembly.stop.matched is not None:
                    reason = "stop_sequence"
                    break
        if reason is not None:
            break
    if (event := assembly.end()) is not None:
        yield event
    usage = Usage(len(work.tokens) - cached, len(generated), cached)
    yield Finish(reason or work.ended_by_limit(len(generated)), usage, assembly.stop.matched)


async def _each(stream: AsyncGenerator[list[Chunk], None]) -> AsyncGenerator[Chunk, None]:
    async for chunks in stream:
        for chunk in chunks:
            yield chunk


async def prompt_logprobs(
    work: Work, pieces: Sequence[bytes], texts: Sequence[str], *, skip: int
) -> tuple[TokenLogprob, ...]:
    """Log-probabilities of the prompt's own tokens.

    llama.cpp reports them for picked tokens only; so each prompt token is picked in turn, forced by a bias that does
    not count in the log-probability, from the prefix before it. The prefix is in the cache, so each costs one token.

    Args:
        work: The prompt.
        pieces: Bytes of each token.
        texts: Text of each token.
        skip: Tokens at the front that are no text (a begin mark); the first of all has no log-probability.
    """
    top = work.request.logprobs or 0
    found: list[TokenLogprob] = []
    for index in range(skip, len(work.tokens)):
        token = work.tokens[index]
        if index == 0:
            found.append(TokenLogprob(token, texts[0], pieces[0], None))
            continue
        body = {
            **work.fields,
            "prompt": work.tokens[:index],
            "n_predict": 1,
            "n_probs": max(1, top),
            "samplers": ["temperature"],
            "temperature": 0,
            "logit_bias": [[token, _CERTAIN]],
            "stream": False,
        }
        answer = await work.transport.ask("/completion", body)
        entry = answer["completion_probabilities"][0]
        if entry["id"] != token:
            raise ModelFailure(f"token {token} of the prompt could not be scored")
        candidates = tuple(
            (top_one["token"], bytes(top_one["bytes"]), top_one["logprob"]) for top_one in entry["top_logprobs"][:top]
        )
        found.append(TokenLogprob(token, texts[index], pieces[index], entry["logprob"], candidates))
    return tuple(found)


def _token(picked: Picked, top: int) -> TokenLogprob:
    candidates = tuple((other.token, bytes(other.bytes), other.logprob) for other in picked.top_logprobs[:top])
    return TokenLogprob(picked.id, picked.token, bytes(picked.bytes), picked.logprob, candidates)
