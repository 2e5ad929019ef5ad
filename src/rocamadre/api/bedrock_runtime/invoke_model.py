"""InvokeModel and InvokeModelWithResponseStream: each family's own body, through its profile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Annotated, Any
from uuid import uuid4

import msgspec

from rocamadre.api.bedrock_runtime.blocks import Json
from rocamadre.api.bedrock_runtime.native_guards import NONE, NativeGuard, read_guard
from rocamadre.api.handlers import handles
from rocamadre.api.inference.counting import count_ahead
from rocamadre.api.inference.embedding import embed
from rocamadre.api.inference.generation import Generation, Stream, begin, resolve_model, whole_input
from rocamadre.api.inference.reranking import rerank
from rocamadre.api.inference.tiers import LATENCY, SERVED_AS, settle_service
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, ModelFailure
from rocamadre.core.messages import Event, Finish, GenerationRequest, Usage
from rocamadre.engines.profiles.registry import find_profile
from rocamadre.engines.profiles.types import (
    AnswerFacts,
    Chunk,
    ChunkWriter,
    EmbeddingProfile,
    Profile,
    TextProfile,
)

_LARGE_BYTES = 100_000
_FILES = frozenset(("document", "toolResult", "tool_result"))
_JSON = "application/json"
_NAMED = r"\A[a-zA-Z0-9\s:_@$#=/+,\-.]{%d,256}\Z"
_METADATA = Annotated[
    dict[
        Annotated[str, msgspec.Meta(pattern=_NAMED % 1)],
        Annotated[str, msgspec.Meta(pattern=_NAMED % 0)],
    ],
    msgspec.Meta(min_length=1, max_length=16),
]
_METRICS = "amazon-bedrock-invocationMetrics"
_LATENCY_HEADER = "x-amzn-bedrock-invocation-latency"
_MISSING = (
    "guardrailIdentifier: refused for models that write no text",
    "performanceConfigLatency: optimized is served as standard, as the answer says",
    "serviceTier: reserved is served as default, as the answer says",
    "body: families of docs/invoke-model.md; text only where the local model reads text only; log-probabilities, logit "
    "bias, several answers to one request, citations, media in S3 and reasoning settings are refused",
)


@handles("bedrock-runtime", "InvokeModel", missing=_MISSING)
async def invoke_model(ctx: Context, request: Json) -> Json:
    """One call in the body format of the model's family."""
    _check_headers(ctx, request)
    resolved = resolve_model(ctx, request["modelId"])
    data = request.get("body") or b""
    body, guard = _read_guard(request, read_json(data), stream=False)
    answered = await invoke(ctx, resolved, body, guard=guard, size_bytes=len(data))
    return {"body": msgspec.json.encode(answered), "contentType": _JSON, **_echoed(request)}


async def invoke(
    ctx: Context, resolved: Resolved, body: Any, *, guard: NativeGuard = NONE, size_bytes: int | None = None
) -> Json:
    """The answer to one body in the format of the model's family; what it cost is said in `ctx.reply_headers`.

    Args:
        ctx: Whose call it is.
        resolved: The model, as `resolve_model` found it.
        body: Parsed JSON of any kind.
        guard: What is asked of guardrails.
        size_bytes: Its length as text, if known; large bodies are read in a thread.

    Raises:
        RocamadreError: as InvokeModel does.
    """
    profile = choose_profile(resolved, body)
    if isinstance(profile, TextProfile):
        asked_for = guard.mark(await _read(profile, body, size_bytes))
        generation = await begin(ctx, resolved, asked_for, guard.wish)
        answer, latency_ms = await generation.collect()
        answer = replace(answer, finish=whole_input(answer.finish, generation.request))
        _count_headers(ctx, answer.finish.usage, latency_ms)
        return {**profile.write(answer, _facts(ctx, resolved, body)), **guard.outcome(generation)}
    if guard.wish.identifier:
        raise InvalidRequest(f"guardrails are for models that write text; {resolved.model.id} writes none")
    started = ctx.platform.clock.monotonic()
    if isinstance(profile, EmbeddingProfile):
        wanted = profile.read(body)
        vectors = await embed(ctx, resolved, wanted, answer_id=uuid4().hex)
        usage = Usage(sum(vectors.token_counts))
        _count_headers(ctx, usage, _since_ms(ctx, started), written=False)
        return profile.write(wanted, vectors)
    asked = profile.read(body)
    ranked = await rerank(ctx, resolved, asked.query, asked.texts)
    ctx.reply_headers[_LATENCY_HEADER] = str(_since_ms(ctx, started))
    return profile.write(ranked[: asked.top_n])


@handles("bedrock-runtime", "InvokeModelWithResponseStream", missing=_MISSING)
async def invoke_model_with_response_stream(ctx: Context, request: Json) -> Json:
    """One call in the body format of the model's family, answered in chunks."""
    _check_headers(ctx, request)
    resolved = resolve_model(ctx, request["modelId"])
    body, guard = _read_guard(request, read_json(request.get("body") or b""), stream=True)
    profile = choose_profile(resolved, body)
    if not isinstance(profile, TextProfile) or not profile.streams:
        what = f"{profile.name} does not stream" if isinstance(profile, TextProfile) else "it writes no text"
        raise InvalidRequest(f"The model is unsupported for streaming: {what}; use InvokeModel")
    asked = guard.mark(await _read(profile, body, len(request["body"])))
    counted = await count_ahead(ctx, resolved, asked) if profile.counts_first else 0
    generation = await begin(ctx, resolved, asked, guard.wish)
    if generation.guard is not None and generation.guard.blocked:
        counted = 0  # No model reads it.
    events = _chunks(generation, profile, _facts(ctx, resolved, body, counted), guard)
    return {"body": Stream(events, generation.close), "contentType": _JSON, **_echoed(request)}


def read_profile(resolved: Resolved, data: bytes) -> tuple[Profile, Any]:
    """The body format of a model's family, and the parsed body.

    Raises:
        InvalidRequest: the body is no JSON.
        NotBuilt: there is no such format yet.
    """
    body = read_json(data)
    return choose_profile(resolved, body), body


def read_json(data: bytes) -> Any:
    """A body.

    Raises:
        InvalidRequest: it is no JSON.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest("Malformed input request, please reformat your input and try again.") from error


def choose_profile(resolved: Resolved, body: Any) -> Profile:
    """The body format of a model's family.

    Raises:
        NotBuilt: there is no such format yet.
    """
    return find_profile(resolved.base_id, embeds=resolved.model.reranks, aliased=resolved.aliased, body=body)


def _read_guard(request: Json, body: Any, *, stream: bool) -> tuple[Any, NativeGuard]:
    identifier, version = request.get("guardrailIdentifier") or "", request.get("guardrailVersion") or ""
    return read_guard(body, identifier, version, request.get("trace") or "", stream=stream)


async def _read(profile: TextProfile, body: Any, size_bytes: int | None) -> GenerationRequest:
    """The generation asked for; a body that is large or holds documents is read in a thread."""
    if size_bytes is None or size_bytes > _LARGE_BYTES or _holds_documents(body):
        return await asyncio.to_thread(profile.read, body)
    return profile.read(body)


def _holds_documents(body: Any) -> bool:
    """Whether a body of messages may have a document in one, which takes a while to read."""
    messages = body.get("messages") if isinstance(body, dict) else None
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and (block.keys() & _FILES or str(block.get("type")) in _FILES):
                return True
    return False


def _since_ms(ctx: Context, started: float) -> int:
    return round((ctx.platform.clock.monotonic() - started) * 1000)


async def _chunks(
    generation: Generation, profile: TextProfile, facts: AnswerFacts, guard: NativeGuard
) -> AsyncGenerator[Json, None]:
    write, encode = profile.chunks(facts), msgspec.json.encode
    event: Event | None = generation.first
    assert event is not None
    for chunk in write(event) if type(event) is not Finish else _last(generation, write, event, guard):
        yield {"chunk": {"bytes": encode(chunk)}}
    async for event in generation.rest:
        for chunk in write(event) if type(event) is not Finish else _last(generation, write, event, guard):
            yield {"chunk": {"bytes": encode(chunk)}}
    if type(event) is not Finish:
        raise ModelFailure("the model's answer broke off")


def _last(generation: Generation, write: ChunkWriter, finish: Finish, guard: NativeGuard) -> list[Chunk]:
    """The chunks of the end, the last of those that are objects with the invocation's metrics and guardrails."""
    latency_ms = generation.finish(finish.usage)
    finish = whole_input(finish, generation.request)
    chunks = list(write(finish))
    metrics = {
        "inputTokenCount": finish.usage.input_tokens,
        "outputTokenCount": finish.usage.output_tokens,
        "invocationLatency": latency_ms,
        "firstByteLatency": round(generation.first_after_s * 1000),
    }
    place = max(index for index, chunk in enumerate(chunks) if isinstance(chunk, dict))
    chunks[place] = {**chunks[place], **guard.outcome(generation), _METRICS: metrics}  # type: ignore[dict-item]
    return chunks


def _check_headers(ctx: Context, request: Json) -> None:
    """Refuse what cannot be honoured; a client that leaves Content-Type or Accept out is served."""
    accepted = {each.partition(";")[0].strip().lower() for each in (request.get("accept") or "*/*").split(",")}
    if accepted.isdisjoint((_JSON, "*/*", "application/*")):
        shown = request["accept"][:80]
        raise InvalidRequest(f"The provided Accept header {shown!r} is invalid; {_JSON} and */* are taken")
    content_type = (request.get("contentType") or "").partition(";")[0].strip().lower()
    if content_type not in ("", _JSON, "*/*", "application/octet-stream", "binary/octet-stream"):
        raise InvalidRequest(f"The provided Content-Type {content_type[:80]!r} is invalid; send {_JSON}")
    if metadata := request.get("requestMetadata"):
        ctx.notes["request_metadata"] = ",".join(sorted(_metadata_keys(metadata)))
    settle_service(ctx, tier=request.get("serviceTier"), latency=request.get("performanceConfigLatency"))


def _metadata_keys(text: str) -> Mapping[str, str]:
    try:
        return msgspec.json.decode(text, type=_METADATA)
    except msgspec.DecodeError as error:
        raise InvalidRequest(
            "requestMetadata must be a JSON object of 1 to 16 strings under names of 1 to 256 characters; values have "
            f"at most 256, and letters, digits, white space and :_@$#=/+,-. are taken: {error}"
        ) from error


def _echoed(request: Json) -> Json:
    answer: Json = {}
    if request.get("performanceConfigLatency"):
        answer["performanceConfigLatency"] = LATENCY
    if request.get("serviceTier"):
        answer["serviceTier"] = SERVED_AS[request["serviceTier"]]
    return answer


def _facts(ctx: Context, resolved: Resolved, body: Json, input_tokens: int = 0) -> AnswerFacts:
    created = int(ctx.platform.clock.now().timestamp())
    return AnswerFacts(uuid4().hex, resolved.base_id, resolved.model.id, created, input_tokens, body)


def _count_headers(ctx: Context, usage: Usage, latency_ms: int, *, written: bool = True) -> None:
    headers = ctx.reply_headers
    headers["x-amzn-bedrock-input-token-count"] = str(usage.input_tokens)
    if written:
        headers["x-amzn-bedrock-output-token-count"] = str(usage.output_tokens)
        headers["x-amzn-bedrock-cache-read-input-token-count"] = str(usage.cache_read_tokens)
        headers["x-amzn-bedrock-cache-write-input-token-count"] = str(usage.cache_write_tokens)
    headers[_LATENCY_HEADER] = str(latency_ms)
