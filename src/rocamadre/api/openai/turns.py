"""What must hold of a conversation before a model reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rocamadre.api.openai.errors import BadParameter
from rocamadre.core.messages import Message, ToolResult, ToolUse
from rocamadre.engines.profiles.turns import merge_turns


def settle_turns(
    turns: Sequence[Message], *, param: str, unanswered: Callable[[str], str], uncalled: Callable[[str], str]
) -> tuple[Message, ...]:
    """Merge neighbours of one role, and check who speaks when.

    Args:
        turns: In order.
        param: The parameter that holds them, for errors.
        unanswered: The sentence for a call, by its id, whose result does not follow.
        uncalled: The sentence for a result, by its call's id, before which no such call stands.

    Raises:
        BadParameter: the user does not have the first and the last word, or calls and results do not match.
    """
    messages = merge_turns(turns)
    if not messages or messages[0].role != "user" or messages[-1].role != "user":
        open_calls = _calls(messages[-1]) if messages else []
        if open_calls and messages[0].role == "user":
            raise BadParameter(unanswered(open_calls[0]), param=param)
        raise BadParameter(
            f"Invalid '{param}': the first and the last message, system messages aside, must be the user's.",
            param=param,
        )
    called: list[str] = []
    for message in messages:
        results = [block.id for block in message.content if isinstance(block, ToolResult)]
        for place, result in enumerate(results):
            if result not in called or result in results[:place]:
                raise BadParameter(uncalled(result), param=param)
        if missing := [call for call in called if call not in results]:
            raise BadParameter(unanswered(missing[0]), param=param)
        called = _calls(message)
        if len(set(called)) < len(called):
            raise BadParameter(f"Invalid '{param}': two tool calls of one turn have the same id.", param=param)
    return messages


def _calls(message: Message) -> list[str]:
    return [block.id for block in message.content if isinstance(block, ToolUse)]
