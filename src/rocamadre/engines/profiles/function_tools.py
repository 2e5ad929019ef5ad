"""Tools as OpenAI writes them: functions, calls of them, and results. Mistral, Jamba and others write them alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    Event,
    Message,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
)
from rocamadre.engines.collect import Answer, parse_input
from rocamadre.engines.profiles.checks import (
    Check,
    anything,
    array,
    boolean,
    choice,
    either,
    integer,
    mapping,
    optional,
    record,
    string,
)
from rocamadre.engines.profiles.types import Json

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}

TOOLS: Check = optional(
    array(
        record(
            {
                "type": choice("function"),
                "function": record(
                    {
                        "name": string(1, 64),
                        "description": optional(string()),
                        "parameters": optional(mapping),
                        "strict": optional(boolean),
                    },
                    required=("name",),
                ),
            },
            required=("type", "function"),
        ),
        0,
        128,
    )
)
TOOL_CALLS: Check = optional(
    array(
        record(
            {
                "id": string(1, 256),
                "type": choice("function"),
                "index": integer(0),
                "function": record(
                    {"name": string(1, 64), "arguments": either((str, string()), (dict, anything))},
                    required=("name", "arguments"),
                ),
            },
            required=("id", "function"),
        )
    )
)
_NAMED: Check = record(
    {"type": choice("function"), "function": record({"name": string(1)}, required=("name",))},
    required=("type", "function"),
)
_MODES = {"auto": "auto", "none": "none", "any": "any", "required": "any"}


def tool_choice(*modes: str) -> Check:
    """The check of `tool_choice`: one of these words, or an object that names a function."""
    return optional(either((str, choice(*modes)), (dict, _NAMED)))


def read_tools(tools: Sequence[Json] | None) -> tuple[ToolSpec, ...]:
    """Checked tools.

    Raises:
        InvalidRequest: a name is not of the form that models can write, or stands twice.
    """
    specs: dict[str, ToolSpec] = {}
    for index, tool in enumerate(tools or ()):
        function, at = tool["function"], f"#/tools/{index}/function/name"
        name = function["name"]
        check_name(name, at, specs)
        specs[name] = ToolSpec(
            name,
            function.get("description") or "",
            function.get("parameters") or NO_ARGUMENTS,
            bool(function.get("strict")),
        )
    return tuple(specs.values())


def check_name(name: str, at: str, taken: Iterable[str]) -> None:
    """Refuse a tool's name that is of another form, or taken.

    Raises:
        InvalidRequest: so it is.
    """
    if not NAME.fullmatch(name):
        raise InvalidRequest(f"{at}: {name[:80]!r} does not match the pattern ^[a-zA-Z0-9_-]{{1,64}}$")
    if name in taken:
        raise InvalidRequest(f"{at}: two tools are called {name!r}; each needs its own name")


def read_choice(wanted: Any, tools: Sequence[ToolSpec], *, parallel: bool = True) -> ToolChoice:
    """A checked `tool_choice`.

    Raises:
        InvalidRequest: it asks for a call of a tool that is not there.
    """
    if wanted is None:
        return ToolChoice(parallel=parallel)
    if isinstance(wanted, str):
        mode = _MODES[wanted]
        if mode == "any" and not tools:
            raise InvalidRequest(f"#/tool_choice: {wanted} needs tools; add some or leave it out")
        return ToolChoice(mode, parallel=parallel)  # type: ignore[arg-type]
    name = wanted["function"]["name"]
    if name not in (tool.name for tool in tools):
        raise InvalidRequest(f"#/tool_choice/function/name: no tool is called {name[:80]!r}")
    return ToolChoice("tool", name, parallel)


def read_calls(calls: Sequence[Json] | None, at: str) -> tuple[ToolUse, ...]:
    """Checked `tool_calls` of an assistant's message.

    Raises:
        InvalidRequest: a call's arguments are no JSON.
    """
    found = []
    for index, call in enumerate(calls or ()):
        given = call["function"]["arguments"]
        try:
            value = msgspec.json.decode(given or "{}") if isinstance(given, str) else given
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidRequest(
                f"{at}/tool_calls/{index}/function/arguments: the arguments of a call are JSON text"
            ) from error
        found.append(ToolUse(call["id"], call["function"]["name"], value))
    return tuple(found)


def check_results(messages: Sequence[Message], at: str) -> None:
    """Hold calls and results against each other: each call is answered, once, by the turn that follows it.

    Args:
        messages: Turns, neighbours merged, the user's last.
        at: Where they stand, for errors.

    Raises:
        InvalidRequest: names the call.
    """
    called: list[str] = []
    for message in messages:
        results = [block.id for block in message.content if isinstance(block, ToolResult)]
        for place, result in enumerate(results):
            if result not in called:
                raise InvalidRequest(f"{at}: the tool result {result[:80]!r} answers no tool call of the turn before")
            if result in results[:place]:
                raise InvalidRequest(f"{at}: the tool call {result[:80]!r} is answered twice")
        if missing := [call for call in called if call not in results]:
            raise InvalidRequest(f"{at}: the tool call {missing[0][:80]!r} is not answered; add its result")
        called = [block.id for block in message.content if isinstance(block, ToolUse)]
        if len(set(called)) < len(called):
            raise InvalidRequest(f"{at}: two tool calls of one turn have the same id")


def tool_uses(answer: Answer) -> list[ToolUse]:
    """The calls that an answer holds."""
    return [block for block in answer.blocks if isinstance(block, ToolUse)]


def write_call(call: ToolUse, *, typed: bool = True) -> Json:
    """A call in an answer.

    Args:
        call: The call.
        typed: Whether it says that it calls a function; Mistral's do not.
    """
    function = {"name": call.name, "arguments": msgspec.json.encode(call.input).decode()}
    return {"id": call.id, **({"type": "function"} if typed else {}), "function": function}


class CallDeltas:
    """The `tool_calls` of a stream's deltas: the first names the call, those after it bring its arguments."""

    def __init__(self) -> None:
        self._index = -1

    def __call__(self, event: Event) -> list[Json]:
        """What an event adds; nothing if it is no part of a call."""
        if isinstance(event, ToolUseStart):
            self._index += 1
            function = {"name": event.name, "arguments": ""}
            return [{"index": self._index, "id": event.id, "type": "function", "function": function}]
        if isinstance(event, ToolUseDelta):
            return [{"index": self._index, "function": {"arguments": event.json}}]
        return []


class WholeCalls:
    """Calls gathered from a stream's events, for families that write each at once."""

    def __init__(self) -> None:
        self._begun: ToolUseStart | None = None
        self._json: list[str] = []

    def feed(self, event: Event) -> ToolUse | None:
        """The call that this event ends, if it does.

        Raises:
            ModelFailure: its input is no JSON.
        """
        if isinstance(event, ToolUseStart):
            self._begun, self._json = event, []
        elif isinstance(event, ToolUseDelta):
            self._json.append(event.json)
        elif isinstance(event, ToolUseEnd) and self._begun is not None:
            begun, self._begun = self._begun, None
            return ToolUse(begun.id, begun.name, parse_input("".join(self._json)))
        return None
