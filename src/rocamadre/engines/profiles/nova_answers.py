"""Amazon Nova: answers and the events of a stream."""

from __future__ import annotations

import base64

from rocamadre.core.messages import (
    Event,
    Finish,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)
from rocamadre.engines.collect import Answer, AnswerBlock
from rocamadre.engines.profiles.types import AnswerFacts, Json


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    return {
        "output": {
            "message": {
                "role": "assistant",
                "content": [_block(block) for block in answer.blocks] or [{"text": ""}],
            }
        },
        "stopReason": answer.finish.reason,
        "usage": _usage(answer.finish.usage),
    }


def _block(block: AnswerBlock) -> Json:
    if isinstance(block, Text):
        return {"text": block.text}
    if isinstance(block, Reasoning):
        if block.redacted:
            return {"reasoningContent": {"redactedContent": _encoded(block.redacted)}}
        signature = {"signature": block.signature} if block.signature else {}
        return {"reasoningContent": {"reasoningText": {"text": block.text, **signature}}}
    return {"toolUse": {"toolUseId": block.id, "name": block.name, "input": block.input}}


class Chunks:
    """The events of ConverseStream as JSON."""

    def __init__(self, facts: AnswerFacts) -> None:
        self._index = 0
        self._open = ""
        self._begun = False

    def __call__(self, event: Event) -> list[Json]:
        """What one event becomes."""
        result: list[Json] = []
        if not self._begun:
            self._begun = True
            result.append({"messageStart": {"role": "assistant"}})
        if isinstance(event, TextDelta):
            result += self._switch("text")
            result.append(self._delta({"text": event.text}))
        elif isinstance(event, ReasoningDelta):
            deltas = _thoughts(event)
            result += self._switch("reasoning") if deltas else []
            result += [self._delta({"reasoningContent": each}) for each in deltas]
        elif isinstance(event, ToolUseStart):
            result += self._close()
            self._open = "tool"
            start = {"toolUse": {"toolUseId": event.id, "name": event.name}}
            result.append({"contentBlockStart": {"start": start, "contentBlockIndex": self._index}})
        elif isinstance(event, ToolUseDelta):
            result.append(self._delta({"toolUse": {"input": event.json}}))
        elif isinstance(event, ToolUseEnd):
            result += self._close()
        elif isinstance(event, Finish):
            result += self._close()
            result.append({"messageStop": {"stopReason": event.reason}})
            result.append({"metadata": {"usage": _usage(event.usage), "metrics": {}, "trace": {}}})
        return result

    def _switch(self, kind: str) -> list[Json]:
        result = self._close() if self._open != kind else []
        self._open = kind
        return result

    def _close(self) -> list[Json]:
        if not self._open:
            return []
        self._open = ""
        self._index += 1
        return [{"contentBlockStop": {"contentBlockIndex": self._index - 1}}]

    def _delta(self, delta: Json) -> Json:
        return {"contentBlockDelta": {"delta": delta, "contentBlockIndex": self._index}}


def _thoughts(event: ReasoningDelta) -> list[Json]:
    text: list[Json] = [{"text": event.text}] if event.text else []
    redacted: list[Json] = [{"redactedContent": _encoded(event.redacted)}] if event.redacted else []
    return [*text, *redacted, *([{"signature": event.signature}] if event.signature else [])]


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _usage(usage: Usage) -> Json:
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        "cacheReadInputTokenCount": usage.cache_read_tokens,
        "cacheWriteInputTokenCount": usage.cache_write_tokens,
    }
