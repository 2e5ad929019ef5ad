"""Converse's toolConfig and outputConfig, and the rules that turns with tools keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import Message, ToolChoice, ToolResult, ToolSpec, ToolUse

MOST_TOOLS = 256


@dataclass(frozen=True, slots=True)
class Tools:
    """What toolConfig says.

    Attributes:
        cached: Whether a cache point is among the tools.
    """

    specs: tuple[ToolSpec, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)
    cached: bool = False


def read_tools(config: Mapping[str, Any] | None) -> Tools:
    """ToolConfig.

    Raises:
        InvalidRequest: a tool is named twice, has no schema of an object, or the choice names none of them.
        NotBuilt: a tool that would run on the server.
    """
    if not config:
        return Tools()
    specs: dict[str, ToolSpec] = {}
    cached = False
    for index, tool in enumerate(config["tools"]):
        at = f"toolConfig.tools.{index}"
        if "cachePoint" in tool:
            cached = True
        elif "systemTool" in tool:
            raise NotBuilt(
                f"{at}.systemTool: Rocamadre has no tools that run on the server; offer a toolSpec and run it yourself"
            )
        elif "toolSpec" in tool:
            spec = _spec(tool["toolSpec"], f"{at}.toolSpec")
            if spec.name in specs:
                raise InvalidRequest(f"The tool name {spec.name} is used twice in toolConfig.tools; names are unique.")
            specs[spec.name] = spec
        else:
            raise InvalidRequest(f"The Tool object at {at} must set one of the following keys: toolSpec, cachePoint.")
    if not specs:
        raise InvalidRequest("toolConfig.tools holds no toolSpec; add one, or leave toolConfig out")
    if len(specs) > MOST_TOOLS:
        raise InvalidRequest(f"toolConfig.tools holds {len(specs)} tools; at most {MOST_TOOLS} are taken")
    return Tools(tuple(specs.values()), _choice(config.get("toolChoice"), specs), cached)


def _spec(spec: Mapping[str, Any], at: str) -> ToolSpec:
    schema = (spec.get("inputSchema") or {}).get("json")
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise InvalidRequest(
            f"The value at {at}.inputSchema.json.type must be one of the following: object. A tool's input is a JSON "
            "object"
        )
    return ToolSpec(spec["name"], spec.get("description", ""), schema, bool(spec.get("strict", False)))


def _choice(choice: Mapping[str, Any] | None, specs: Mapping[str, ToolSpec]) -> ToolChoice:
    if not choice:
        return ToolChoice()
    if len(choice) != 1:
        raise InvalidRequest("toolConfig.toolChoice must set exactly one of the following keys: auto, any, tool.")
    if "tool" not in choice:
        return ToolChoice("any" if "any" in choice else "auto")
    name = choice["tool"]["name"]
    if name not in specs:
        raise InvalidRequest(
            f"toolConfig.toolChoice.tool.name: {name} is not among the tools offered: {', '.join(specs)}"
        )
    return ToolChoice("tool", name)


def read_output(config: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The schema that outputConfig asks for; None where it asks for none.

    Raises:
        InvalidRequest: the schema is no JSON.
        NotBuilt: another part of outputConfig is asked for.
    """
    if not config:
        return None
    if config.get("effort") is not None:
        raise NotBuilt("outputConfig.effort: no model here thinks in degrees of effort; leave it out")
    text_format = config.get("textFormat")
    if not text_format:
        return None
    definition = (text_format["structure"] or {}).get("jsonSchema")
    if definition is None:
        raise InvalidRequest("outputConfig.textFormat.structure must set jsonSchema")
    try:
        schema = msgspec.json.decode(definition["schema"])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(
            f"outputConfig.textFormat.structure.jsonSchema.schema is not valid JSON: {error}"
        ) from error
    if not isinstance(schema, dict):
        raise InvalidRequest("outputConfig.textFormat.structure.jsonSchema.schema must be a JSON object")
    return schema


def check_tool_turns(messages: Sequence[Message], tools: Tools) -> None:
    """Refuse conversations in which calls and answers do not go together.

    Raises:
        InvalidRequest: in Amazon Bedrock's words.
    """
    asked: set[str] = set()
    for index, message in enumerate(messages):
        uses = [block.id for block in message.content if isinstance(block, ToolUse)]
        results = [block.id for block in message.content if isinstance(block, ToolResult)]
        if (uses or results) and not tools.specs:
            raise InvalidRequest(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks."
            )
        if (uses and message.role != "assistant") or (results and message.role != "user"):
            raise InvalidRequest(
                f"messages.{index}: toolUse blocks are taken in messages of the assistant role, toolResult blocks in "
                "those of the user role"
            )
        if len(set(uses)) < len(uses):
            raise InvalidRequest(f"messages.{index}: two toolUse blocks have the same toolUseId")
        if missing := asked - set(results):
            raise InvalidRequest(
                f"Expected toolResult blocks at messages.{index}.content for the following Ids: "
                + ", ".join(sorted(missing))
            )
        if len(results) > len(asked):
            raise InvalidRequest(
                f"The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of "
                "previous turn."
            )
        asked = set(uses)
