"""Events folded into an answer, and ways to hold an engine's stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from rocamadre.core.errors import ModelFailure
from rocamadre.core.messages import (
    Event,
    Finish,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    TokenLogprob,
    ToolUse,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
)

AnswerBlock: TypeAlias = Text | Reasoning | ToolUse


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished generation.

    Attributes:
        blocks: What was said, in order; neighbouring text is one block.
        finish: Why it ended, and what it cost.
        logprobs: Of its text's tokens, where asked for.
    """

    blocks: tuple[AnswerBlock, ...]
    finish: Finish
    logprobs: tuple[TokenLogprob, ...] = ()

    @property
    def text(self) -> str:
        """All text, without reasoning and tool calls."""
        return "".join(block.text for block in self.blocks if isinstance(block, Text))

    @property
    def reasoning(self) -> str:
        """All reasoning."""
        return "".join(block.text for block in self.blocks if isinstance(block, Reasoning))


async def collect(events: AsyncIterator[Event], *, first: Event | None = None) -> Answer:
    """Fold a generation's events.

    Args:
        events: As `Engine.converse` yields them; read to the end, not closed.
        first: An event taken from them before.

    Raises:
        ModelFailure: they ended without `Finish`, or a tool's input is no JSON.
    """
    fold = _Fold()
    if first is not None:
        fold.add(first)
    async for event in events:
        if type(event) is TextDelta and not event.logprobs:
            fold.text.append(event.text)
        else:
            fold.add(event)
    return fold.answer()


def fold(events: Iterable[Event]) -> Answer:
    """`collect` for events that are all there; raises as it does."""
    folded = _Fold()
    for event in events:
        folded.add(event)
    return folded.answer()


class _Fold:
    def __init__(self) -> None:
        self.blocks: list[AnswerBlock] = []
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.signature = ""
        self.logprobs: list[TokenLogprob] = []
        self.tool: tuple[str, str] | None = None
        self.tool_json: list[str] = []
        self.finish: Finish | None = None

    def add(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self.text.append(event.text)
            self.logprobs.extend(event.logprobs)
        elif isinstance(event, ReasoningDelta):
            self._reason(event)
        elif isinstance(event, ToolUseStart):
            self._end_pending()
            self.tool, self.tool_json = (event.id, event.name), []
        elif isinstance(event, ToolUseDelta):
            self.tool_json.append(event.json)
        elif isinstance(event, ToolUseEnd):
            self._end_tool()
        else:
            self.finish = event

    def _reason(self, event: ReasoningDelta) -> None:
        # A signature ends what it signs; redacted thoughts come whole.
        if self.text or event.redacted or (self.signature and event.text):
            self._end_pending()
        if event.redacted:
            self.blocks.append(Reasoning("", redacted=event.redacted))
        else:
            self.reasoning.append(event.text)
            self.signature += event.signature

    def answer(self) -> Answer:
        self._end_pending()
        if self.finish is None:
            raise ModelFailure("the model's answer broke off")
        return Answer(tuple(self.blocks), self.finish, tuple(self.logprobs))

    def _end_pending(self) -> None:
        # Reasoning that is pending together with text came before it.
        if self.reasoning:
            self.blocks.append(Reasoning("".join(self.reasoning), self.signature))
            self.reasoning, self.signature = [], ""
        if self.text:
            self.blocks.append(Text("".join(self.text)))
            self.text = []

    def _end_tool(self) -> None:
        if self.tool is not None:
            self.blocks.append(ToolUse(*self.tool, parse_input("".join(self.tool_json))))
            self.tool = None


def parse_input(text: str) -> Any:
    """A tool call's input.

    Raises:
        ModelFailure: it is no JSON.
    """
    try:
        return msgspec.json.decode(text or "{}")
    except msgspec.DecodeError as error:
        raise ModelFailure("the model wrote a tool call whose input is not valid JSON") from error


async def close(events: AsyncIterator[Any]) -> None:
    """Close an iterator that can be closed; cancels a generation that still runs."""
    aclose = getattr(events, "aclose", None)
    if aclose is not None:
        await aclose()
