"""Guardrails around an answer from passages: its question before, its text when it is complete, its citations after.

As in AWS, the passages are what the answer must be grounded in, and are not themselves examined.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rocamadre.api.bedrock_agent_runtime.wishes import Wish
from rocamadre.api.inference.generation import resolve_model
from rocamadre.api.inference.guarding import Guard, GuardWish, open_guard
from rocamadre.core.context import Context
from rocamadre.core.messages import GenerationRequest, Message, Text
from rocamadre.guardrails.engine import Content
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.knowledge.answers.types import Passage

Json = dict[str, Any]


@dataclass(slots=True)
class AnswerGuard:
    """The guardrails of one question.

    Attributes:
        question: As it may be asked, masked where it must be.
        message: What is answered instead; empty where nothing was blocked.
    """

    guard: Guard
    question: str
    message: str = ""
    _findings: list[Finding] = field(default_factory=list)

    @property
    def action(self) -> str:
        """The wire's guardrailAction, when the answer is settled."""
        return "INTERVENED" if self.message or self._findings or self.guard.masked_input else "NONE"

    async def admit(self) -> None:
        """Examine the question."""
        asked = GenerationRequest((Message("user", (Text(self.question),)),))
        asked = await self.guard.admit(asked)
        if self.guard.blocked:
            self.message = "".join([getattr(event, "text", "") async for event in self.guard.refusal()])
        block = asked.messages[0].content[0]
        assert isinstance(block, Text)
        self.question = block.text

    async def settle(self, text: str, passages: Sequence[Passage]) -> str:
        """Examine a whole answer.

        Returns:
            What may be shown and remembered of it.
        """
        await asyncio.to_thread(self._examine, text, passages)
        return self.message or Masked(text, self._findings).text

    def shown(self, text: str, citations: Sequence[Json]) -> tuple[str, list[Json]]:
        """The answer and its citations as they may be shown, after `settle`."""
        if self.message:
            return self.message, []
        if not self._findings:
            return text, list(citations)
        masked = Masked(text, self._findings)
        return masked.text, [masked.citation(each) for each in citations]

    def _examine(self, text: str, passages: Sequence[Passage]) -> None:
        around = Surroundings(tuple(passage.text for passage in passages), (self.question,) if passages else ())
        for each in self.guard.applied:
            outcome = each.guardrail.examine(
                [Content(text)], Source.OUTPUT, around=around, embed=self.guard.embed, origin=each.origin
            )
            if outcome.blocked:
                self.message = self.message or each.guardrail.blocked_output
            self._findings += [
                found for found in outcome.findings[0] if found.action is Action.ANONYMIZE and found.end > found.start
            ]


async def open_answer_guard(ctx: Context, wish: Wish) -> AnswerGuard | None:
    """The guardrails of a question, which they have examined; None where neither it nor the account wants any.

    Raises:
        NotFound: there is no such guardrail.
    """
    config = wish.generation.get("guardrailConfiguration") or {}
    asked = GuardWish(config.get("guardrailId", ""), config.get("guardrailVersion", ""))
    resolved = resolve_model(ctx, wish.inner["modelArn"])
    guard = await open_guard(ctx, resolved, GenerationRequest(), asked)
    if guard is None:
        return None
    found = AnswerGuard(guard, wish.text)
    await found.admit()
    return found


class Masked:
    """A text with some stretches replaced, and places in it.

    >>> Masked("a@b.es is it", [Finding("piiEntities", "EMAIL", Action.ANONYMIZE, end=6, placeholder="{EMAIL}")]).text
    '{EMAIL} is it'
    """

    def __init__(self, text: str, findings: Sequence[Finding]) -> None:
        self._old: list[tuple[int, int]] = []
        self._new: list[tuple[int, int]] = []
        pieces: list[str] = []
        at = size = 0
        for start, end, placeholder in _apart(findings):
            pieces += (text[at:start], placeholder)
            size += start - at
            self._old.append((start, end))
            self._new.append((size, size + len(placeholder)))
            size += len(placeholder)
            at = end
        self.text = "".join((*pieces, text[at:]))

    def place(self, at: int, *, end: bool = False) -> int:
        """Where a place of the old text is now; within what was replaced, the beginning or the end of that."""
        moved = 0
        for (start, stop), (now_start, now_stop) in zip(self._old, self._new, strict=True):
            if at <= start:
                break
            if at < stop:
                return now_stop if end else now_start
            moved = now_stop - stop
        return at + moved

    def citation(self, citation: Mapping[str, Any]) -> Json:
        """A citation whose part and span fit the new text."""
        span = citation["generatedResponsePart"]["textResponsePart"]["span"]
        start, end = self.place(span["start"]), self.place(span["end"] + 1, end=True)
        part = {"text": self.text[start:end], "span": {"start": start, "end": end - 1}}
        return {**citation, "generatedResponsePart": {"textResponsePart": part}}


def _apart(findings: Sequence[Finding]) -> Iterator[tuple[int, int, str]]:
    """Masks in order; of two that overlap the first holds, and the other covers what is left of its own."""
    at = 0
    for each in sorted(findings, key=lambda one: (one.start, -one.end)):
        if each.end > at:
            yield max(at, each.start), each.end, each.placeholder
            at = each.end
