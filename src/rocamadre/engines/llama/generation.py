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

import msgspec

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
from rocamadre.engines.llama.picks import Scores, group_tokens
from rocamadre.engines.llama.transport import Chunk, Picked, Transport
from rocamadre.engines.stops import StopFilter


@dataclass(frozen=True, slots=True)
class Work:
    """What to generate from.

    Attributes:
        transport: The way to the model.
        tokens: The prompt.
        request: As it came.
        fields: Sampling, as llama.cpp's fields.
        room: Tokens that fit into the context after the prompt.
        scores: For tokens that llama.cpp does not report by itself.
        point: Tokens of the prompt before its last cache point; 0 where there is none.
    """

    transport: Transport
    tokens: Sequence[int]
    request: GenerationRequest
    fields: dict[str, Any]
    room: int
    scores: Scores
    point: int = 0

    def usage(self, written: int, cached: int) -> Usage:
        """What was read and written. With a cache point the cache counts up to there, and what of that had to be read
        is what was written to it.
        """
        if not self.point:
            return Usage(len(self.tokens) - cached, written, cached)
        taken = min(cached, self.point)
        return Usage(len(self.tokens) - self.point, written, taken, self.point - taken)

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
    usage = work.usage(last.tokens_predicted, cached)
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
            self._pending.append(token_logprob(picked, self._top))
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
    run = _Run(work)
    if work.request.sampling.min_tokens:
        async for event in run.until_minimum():
            yield event
    if run.reason is None and run.done < work.limit:
        async with aclosing(run.until_end()) as events:
            async for event in events:
                yield event
    if (rest := run.assembly.end()) is not None:
        yield rest
    yield run.finish()


class _Run:
    """A careful generation under way.

    Attributes:
        ids: Prompt and answer so far.
        done: Tokens of the answer so far.
        reason: Why it ended; None while it has not, or when the limit ended it.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.assembly = _Assembly(work.request)
        self.ids = list(work.tokens)
        self.done = 0
        self.reason: StopReason | None = None
        self._cached = 0

    async def until_minimum(self) -> AsyncGenerator[TextDelta, None]:
        """Generate the tokens before which the model may not end."""
        leg = await _first_leg(self.work, min(self.work.request.sampling.min_tokens or 0, self.work.limit))
        self._cached = leg.timings.cache_n if leg.timings is not None else 0
        for tokens, picked in group_tokens(leg):
            async for event in self._add(tokens, picked):
                yield event
            self.done += len(tokens)
        for token in leg.tokens[self.done :]:
            self.ids = [*self.work.tokens, *leg.tokens[: self.done]]
            picked = await self.work.scores.of_token(self.ids, token, self.work.request.logprobs or 0)
            async for event in self._add(1, picked):
                yield event
            self.done += 1
        self.ids = [*self.work.tokens, *leg.tokens]

    async def until_end(self) -> AsyncGenerator[TextDelta, None]:
        """Generate until the model ends, a stop sequence comes, or the limit is reached."""
        before = self.done
        body = {
            **self.work.fields,
            "prompt": list(self.ids),
            "n_predict": self.work.limit - before,
            "n_probs": max(1, self.work.request.logprobs or 0),
            "seed": self.work.fields["seed"] if not before else (self.work.fields["seed"] * 31 + 7) % 0xFFFFFFFF,
        }
        async with aclosing(self.work.transport.chunks(body)) as stream:
            async for chunks in stream:
                for chunk in chunks:
                    new = before + chunk.tokens_predicted - self.done
                    self.done += max(0, new)
                    for picked in chunk.completion_probabilities:
                        async for event in self._add(new, picked):
                            yield event
                    if chunk.stop:
                        self._end(chunk, first=not before)
                    if self.reason is not None:
                        return

    def finish(self) -> Finish:
        """The last event."""
        usage = self.work.usage(self.done, self._cached)
        return Finish(self.reason or self.work.ended_by_limit(self.done), usage, self.assembly.stop.matched)

    def _end(self, last: Chunk, *, first: bool) -> None:
        if first and last.timings is not None:
            self._cached = last.timings.cache_n
        if last.stop_type == "eos":
            self.reason = "end_turn"

    async def _add(self, tokens: int | list[int], picked: Picked) -> AsyncGenerator[TextDelta, None]:
        """Take in what llama.cpp reports as one pick, which may stand for several tokens."""
        count = tokens if isinstance(tokens, int) else len(tokens)
        picks = [picked]
        if count > 1 and self.work.request.logprobs is not None:
            known = tokens if isinstance(tokens, list) else None
            picks = await self.work.scores.split(self.ids, picked, count, known)
        for each in picks:
            self.ids.append(each.id)
            if self.assembly.stop.matched is None and (event := self.assembly.add(each)) is not None:
                yield event
        if self.assembly.stop.matched is not None:
            self.reason = "stop_sequence"


async def _first_leg(work: Work, count: int) -> Chunk:
    """The tokens before which the model may not end; in one piece, since only so llama.cpp tells all their ids."""
    body = {
        **work.fields,
        "prompt": work.tokens,
        "n_predict": count,
        "n_probs": max(1, work.request.logprobs or 0),
        "ignore_eos": True,
        "return_tokens": True,
        "stream": False,
    }
    answer = await work.transport.ask("/completion", body, timeout_s=work.transport.reply_timeout_s)
    return msgspec.convert(answer, Chunk)


def token_logprob(picked: Picked, top: int) -> TokenLogprob:
    """Our form of a pick, with its `top` likeliest candidates."""
    candidates = tuple((other.token, bytes(other.bytes), other.logprob) for other in picked.top_logprobs[:top])
    ids = tuple(other.id for other in picked.top_logprobs[:top])
    return TokenLogprob(picked.id, picked.token, bytes(picked.bytes), picked.logprob, candidates, ids)
