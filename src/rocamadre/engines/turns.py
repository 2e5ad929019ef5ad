"""What one turn may be, and what was made of it: grammars for tools and schemas, calls and thoughts out of the text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Event, Finish, GenerationRequest, StopReason, TextDelta
from rocamadre.engines.schema.grammar import checked, follows
from rocamadre.engines.schema.held import hold
from rocamadre.engines.schema.validation import is_valid
from rocamadre.engines.tool_formats.grammar import ToolGrammar, tool_grammar
from rocamadre.engines.tool_formats.parser import TurnParser
from rocamadre.engines.tool_formats.types import ToolFormat

THOUGHTS = ("<think>", "</think>")


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model is held to.

    Attributes:
        lark: The grammar of the whole turn, for llguidance; empty where it is free.
        tools: The grammar of calls, where tools may be called.
        answer: The grammar of an answer without calls, where a schema holds it.
        schema: The answer's schema, as the client sent it.
        schemas: The tools' schemas by name, as the client sent them.
        format_: How calls are written.
        thoughts: The marks of thoughts; None for models that write none.
        thinking: Whether the prompt ends inside of thoughts.
    """

    lark: str
    tools: ToolGrammar | None
    answer: str | None
    schema: Mapping[str, Any] | None
    schemas: Mapping[str, Mapping[str, Any]]
    format_: ToolFormat
    thoughts: tuple[str, str] | None
    thinking: bool

    @property
    def control(self) -> tuple[str, ...]:
        """Control tokens that may stand in calls, as text."""
        return self.tools.control if self.tools is not None else ()

    @property
    def plain(self) -> bool:
        """Whether the turn is text and nothing else."""
        return self.tools is None and self.answer is None and self.thoughts is None


def plan_turn(
    request: GenerationRequest,
    prompt: str,
    *,
    format_: ToolFormat,
    thinks: bool,
    control: Mapping[str, int],
    room: int,
) -> Turn:
    """Settle what a turn may be. Compiles grammars: call it in a thread when there are tools or a schema.

    Args:
        request: As it came.
        prompt: As the model reads it.
        format_: How the model writes calls.
        thinks: Whether it writes its thoughts between `THOUGHTS`.
        control: Its control tokens.
        room: Tokens that the answer may have.

    Raises:
        InvalidRequest: a schema cannot be enforced, or goes with something else that was asked for.
    """
    thinks = thinks and request.prompt is None
    thinking = thinks and prompt.rstrip().endswith(THOUGHTS[0])
    prefix = THOUGHTS[1] if thinking else ""
    calls = bool(request.tools) and request.tool_choice.mode != "none"
    if (calls or request.schema is not None) and (request.sampling.min_tokens or request.logprobs is not None):
        raise InvalidRequest(
            "tools and structured output do not go with log-probabilities or min_tokens; leave one of them out"
        )
    tools = answer = None
    lark = ""
    rule = ""
    if request.schema is not None:
        held = hold(request.schema, max_tokens=room, at="the JSON schema")
        rule, answer = held.rule, held.grammar
    if calls:
        tools = tool_grammar(
            format_,
            request.tools,
            request.tool_choice,
            max_tokens=room,
            control=control,
            prefix=prefix,
            answer=rule,
        )
        lark = tools.lark
    elif answer is not None:
        lark = answer
        if prefix:
            lark = f"start: thoughts answer\nthoughts[suffix={msgspec.json.encode(prefix).decode()}]: /(.|\n)*/\n"
            lark = checked(lark + f"answer: {rule}", at="the JSON schema")
    schemas = {tool.name: tool.schema for tool in request.tools}
    return Turn(lark, tools, answer, request.schema, schemas, format_, THOUGHTS if thinks else None, thinking)


async def parse_turn(turn: Turn, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The events of a turn: text, thoughts and calls told apart, and everything held to what it was held to."""
    parser = TurnParser(turn.format_ if turn.tools else None, thoughts=turn.thoughts, thinking=turn.thinking)
    said: list[str] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, TextDelta):
                if event.logprobs and turn.thoughts is None:
                    yield event
                    continue
                for out in parser.feed(event.text):
                    if turn.answer is not None and isinstance(out, TextDelta):
                        said.append(out.text)
                    yield out
            elif isinstance(event, Finish):
                for out in parser.end(cut=event.reason not in ("end_turn", "stop_sequence")):
                    if turn.answer is not None and isinstance(out, TextDelta):
                        said.append(out.text)
                    yield out
                yield replace(event, reason=_reason(turn, parser, event.reason, "".join(said)))
            else:
                yield event


def _reason(turn: Turn, parser: TurnParser, reason: StopReason, said: str) -> StopReason:
    if reason != "end_turn":
        return reason
    if turn.answer is not None and not parser.calls and not _follows(turn.answer, said, turn.schema or {}):
        return "malformed_model_output"
    if turn.tools is None:
        return reason
    if parser.open or not all(_valid(turn, name, text) for name, text in parser.calls):
        return "malformed_tool_use"
    return "tool_use" if parser.calls else reason


def _valid(turn: Turn, name: str, text: str) -> bool:
    """Whether a call's input is what the grammar allows and, where that could not say all, what the schema says."""
    assert turn.tools is not None
    grammar = turn.tools.inputs.get(name)
    if grammar is None or not _follows(grammar, text, turn.schemas[name]):
        return False
    return name not in turn.tools.loose or is_valid(msgspec.json.decode(text), turn.schemas[name])


def _follows(grammar: str, text: str, schema: Mapping[str, Any]) -> bool:
    """Whether a text is what a grammar allows, or at least what the client asked for.

    Once in some hundred long strings llama.cpp lets a letter more pass than the grammar says. The bounds are ours and
    narrower than the schema, so that the text may follow the schema all the same.
    """
    if follows(grammar, text):
        return True
    try:
        return is_valid(msgspec.json.decode(text), schema)
    except msgspec.DecodeError:
        return False


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens with which both begin.

    >>> shared([1, 2, 3], [1, 2, 4, 5])
    2
    """
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
