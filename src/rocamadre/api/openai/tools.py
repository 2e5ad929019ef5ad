"""Tools, the choice between them, and calls of them, as chat completions and responses write them.

The two differ in one thing: chat completions put what belongs to a function below the key `function`, responses beside
`type`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.fields import Fields, record_of
from rocamadre.core.messages import ToolChoice, ToolSpec, ToolUse

MOST_TOOLS = 128
MOST_DESCRIPTION = 8192
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_ARGUMENTS = {"type": "object", "properties": {}}
_FUNCTION = ("name", "description", "parameters", "strict")
_LATER = ("allowed_callers", "defer_loading", "output_schema")
_HOSTED = {
    "apply_patch": "patches applied by the server",
    "code_interpreter": "a code interpreter",
    "computer": "a computer to use",
    "computer_use_preview": "a computer to use",
    "file_search": "file search",
    "image_generation": "image generation",
    "local_shell": "a shell",
    "mcp": "MCP servers called by the server",
    "namespace": "namespaces of tools",
    "programmatic_tool_calling": "programs that call tools",
    "shell": "a shell",
    "tool_search": "search for tools",
    "web_search": "web search",
}
"""Types of tools that OpenAI runs itself, and what they stand for."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the model may call, and whether it must.

    Attributes:
        specs: The tools.
        choice: Whether one must be called.
    """

    specs: tuple[ToolSpec, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)


_NAMES = ("tools", "tool_choice", "parallel_tool_calls")
_NO_TOOLS = Tools()


def read_tools(fields: Fields, *, nested: bool) -> Tools:
    """The parameters `tools`, `tool_choice` and `parallel_tool_calls`.

    Args:
        fields: The request's parameters.
        nested: Whether a function's facts are below `function`.

    Raises:
        BadParameter: see its message.
    """
    if not any(name in fields for name in _NAMES):
        return _NO_TOOLS
    specs = tuple(_read_spec(each, nested) for each in fields.records("tools", MOST_TOOLS))
    names = [spec.name for spec in specs]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise BadParameter(
                f"Invalid 'tools': two tools are called {name!r}; each needs its own name.", param=f"tools[{place}]"
            )
    parallel = fields.flag("parallel_tool_calls") if "parallel_tool_calls" in fields else True
    if nested and not specs and "parallel_tool_calls" in fields:
        raise BadParameter(
            "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are "
            "specified.",
            param="parallel_tool_calls",
        )
    return _chosen(fields, specs, parallel, nested)


def _read_spec(tool: Fields, nested: bool) -> ToolSpec:
    kind = tool.required("type")
    if not isinstance(kind, str):
        raise tool.wrong_type("type", "a string")
    if kind != "function":
        raise _other_kind(tool, kind)
    function = tool
    if nested:
        tool.only(("type", "function"))
        tool.required("function")
        function = tool.record("function")
        function.only(_FUNCTION)
    else:
        tool.only(("type", *_FUNCTION, *_LATER))
        for name in _LATER:
            if tool.raw(name) not in (None, False, ["direct"]):
                raise tool.unsupported(name, "Rocamadre does not have this yet; leave it out")
    function.required("name")
    name = function.pattern("name", NAME) or ""
    description = function.text("description") or ""
    if len(description) > MOST_DESCRIPTION:
        raise function.wrong("description", f"at most {MOST_DESCRIPTION} characters are taken")
    parameters = function.raw("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise function.wrong_type("parameters", "an object")
    return ToolSpec(name, description, parameters or _NO_ARGUMENTS, function.flag("strict"))


def _other_kind(tool: Fields, kind: str) -> BadParameter:
    param = tool.at("type")
    hosted = next((part for name, part in _HOSTED.items() if kind == name or kind.startswith(f"{name}_")), None)
    if hosted is not None:
        why = f"this server has no {hosted}: it runs no tools itself. Use a function, and run it in your own code"
    elif kind == "custom":
        why = "tools with free text input are not taken; use a function with one string parameter"
    else:
        return BadParameter(
            f"Invalid value for '{param}': {kind[:80]!r}. Supported values are: 'function'.", param=param
        )
    return BadParameter(
        f"Unsupported value for '{param}': {kind[:80]!r}; {why}.", param=param, code="unsupported_value"
    )


def _chosen(fields: Fields, specs: tuple[ToolSpec, ...], parallel: bool, nested: bool) -> Tools:
    choice = fields.raw("tool_choice")
    if choice is None:
        return Tools(specs, ToolChoice(parallel=parallel))
    if isinstance(choice, str):
        fields.choice("tool_choice", ("none", "auto", "required"))
        if choice == "required":
            _needs_tools(specs)
            return Tools(specs, ToolChoice("any", parallel=parallel))
        return Tools(specs, ToolChoice("none" if choice == "none" else "auto", parallel=parallel))
    if not isinstance(choice, dict):
        raise fields.wrong_type("tool_choice", "a string or an object")
    one = fields.record("tool_choice")
    one.required("type")
    kind = one.choice("type", ("function", "allowed_tools", *_HOSTED, "custom"))
    _needs_tools(specs)
    if kind == "allowed_tools":
        return _allowed(one.record("allowed_tools") if nested else one, specs, parallel, nested)
    if kind != "function":
        raise _other_kind(one, kind or "")
    name = _named(one, nested)
    _find(specs, name, one.at("function.name" if nested else "name"))
    return Tools(specs, ToolChoice("tool", name, parallel))


def _allowed(fields: Fields, specs: tuple[ToolSpec, ...], parallel: bool, nested: bool) -> Tools:
    fields.required("mode")
    mode = fields.choice("mode", ("auto", "required"))
    fields.required("tools")
    names = []
    for each in fields.records("tools", MOST_TOOLS):
        each.required("type")
        each.choice("type", ("function",))
        names.append(_named(each, nested))
        _find(specs, names[-1], each.at("name"))
    if not names:
        raise fields.wrong("tools", "name at least one tool")
    allowed = tuple(spec for spec in specs if spec.name in names)
    return Tools(allowed, ToolChoice("any" if mode == "required" else "auto", parallel=parallel))


def _named(fields: Fields, nested: bool) -> str:
    if nested:
        fields.required("function")
        fields = fields.record("function")
    name = fields.required("name")
    if not isinstance(name, str):
        raise fields.wrong_type("name", "a string")
    return name


def _find(specs: Iterable[ToolSpec], name: str, at: str) -> None:
    if name not in [spec.name for spec in specs]:
        raise BadParameter(
            f"Invalid value for 'tool_choice': no function named {name[:80]!r} was specified in the 'tools' parameter.",
            param=at,
        )


def _needs_tools(specs: tuple[ToolSpec, ...]) -> None:
    if not specs:
        raise BadParameter(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
            param="tool_choice",
        )


def read_call(fields: Fields, call_id: str) -> ToolUse:
    """An earlier call, given back: `name` and `arguments`.

    Raises:
        BadParameter: its arguments are no JSON.
    """
    fields.required("name")
    name = fields.pattern("name", NAME) or ""
    arguments = fields.required("arguments")
    if not isinstance(arguments, str):
        raise fields.wrong_type("arguments", "a string")
    try:
        value = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise fields.wrong("arguments", "the arguments of a call are JSON text") from error
    return ToolUse(call_id, name, value)


def write_arguments(value: Any) -> str:
    """A call's input as JSON text."""
    return msgspec.json.encode(value).decode()


def read_calls(message: Fields) -> list[ToolUse]:
    """An assistant message's `tool_calls`.

    Raises:
        BadParameter: names the call.
    """
    calls = message.raw("tool_calls")
    if isinstance(calls, list) and not calls:
        raise BadParameter(
            f"Invalid '{message.at('tool_calls')}': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            param=message.at("tool_calls"),
            code="empty_array",
        )
    found = []
    for index, each in enumerate(message.records("tool_calls", MOST_TOOLS)):
        each.only(("id", "type", "function", "index"))
        each.required("id")
        each.required("type")
        each.choice("type", ("function",))
        function = record_of(each.required("function"), f"{message.at('tool_calls')}[{index}].function")
        function.only(("name", "arguments"))
        found.append(read_call(function, call_id(each, "id")))
    return found


def call_id(fields: Fields, name: str) -> str:
    """The id of a call.

    Raises:
        BadParameter: it is no string of 1 to 256 characters.
    """
    value = fields.required(name)
    if not isinstance(value, str):
        raise fields.wrong_type(name, "a string")
    if not 0 < len(value) <= 256:
        raise fields.wrong(name, "the id of a call has 1 to 256 characters")
    return value
