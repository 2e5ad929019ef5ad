"""A response as it grows: the object that is returned and kept, and the events that tell of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from rocamadre.api.openai.chat import write_logprobs
from rocamadre.api.openai.errors import error_object
from rocamadre.api.openai.response_items import new_id
from rocamadre.core.errors import ModelFailure, RocamadreError
from rocamadre.core.messages import (
    Event,
    Finish,
    ReasoningDelta,
    StopReason,
    TextDelta,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)

Json: TypeAlias = dict[str, Any]

_CUT: dict[StopReason, str] = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_MALFORMED: dict[StopReason, str] = {
    "malformed_tool_use": "The model wrote a tool call that cannot be read.",
    "malformed_model_output": "The model wrote an answer that cannot be read.",
}


def encode_event(event: Json) -> bytes:
    """One server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))


@dataclass(slots=True)
class _Open:
    """The output item that is being written."""

    item: Json
    index: int
    pieces: list[str] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)


class Writer:
    """Builds one response from a generation's events.

    Attributes:
        body: The response object; complete once a `Finish` was fed, or `fail` called.

    Args:
        body: The response object as it begins.
        logprobs: Whether text carries log-probabilities.
        now: Seconds since 1970.
    """

    def __init__(self, body: Json, *, logprobs: bool, now: Callable[[], int]) -> None:
        self.body = body
        self._logprobs = logprobs
        self._now = now
        self._open: _Open | None = None
        self._next = 0

    def created(self) -> Json:
        """The first event of all."""
        return self._whole("response.created")

    def queued(self) -> Json:
        """It waits for its turn."""
        return self._whole("response.queued")

    def started(self) -> Json:
        """Work on it has begun."""
        self.body["status"] = "in_progress"
        return self._whole("response.in_progress")

    def feed(self, event: Event) -> list[Json]:
        """What an event of the generation means on this wire."""
        if isinstance(event, TextDelta):
            return self._text(event) if event.text or event.logprobs else []
        if isinstance(event, ReasoningDelta):
            return self._reasoning(event) if event.text else []
        if isinstance(event, ToolUseStart):
            return self._begin_call(event)
        if isinstance(event, ToolUseDelta):
            return self._arguments(event) if event.json else []
        if isinstance(event, ToolUseEnd):
            return self._close("completed")
        return self._finish(event)

    def fail(self, error: RocamadreError) -> list[Json]:
        """The response ends with an error."""
        said = error_object(error)[1]["error"]
        known = said["code"] if said["code"] == "rate_limit_exceeded" else None
        code = known or ("invalid_prompt" if said["type"] == "invalid_request_error" else "server_error")
        events = self._close("incomplete")
        self.body |= {"status": "failed", "error": {"code": code, "message": said["message"]}}
        return [*events, self._whole("response.failed")]

    def _event(self, kind: str, **more: Any) -> Json:
        number, self._next = self._next, self._next + 1
        return {"type": kind, "sequence_number": number, **more}

    def _whole(self, kind: str) -> Json:
        return self._event(kind, response={**self.body, "output": list(self.body["output"])})

    def _at(self, kind: str, **more: Any) -> Json:
        assert self._open is not None
        return self._event(kind, item_id=self._open.item["id"], output_index=self._open.index, **more)

    def _begin(self, item: Json, part: Json | None) -> list[Json]:
        events = self._close("completed")
        self._open = _Open(item, len(self.body["output"]))
        events.append(self._event("response.output_item.added", output_index=self._open.index, item=dict(item)))
        if part is not None:
            events.append(self._at("response.content_part.added", content_index=0, part=part))
        return events

    def _text(self, event: TextDelta) -> list[Json]:
        events = []
        if self._open is None or self._open.item["type"] != "message":
            item = {"id": new_id("msg"), "type": "message", "status": "in_progress", "role": "assistant", "content": []}
            events = self._begin(item, _output_text("", []))
        assert self._open is not None
        self._open.pieces.append(event.text)
        logprobs: list[Json] = write_logprobs(event.logprobs)["content"] if self._logprobs else []
        self._open.logprobs.extend(logprobs)
        events.append(self._at("response.output_text.delta", content_index=0, delta=event.text, logprobs=logprobs))
        return events

    def _reasoning(self, event: ReasoningDelta) -> list[Json]:
        events = []
        if self._open is None or self._open.item["type"] != "reasoning":
            item = {"id": new_id("rs"), "type": "reasoning", "status": "in_progress", "summary": [], "content": []}
            events = self._begin(item, {"type": "reasoning_text", "text": ""})
        assert self._open is not None
        self._open.pieces.append(event.text)
        events.append(self._at("response.reasoning_text.delta", content_index=0, delta=event.text))
        return events

    def _begin_call(self, event: ToolUseStart) -> list[Json]:
        item = {
            "id": new_id("fc"),
            "type": "function_call",
            "status": "in_progress",
            "call_id": event.id,
            "name": event.name,
            "arguments": "",
        }
        return self._begin(item, None)

    def _arguments(self, event: ToolUseDelta) -> list[Json]:
        if self._open is None:
            return []
        self._open.pieces.append(event.json)
        return [self._at("response.function_call_arguments.delta", delta=event.json)]

    def _close(self, status: str) -> list[Json]:
        """End the item that is being written, if there is one."""
        if self._open is None:
            return []
        item, text = self._open.item, "".join(self._open.pieces)
        item["status"] = status
        if item["type"] == "function_call":
            item["arguments"] = text or ("{}" if status == "completed" else "")
            events = [self._at("response.function_call_arguments.done", name=item["name"], arguments=item["arguments"])]
        elif item["type"] == "reasoning":
            part = {"type": "reasoning_text", "text": text}
            item["content"] = [part]
            events = [
                self._at("response.reasoning_text.done", content_index=0, text=text),
                self._at("response.content_part.done", content_index=0, part=part),
            ]
        else:
            part = _output_text(text, self._open.logprobs)
            item["content"] = [part]
            events = [
                self._at("response.output_text.done", content_index=0, text=text, logprobs=self._open.logprobs),
                self._at("response.content_part.done", content_index=0, part=part),
            ]
        events.append(self._event("response.output_item.done", output_index=self._open.index, item=item))
        self.body["output"].append(item)
        self._open = None
        return events

    def _finish(self, finish: Finish) -> list[Json]:
        self.body["usage"] = write_usage(finish.usage)
        if finish.reason in _MALFORMED:
            return self.fail(ModelFailure(_MALFORMED[finish.reason]))
        reason = _CUT.get(finish.reason)
        events = self._close("incomplete" if reason else "completed")
        if reason:
            self.body |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
            return [*events, self._whole("response.incomplete")]
        self.body |= {"status": "completed", "completed_at": self._now()}
        return [*events, self._whole("response.completed")]


def _output_text(text: str, logprobs: list[Json]) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def write_usage(usage: Usage) -> Json:
    """What a response cost. Tokens of reasoning are among those written, and are not counted apart."""
    read = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "input_tokens": read,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + usage.output_tokens,
    }
