"""Leaving out the oldest turns of a conversation that is longer than its model reads."""

from __future__ import annotations

from dataclasses import replace

from rocamadre.api.inference.generation import count_input
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest, ToolResult

_ROOM = 16
"""Tokens left for an answer whose length the client does not bound."""


async def truncated(ctx: Context, resolved: Resolved, request: GenerationRequest) -> GenerationRequest:
    """The request without its oldest turns, as few of them as will do, where it is too long for its model.

    The system prompt and the newest turn stay; if these alone are too long, they are for the engine to refuse. A call
    of a tool is never parted from its result.

    Args:
        ctx: Its request's.
        resolved: The model.
        request: Any conversation.
    """
    limit = resolved.model.context_length
    room = min(request.sampling.max_tokens or _ROOM, limit // 2)
    starts = [
        place
        for place, message in enumerate(request.messages)
        if message.role == "user" and not any(isinstance(block, ToolResult) for block in message.content)
    ]
    low, high = 0, len(starts) - 1
    while low < high:
        middle = (low + high) // 2
        if await _fits(ctx, resolved, _from(request, starts[middle]), limit - room):
            high = middle
        else:
            low = middle + 1
    return _from(request, starts[low])


def _from(request: GenerationRequest, place: int) -> GenerationRequest:
    return replace(request, messages=request.messages[place:]) if place else request


async def _fits(ctx: Context, resolved: Resolved, request: GenerationRequest, most: int) -> bool:
    try:
        return await count_input(ctx, resolved, request) <= most
    except InvalidRequest:
        return False
