"""A generation as a Claude message, whole or in chunks."""

from __future__ import annotations

import base64

from rocamadre.core.errors import ModelFailure
from rocamadre.core.messages import (
    Event,
    Finish,
    Reasoning,
    ReasoningDelta,
    StopReason,
    Text,
    TextDelta,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)
from rocamadre.engines.collect import Answer, AnswerBlock
from rocamadre.engines.profiles.types import Json

_REASONS: dict[StopReason, str] = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "content_filtered": "refusal",
    "guardrail_intervened": "end_turn",
    "model_context_window_exceeded": "model_context_window_exceeded",
}


def write_message(answer: Answer, head: Json, *, ttl_s: int = 300) -> Json:
    """A whole message.

    Args:
        answer: What the model wrote.
        head: The message's `id` and `model`, and what else stands beside its content.
        ttl_s: How long the request wished its cached part to live, in seconds.

    Raises:
        ModelFailure: it ended in a way that Claude's messages have no word for.
    """
    finish = answer.finish
    return {
        **_shell(head),
        "content": [_block(block) for block in answer.blocks],
        "stop_reason": stop_reason(finish.reason),
        "stop_sequence": finish.stop_sequence,
        "usage": {**_input_usage(finish.usage, ttl_s), "output_tokens": finish.usage.output_tokens},
    }


def stop_reason(reason: StopReason) -> str:
    """Anthropic's word for why an answer ended.

    Raises:
        ModelFailure: there is none: what the model wrote is no answer.
    """
    if reason not in _REASONS:
        raise ModelFailure(f"the model's answer is not well formed ({reason}); try again")
    return _REASONS[reason]


class MessageChunks:
    """Claude's event sequence: blocks are opened and closed around what the model writes.

    Args:
        head: As for `write_message`.
        input_tokens: Of the whole prompt, for the first event; the last has the true usage.
        ttl_s: As for `write_message`.
    """

    def __init__(self, head: Json, input_tokens: int = 0, *, ttl_s: int = 300) -> None:
        self._head = head
        self._input_tokens = input_tokens
        self._ttl_s = ttl_s
        self._index = -1
        self._open = ""
        self._begun = False

    @property
    def open_text(self) -> int | None:
        """The index of the text block that is open; None when none is."""
        return self._index if self._open == "text" else None

    def __call__(self, event: Event) -> list[Json]:
        """The events that one of the engine's becomes.

        Raises:
            ModelFailure: as `write_message`.
        """
        result = [] if self._begun else self._begin()
        if isinstance(event, TextDelta):
            result += self._switch("text", {"type": "text", "text": ""})
            result.append(self._delta({"type": "text_delta", "text": event.text}))
        elif isinstance(event, ReasoningDelta):
            result += self._reason(event)
        elif isinstance(event, ToolUseStart):
            result += self._close()
            block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
            result += self._switch("tool_use", block)
        elif isinstance(event, ToolUseDelta):
            result.append(self._delta({"type": "input_json_delta", "partial_json": event.json}))
        elif isinstance(event, ToolUseEnd):
            result += self._close()
        else:
            result += self._finish(event)
        return result

    def _begin(self) -> list[Json]:
        self._begun = True
        usage = {**_input_usage(Usage(self._input_tokens), self._ttl_s), "output_tokens": 0}
        message = {**_shell(self._head), "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        return [{"type": "message_start", "message": message}]

    def _reason(self, event: ReasoningDelta) -> list[Json]:
        if event.redacted:
            block = {"type": "redacted_thinking", "data": base64.b64encode(event.redacted).decode()}
            return [*self._close(), *self._switch("redacted_thinking", block), *self._close()]
        result = self._switch("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if event.text:
            result.append(self._delta({"type": "thinking_delta", "thinking": event.text}))
        if event.signature:
            result.append(self._delta({"type": "signature_delta", "signature": event.signature}))
        return result

    def _finish(self, finish: Finish) -> list[Json]:
        result = self._close()
        delta = {"stop_reason": stop_reason(finish.reason), "stop_sequence": finish.stop_sequence}
        usage = {**_read_usage(finish.usage), "output_tokens": finish.usage.output_tokens}
        return [*result, {"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]

    def _switch(self, kind: str, block: Json) -> list[Json]:
        if self._open == kind:
            return []
        result = self._close()
        self._open = kind
        self._index += 1
        return [*result, {"type": "content_block_start", "index": self._index, "content_block": block}]

    def _close(self) -> list[Json]:
        if not self._open:
            return []
        self._open = ""
        return [{"type": "content_block_stop", "index": self._index}]

    def _delta(self, delta: Json) -> Json:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}


def _block(block: AnswerBlock) -> Json:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, Reasoning):
        if block.redacted:
            return {"type": "redacted_thinking", "data": base64.b64encode(block.redacted).decode()}
        return {"type": "thinking", "thinking": block.text, "signature": block.signature}
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": block.input}


def _shell(head: Json) -> Json:
    return {**head, "type": "message", "role": "assistant"}


def _read_usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
    }


def _input_usage(usage: Usage, ttl_s: int) -> Json:
    hour = ttl_s > 300
    return {
        **_read_usage(usage),
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if hour else usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_tokens if hour else 0,
        },
    }
