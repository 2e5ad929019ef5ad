"""The prompt's length, said before the first token."""

from __future__ import annotations

from rocamadre.api.inference.generation import count_input
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest


async def count_ahead(ctx: Context, resolved: Resolved, asked: GenerationRequest) -> int:
    """Tokens of the prompt, for a stream's first event; 0 where the model's engine cannot tell before it answers.

    What is wrong with the prompt is found again, and raised, when the generation begins.
    """
    if resolved.model.embeds:
        return 0
    try:
        return await count_input(ctx, resolved, asked)
    except InvalidRequest:
        return 0
