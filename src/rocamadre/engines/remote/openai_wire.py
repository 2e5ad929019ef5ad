"""A model behind an OpenAI-compatible server.

`spec.options`: `base_url` (ends in `/v1` with most servers), `model` (its name there), `api_key_env` (the environment
variable that holds the key, if one is needed), `slots` (requests at a time, 64 by default).

Tools, their results, schemas, images and sounds are passed on. Cache points are left out: these servers remember
prompts by themselves and say what they took from there. So is reasoning of earlier turns, for which the wire has no
common member; what the server thinks now is read from `reasoning_content` or `reasoning`.

What such servers do not tell is not made up: which stop sequence ended an answer (unless they say so, as vLLM and
Rocamadre do; else it is reported as the end of the turn), and how many tokens each text of a batch has (the batch's
total is put on its first text).
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from rocamadre.core.errors import (
    InvalidRequest,
    ModelFailure,
    ModelTimeout,
    RocamadreError,
    Throttled,
    Unavailable,
)
from rocamadre.core.messages import (
    Event,
    Finish,
    GenerationRequest,
    ReasoningDelta,
    StopReason,
    TextDelta,
    TokenLogprob,
    Usage,
)
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.protocol import Embeddings, LoadSpec, Rendered
from rocamadre.engines.remote.chat_body import chat_body
from rocamadre.engines.remote.common import DEFAULT_SLOTS, ToolCalls, never, option, rerank_by_cosine, unit_vectors

_REASONS: dict[str, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "content_filtered",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
}
_LONGEST_LINE = 16 << 20


class _Candidate(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class _Scored(_Candidate):
    top_logprobs: list[_Candidate] = []


class _Logprobs(msgspec.Struct):
    content: list[_Scored] | None = None


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str = ""
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: _Logprobs | None = None


class _Cached(msgspec.Struct):
    cached_tokens: int | None = 0


class _Counts(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Cached | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Counts | None = None
    error: Any = None


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: _Counts | None = None


class OpenAIRemote:
    """See the module."""

    def __init__(self, spec: LoadSpec, settings: EngineSettings, home: Path) -> None:
        self.slots = int(spec.options.get("slots", DEFAULT_SLOTS))
        self.pid: int | None = None
        self._spec = spec
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    @staticmethod
    def memory_bytes(spec: LoadSpec, settings: EngineSettings) -> int:
        """None of ours."""
        return 0

    async def start(self) -> None:
        """Check the options; the server is first spoken to by the first request.

        Raises:
            InvalidRequest: an option is missing, or the environment variable of the key is not set.
        """
        option(self._spec, "model")
        headers = {}
        if variable := self._spec.options.get("api_key_env"):
            if not (key := os.environ.get(variable)):
                raise InvalidRequest(f"{self._spec.model_id}: the environment variable {variable} is not set")
            headers["Authorization"] = f"Bearer {key}"
        self._session = aiohttp.ClientSession(
            option(self._spec, "base_url").rstrip("/") + "/",
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, connect=10, sock_read=self._settings.reply_timeout_s),
        )

    async def stop(self) -> None:
        """Drop all connections."""
        if self._session is not None:
            await self._session.close()

    async def responds(self) -> bool:
        """Nothing of ours can hang."""
        return True

    async def exited(self) -> str:
        """Never."""
        return await never()

    async def render(self, request: GenerationRequest) -> Rendered:
        """Refused: these servers have no common way to count tokens."""
        raise InvalidRequest(f"{self._spec.model_id} runs on another server, which counts tokens only when it answers")

    async def rerank(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """The cosine of query and text, moved to [0, 1]."""
        return await rerank_by_cosine(self.embed, query, texts)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Embed; vectors are brought to unit length."""
        if not texts:
            return Embeddings((), (), ())
        body = {"model": self._spec.options["model"], "input": list(texts), "encoding_format": "float"}
        async with self._reply("embeddings", body) as reply:
            answer = msgspec.json.decode(await reply.read(), type=_Vectors)
        vectors = unit_vectors(one.embedding for one in sorted(answer.data, key=lambda one: one.index))
        total = answer.usage.prompt_tokens if answer.usage is not None else 0
        counts = (total, *(0 for _ in texts[1:]))
        return Embeddings(vectors, counts, (False,) * len(texts))

    async def converse(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.converse`."""
        chat = request.prompt is None
        body = chat_body(request, self._spec.options["model"])
        calls = ToolCalls(self._spec.model_id)
        usage = Usage()
        reason: StopReason | None = None
        stop_sequence: str | None = None
        async with self._reply("chat/completions" if chat else "completions", body) as reply:
            async for chunk in self._chunks(reply):
                if chunk.usage is not None:
                    usage = _usage(chunk.usage)
                for choice in chunk.choices:
                    for event in _events(choice, request, calls):
                        yield event
                    if choice.finish_reason is not None:
                        reason, stop_sequence = _reason(choice, request, calls)
        if reason is None:
            raise ModelFailure(f"{self._spec.model_id}: the server broke off its answer")
        for event in calls.end(reason):
            yield event
        yield Finish(reason, usage, stop_sequence)

    async def _chunks(self, reply: aiohttp.ClientResponse) -> AsyncGenerator[_Chunk, None]:
        rest = b""
        while data := await reply.content.readany():
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                raise ModelFailure(f"{self._spec.model_id}: the server sent a line of over {_LONGEST_LINE} bytes")
            for line in lines:
                if line.startswith(b"data:") and (event := line[5:].strip()) != b"[DONE]":
                    chunk = msgspec.json.decode(event, type=_Chunk)
                    if chunk.error is not None:
                        raise ModelFailure(f"{self._spec.model_id}: the server failed: {_sentence(chunk.error)}")
                    yield chunk

    @asynccontextmanager
    async def _reply(self, path: str, body: Any) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        assert self._session is not None
        name = self._spec.model_id
        try:
            async with self._session.post(path, json=body) as reply:
                if reply.status != 200:
                    raise await _refusal(name, reply)
                yield reply
        except (aiohttp.ServerTimeoutError, TimeoutError) as error:
            raise ModelTimeout(f"{name}: the server did not answer in time") from error
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(
                f"{name}: no connection to {self._spec.options['base_url']} ({error.os_error})"
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ModelFailure(f"{name}: the server broke off its answer") from error
        except msgspec.MsgspecError as error:
            raise ModelFailure(f"{name}: the server's answer is not of the expected form: {error}") from error


def _events(choice: _Choice, request: GenerationRequest, calls: ToolCalls) -> list[Event]:
    """What a chunk says of the answer's content."""
    delta = choice.delta
    if delta is None:
        return [TextDelta(choice.text)] if choice.text else []
    events: list[Event] = []
    if thought := delta.reasoning_content or delta.reasoning:
        events.append(ReasoningDelta(thought))
    if text := delta.content or delta.refusal:
        events += [*calls.end(), TextDelta(text, _logprobs(choice, request))]
    for order, call in enumerate(delta.tool_calls or ()):
        events += _call(call, order, calls)
    return events


def _call(call: _Call, order: int, calls: ToolCalls) -> list[Event]:
    """A piece of a tool call; the first one names the tool, and some servers send the whole in it."""
    place, id_ = order if call.index is None else call.index, call.id or ""
    function = call.function or _Function()
    begun = calls.begin(place, id_, function.name) if function.name and not calls.is_open(place, id_) else []
    return [*begun, *calls.add(place, function.arguments or "")]


def _reason(choice: _Choice, request: GenerationRequest, calls: ToolCalls) -> tuple[StopReason, str | None]:
    """Why the answer ended, and the stop sequence that did it."""
    if isinstance(choice.stop_reason, str) and choice.stop_reason in request.sampling.stop:
        return "stop_sequence", choice.stop_reason
    if choice.delta is not None and choice.delta.refusal:
        return "content_filtered", None
    reason = _REASONS.get(choice.finish_reason or "", "end_turn")
    # Some servers say `stop` after tool calls.
    return ("tool_use" if calls.any and reason == "end_turn" else reason), None


def _usage(counts: _Counts) -> Usage:
    details = counts.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details is not None else 0
    return Usage(counts.prompt_tokens - cached, counts.completion_tokens, cached)


def _logprobs(choice: _Choice, request: GenerationRequest) -> tuple[TokenLogprob, ...]:
    if request.logprobs is None or choice.logprobs is None:
        return ()
    return tuple(
        TokenLogprob(
            -1, one.token, _bytes(one), one.logprob, tuple((c.token, _bytes(c), c.logprob) for c in one.top_logprobs)
        )
        for one in choice.logprobs.content or ()
    )


def _bytes(candidate: _Candidate) -> bytes:
    return candidate.token.encode() if candidate.bytes is None else bytes(candidate.bytes)


async def _refusal(name: str, reply: aiohttp.ClientResponse) -> RocamadreError:
    data = await reply.content.read(10_000)
    try:
        sentence = _sentence(msgspec.json.decode(data).get("error"))
    except (msgspec.DecodeError, AttributeError):
        sentence = data.decode(errors="replace")[:200]
    message = f"{name}: the server answered {reply.status}: {sentence}"
    if reply.status == 429:
        wait = reply.headers.get("Retry-After", "")
        return Throttled(message, retry_after_s=float(wait) if wait.replace(".", "", 1).isdigit() else 1.0)
    if reply.status in (400, 404, 413, 422):
        return InvalidRequest(message)
    if reply.status in (408, 504):
        return ModelTimeout(message)
    if reply.status == 503:
        return Unavailable(message)
    return ModelFailure(message)


def _sentence(error: Any) -> str:
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
