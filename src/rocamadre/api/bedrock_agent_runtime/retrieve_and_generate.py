"""RetrieveAndGenerate and RetrieveAndGenerateStream: answers with citations, from knowledge bases or documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from rocamadre.api.bedrock_agent_runtime.answering import Json, answering
from rocamadre.api.bedrock_agent_runtime.guarding import AnswerGuard, open_answer_guard
from rocamadre.api.bedrock_agent_runtime.wishes import read_wish
from rocamadre.api.handlers import handles
from rocamadre.api.inference.generation import Stream
from rocamadre.core.context import Context
from rocamadre.knowledge.answers.operations import Answering, Piece
from rocamadre.knowledge.answers.sessions import keep

SESSION_MEMBER = "sessionId"
MISSING = (
    "retrieveAndGenerateConfiguration: performanceConfig is taken and does nothing",
    "sessionConfiguration: kmsKeyArn is compared from turn to turn; nothing is encrypted with it",
    "userContext: refused",
)


class _Task(NamedTuple):
    answering: Answering
    guard: AnswerGuard | None


@handles("bedrock-agent-runtime", "RetrieveAndGenerate", missing=MISSING)
async def retrieve_and_generate(ctx: Context, request: Json) -> Json:
    """An answer whole."""
    task = await _begun(ctx, request)
    text, citations = await _whole(ctx, task)
    answer = {SESSION_MEMBER: task.answering.asked.session.id, "output": {"text": text}, "citations": citations}
    return answer if task.guard is None else {**answer, "guardrailAction": task.guard.action}


@handles("bedrock-agent-runtime", "RetrieveAndGenerateStream", missing=MISSING)
async def retrieve_and_generate_stream(ctx: Context, request: Json) -> Json:
    """An answer as it is made; its first piece is awaited, so that what goes wrong early is an ordinary error.

    One that a guardrail looks at is sent when it is complete: what it is grounded in cannot be told of a part.
    """
    task = await _begun(ctx, request)
    session_id = task.answering.asked.session.id
    if task.guard is not None:
        text, citations = await _whole(ctx, task)
        return {SESSION_MEMBER: session_id, "stream": _examined(task.guard, text, citations)}
    pieces = task.answering.pieces()
    first = await anext(pieces)

    async def end() -> None:
        await pieces.aclose()  # type: ignore[attr-defined]

    return {SESSION_MEMBER: session_id, "stream": Stream(_events(first, pieces), end)}


async def _begun(ctx: Context, request: Json) -> _Task:
    wish = read_wish(request)
    guard = await open_answer_guard(ctx, wish)
    if guard is None:
        return _Task(await answering(ctx, wish), None)
    return _Task(await answering(ctx, replace(wish, text=guard.question), guard.settle), guard)


async def _whole(ctx: Context, task: _Task) -> tuple[str, list[Json]]:
    """The text of an answer and its citations, after guardrails."""
    text, citations = "", []
    if task.guard is not None and task.guard.message:
        # Nothing is looked up for a question that is refused, but its session goes on.
        asked = task.answering
        await asyncio.to_thread(keep, ctx, asked.asked.session, lives_s=asked.settings.session_s)
        return task.guard.message, []
    async for piece in task.answering.pieces():
        text += piece.text
        citations += piece.citations
    return (text, citations) if task.guard is None else task.guard.shown(text, citations)


async def _events(first: Piece, rest: AsyncIterator[Piece]) -> AsyncGenerator[Json, None]:
    for event in _written(first):
        yield event
    async for piece in rest:
        for event in _written(piece):
            yield event


async def _examined(guard: AnswerGuard, text: str, citations: Sequence[Json]) -> AsyncGenerator[Json, None]:
    """What guardrails did, then the text up to each citation with it, then what is left."""
    yield {"guardrail": {"action": guard.action}}
    at = 0
    for citation in citations:
        end = citation["generatedResponsePart"]["textResponsePart"]["span"]["end"] + 1
        for event in _written(Piece(text[at:end], [citation])):
            yield event
        at = max(at, end)
    if text[at:]:
        yield {"output": {"text": text[at:]}}


def _written(piece: Piece) -> list[Json]:
    """The text, then what it is taken from; the citation in the older form, too, which clients read."""
    events: list[Json] = [{"output": {"text": piece.text}}]
    return events + [{"citation": {"citation": citation, **citation}} for citation in piece.citations]
