"""ConverseStream."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from rocamadre.api.bedrock_runtime.blocks import Json
from rocamadre.api.bedrock_runtime.conversation import (
    MISSING,
    echoed,
    guard_wish,
    read_request,
    stop_reason,
    traced,
    write_usage,
)
from rocamadre.api.bedrock_runtime.native_fields import check_pointers, native_fields, needs_content
from rocamadre.api.handlers import handles
from rocamadre.api.inference.generation import Generation, Stream, begin, resolve_model, whole_input
from rocamadre.core.context import Context
from rocamadre.core.errors import ModelFailure
from rocamadre.core.messages import Event, Finish, ReasoningDelta, TextDelta, ToolUseDelta, ToolUseEnd, ToolUseStart
from rocamadre.engines.collect import Answer, fold


@handles("bedrock-runtime", "ConverseStream", missing=MISSING)
async def converse_stream(ctx: Context, request: Json) -> Json:
    """One turn of a conversation, as it is written."""
    resolved = resolve_model(ctx, request["modelId"])
    check_pointers(request.get("additionalModelResponseFieldPaths") or ())
    wish = guard_wish(request, stream=True)
    generation = await begin(ctx, resolved, await read_request(ctx, request), wish)
    return {"stream": Stream(_events(ctx, generation, request), generation.close)}


async def _events(ctx: Context, generation: Generation, request: Json) -> AsyncGenerator[Json, None]:
    writer = _Writer(ctx, generation, request)
    yield {"messageStart": {"role": "assistant"}}
    assert generation.first is not None
    for out in writer.write(generation.first):
        yield out
    async for event in generation.rest:
        if type(event) is TextDelta and writer.kind == "text" and writer.kept is None:
            # All but a few events of a stream end here: nothing more is done for a token.
            yield {"contentBlockDelta": {"delta": {"text": event.text}, "contentBlockIndex": writer.index}}
        else:
            for out in writer.write(event):
                yield out
    if not writer.finished:
        raise ModelFailure("the model's answer broke off")


class _Writer:
    """Keeps which content block is open.

    Attributes:
        index: Of the open block, or of the next one.
        kind: Of the open block; empty when none is.
        kept: The events so far, where the end of the answer is to tell of its content; else None.
    """

    __slots__ = ("_ctx", "_generation", "_request", "finished", "index", "kept", "kind")

    def __init__(self, ctx: Context, generation: Generation, request: Json) -> None:
        self._ctx = ctx
        self._generation = generation
        self._request = request
        self.index = 0
        self.kind = ""
        self.finished = False
        paths = request.get("additionalModelResponseFieldPaths") or ()
        self.kept: list[Event] | None = [] if needs_content(paths) else None

    def write(self, event: Event) -> list[Json]:
        if self.kept is not None:
            self.kept.append(event)
        if isinstance(event, TextDelta):
            return [*self._switch("text"), self._delta({"text": event.text})]
        if isinstance(event, ReasoningDelta):
            return [*self._switch("reasoning"), *(self._delta({"reasoningContent": part}) for part in _parts(event))]
        if isinstance(event, ToolUseStart):
            opened = self._switch("tool")
            start = {"toolUse": {"toolUseId": event.id, "name": event.name}}
            return [*opened, {"contentBlockStart": {"start": start, "contentBlockIndex": self.index}}]
        if isinstance(event, ToolUseDelta):
            return [self._delta({"toolUse": {"input": event.json}})]
        if isinstance(event, ToolUseEnd):
            return self._close()
        return self._finish(event)

    def _finish(self, finish: Finish) -> list[Json]:
        self.finished = True
        stop: Json = {"stopReason": stop_reason(finish, self._generation.guard)}
        paths = self._request.get("additionalModelResponseFieldPaths") or ()
        counted = whole_input(finish, self._generation.request)
        answer = Answer((), counted) if self.kept is None else replace(fold(self.kept), finish=counted)
        if (fields := native_fields(self._ctx, self._generation.resolved, paths, answer)) is not None:
            stop["additionalModelResponseFields"] = fields
        latency_ms = self._generation.finish(finish.usage)
        metadata = {
            "usage": write_usage(counted.usage),
            "metrics": {"latencyMs": latency_ms},
            **echoed(self._request),
            **traced(self._request, self._generation),
        }
        return [*self._close(), {"messageStop": stop}, {"metadata": metadata}]

    def _switch(self, kind: str) -> list[Json]:
        closed = self._close() if self.kind != kind else []
        self.kind = kind
        return closed

    def _close(self) -> list[Json]:
        if not self.kind:
            return []
        self.kind = ""
        self.index += 1
        return [{"contentBlockStop": {"contentBlockIndex": self.index - 1}}]

    def _delta(self, delta: Json) -> Json:
        return {"contentBlockDelta": {"delta": delta, "contentBlockIndex": self.index}}


def _parts(event: ReasoningDelta) -> list[Json]:
    """A piece of reasoning as the members of its delta, each in one of its own."""
    parts: list[Json] = [{"text": event.text}] if event.text else []
    if event.signature:
        parts.append({"signature": event.signature})
    if event.redacted:
        parts.append({"redactedContent": event.redacted})
    return parts
