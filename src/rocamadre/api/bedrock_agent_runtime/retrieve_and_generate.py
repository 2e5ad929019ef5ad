"""RetrieveAndGenerate and RetrieveAndGenerateStream: answers with citations, from knowledge bases or documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from rocamadre.api.bedrock_agent_runtime.answering import Json, answering
from rocamadre.api.bedrock_agent_runtime.wishes import read_wish
from rocamadre.api.handlers import handles
from rocamadre.api.inference.generation import Stream
from rocamadre.core.context import Context
from rocamadre.knowledge.answers.operations import Answering, Piece

SESSION_MEMBER = "sessionId"
MISSING = (
    "retrieveAndGenerateConfiguration: guardrailConfiguration is refused until there are guardrails; "
    "performanceConfig is taken and does nothing",
    "sessionConfiguration: kmsKeyArn is compared from turn to turn; nothing is encrypted with it",
    "userContext: refused",
)


@handles("bedrock-agent-runtime", "RetrieveAndGenerate", missing=MISSING)
async def retrieve_and_generate(ctx: Context, request: Json) -> Json:
    """An answer whole."""
    task = await _begun(ctx, request)
    text, citations = "", []
    async for piece in task.pieces():
        text += piece.text
        citations += piece.citations
    return {SESSION_MEMBER: task.asked.session.id, "output": {"text": text}, "citations": citations}


@handles("bedrock-agent-runtime", "RetrieveAndGenerateStream", missing=MISSING)
async def retrieve_and_generate_stream(ctx: Context, request: Json) -> Json:
    """An answer as it is made; its first piece is awaited, so that what goes wrong early is an ordinary error."""
    task = await _begun(ctx, request)
    pieces = task.pieces()
    first = await anext(pieces)

    async def end() -> None:
        await pieces.aclose()  # type: ignore[attr-defined]

    return {SESSION_MEMBER: task.asked.session.id, "stream": Stream(_events(first, pieces), end)}


async def _begun(ctx: Context, request: Json) -> Answering:
    return await answering(ctx, read_wish(request))


async def _events(first: Piece, rest: AsyncIterator[Piece]) -> AsyncGenerator[Json, None]:
    for event in _written(first):
        yield event
    async for piece in rest:
        for event in _written(piece):
            yield event


def _written(piece: Piece) -> list[Json]:
    """The text, then what it is taken from; the citation in the older form, too, which clients read."""
    events: list[Json] = [{"output": {"text": piece.text}}]
    return events + [{"citation": {"citation": citation, **citation}} for citation in piece.citations]
