"""A model on Amazon Bedrock, or on another server that speaks its wire, through boto3.

`spec.options`: `model` (its id there), `region`, `endpoint_url` (another server than AWS's), `profile` (of the
credentials that boto3 finds; never credentials themselves), `slots` (requests at a time, 64 by default).

Tools, their results, schemas, cache points, media and signed reasoning are passed on in Converse's form. What Converse
has no member for is refused: a raw prompt, log-probabilities, a logit bias, beams, the tool choice `none` in a
conversation with tool calls, and one call at a time with models other than Claude.

Run against another Rocamadre, not against AWS. boto3 blocks, so every call has a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EventStreamError, ReadTimeoutError

from rocamadre.core.errors import (
    InvalidRequest,
    ModelFailure,
    ModelNotReady,
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
    Usage,
)
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.protocol import Embeddings, LoadSpec, Rendered
from rocamadre.engines.remote.common import DEFAULT_SLOTS, ToolCalls, never, option, rerank_by_cosine, unit_vectors
from rocamadre.engines.remote.converse_body import converse_body

T = TypeVar("T")
_ERRORS: dict[str, type[RocamadreError]] = {
    "AccessDeniedException": ModelFailure,
    "ModelNotReadyException": ModelNotReady,
    "ModelTimeoutException": ModelTimeout,
    "ResourceNotFoundException": InvalidRequest,
    "ServiceUnavailableException": Unavailable,
    "ThrottlingException": Throttled,
    "ValidationException": InvalidRequest,
}
_AHEAD = 256


class BedrockRemote:
    """See the module."""

    def __init__(self, spec: LoadSpec, settings: EngineSettings, home: Path) -> None:
        self.slots = int(spec.options.get("slots", DEFAULT_SLOTS))
        self.pid: int | None = None
        self._spec = spec
        self._settings = settings
        self._client: Any = None
        self._threads = ThreadPoolExecutor(self.slots, thread_name_prefix="bedrock")

    @staticmethod
    def memory_bytes(spec: LoadSpec, settings: EngineSettings) -> int:
        """None of ours."""
        return 0

    async def start(self) -> None:
        """Make the client; Bedrock is first spoken to by the first request.

        Raises:
            InvalidRequest: an option is missing or wrong.
        """
        option(self._spec, "model")
        try:
            self._client = await asyncio.to_thread(self._make_client)
        except (BotoCoreError, ValueError) as error:
            raise InvalidRequest(f"{self._spec.model_id}: {error}") from error

    async def stop(self) -> None:
        """Let the threads go; those at work end with their calls."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    async def responds(self) -> bool:
        """Nothing of ours can hang."""
        return True

    async def exited(self) -> str:
        """Never."""
        return await never()

    async def render(self, request: GenerationRequest) -> Rendered:
        """Refused: Bedrock counts tokens but does not tell them."""
        raise InvalidRequest(f"{self._spec.model_id} runs on Amazon Bedrock; ask its own CountTokens")

    async def rerank(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """The cosine of query and text, moved to [0, 1]."""
        return await rerank_by_cosine(self.embed, query, texts)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Embed with InvokeModel in the form of Titan Text Embeddings, a call per text."""
        made = await asyncio.gather(*(self._in_thread(partial(self._embed_one, text)) for text in texts))
        vectors = unit_vectors(one["embedding"] for one in made)
        return Embeddings(vectors, tuple(int(one["inputTextTokenCount"]) for one in made), (False,) * len(texts))

    async def converse(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.converse`."""
        body = converse_body(request, self._spec.options["model"])
        usage, reason, stop_sequence = Usage(), "", None
        calls = ToolCalls(self._spec.model_id)
        async for event in self._events(body):
            for made in _content(event, calls):
                yield made
            if "messageStop" in event:
                reason = event["messageStop"]["stopReason"]
                stop_sequence = (event["messageStop"].get("additionalModelResponseFields") or {}).get("stop_sequence")
            elif "metadata" in event:
                usage = _usage(event["metadata"]["usage"])
        if not reason:
            raise ModelFailure(f"{self._spec.model_id}: Bedrock broke off its answer")
        for made in calls.end(_reason(reason)):
            yield made
        yield Finish(_reason(reason), usage, stop_sequence)

    async def _events(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Events of ConverseStream, read in a thread a little ahead of us; closing ends the reading."""
        stream = await self._in_thread(lambda: self._client.converse_stream(**body)["stream"])
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Any] = asyncio.Queue(_AHEAD)

        def put(item: Any) -> None:
            asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

        def read() -> None:
            try:
                for event in stream:
                    put(event)
                put(None)
            except Exception as error:  # the thread's edge; a stream that we close raises what it likes
                put(self._translated(error))

        reading = loop.run_in_executor(self._threads, read)
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, RocamadreError):
                    raise item
                yield item
        finally:
            stream.close()
            while not reading.done():
                while not queue.empty():
                    queue.get_nowait()
                await asyncio.wait([reading], timeout=0.05)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except (BotoCoreError, ClientError) as error:
            raise self._translated(error) from error

    def _embed_one(self, text: str) -> dict[str, Any]:
        body = msgspec.json.encode({"inputText": text})
        reply = self._client.invoke_model(modelId=self._spec.options["model"], body=body)
        answer: dict[str, Any] = msgspec.json.decode(reply["body"].read())
        return answer

    def _make_client(self) -> Any:
        options = self._spec.options
        session = boto3.Session(profile_name=options.get("profile"), region_name=options.get("region"))
        config = Config(
            connect_timeout=10,
            read_timeout=self._settings.reply_timeout_s,
            max_pool_connections=self.slots,
            retries={"mode": "standard", "total_max_attempts": 2},
        )
        return session.client("bedrock-runtime", endpoint_url=options.get("endpoint_url"), config=config)

    def _translated(self, error: Exception) -> RocamadreError:
        name = self._spec.model_id
        if isinstance(error, ReadTimeoutError | ConnectTimeoutError):
            return ModelTimeout(f"{name}: Bedrock did not answer in time")
        if isinstance(error, ClientError | EventStreamError):
            code = error.response.get("Error", {}).get("Code", "")
            code = code[:1].upper() + code[1:]  # event streams name the member: validationException
            return _ERRORS.get(code, ModelFailure)(f"{name}: Bedrock answered {error}")
        return Unavailable(f"{name}: {error}")


def _reason(given: str) -> StopReason:
    """Bedrock's words are ours; one that we do not know is the end of the turn."""
    known: tuple[StopReason, ...] = get_args(StopReason)
    return next((reason for reason in known if reason == given), "end_turn")


def _content(event: dict[str, Any], calls: ToolCalls) -> list[Event]:
    """What an event of ConverseStream says of the answer's content; of kinds that we do not know, nothing."""
    if "contentBlockDelta" in event:
        return _delta(event["contentBlockDelta"], calls)
    if "contentBlockStop" in event:
        return calls.end_whole()
    started = event.get("contentBlockStart", {})
    if call := started.get("start", {}).get("toolUse"):
        return calls.begin(started["contentBlockIndex"], call["toolUseId"], call["name"])
    return []


def _delta(given: dict[str, Any], calls: ToolCalls) -> list[Event]:
    delta = given["delta"]
    if text := delta.get("text"):
        return [TextDelta(text)]
    if "toolUse" in delta:
        return calls.add(given["contentBlockIndex"], delta["toolUse"]["input"])
    if thought := delta.get("reasoningContent"):
        redacted = thought.get("redactedContent", b"")
        return [ReasoningDelta(thought.get("text", ""), thought.get("signature", ""), redacted)]
    return []


def _usage(usage: dict[str, int]) -> Usage:
    return Usage(
        usage["inputTokens"],
        usage["outputTokens"],
        usage.get("cacheReadInputTokens", 0),
        usage.get("cacheWriteInputTokens", 0),
    )
