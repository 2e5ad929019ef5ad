"""Conversations as the chat template wants them, and user text that cannot forge its marks.

A model's template parts turns with marks such as `<|im_end|>`, each one token. Letters in a user's text that spell a
mark must not become that token, or the text could end its own turn and begin another's. So such text is cut after the
mark's first letter and the pieces are tokenised apart: the letters stay, the token cannot form. Text without marks,
nearly all of it, is tokenised whole, as the model was trained on it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    Block,
    CachePoint,
    Document,
    GenerationRequest,
    Media,
    Message,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
)
from rocamadre.engines.tool_formats.types import ToolFormat

FOLLOW = "Answer with JSON only. It must follow this JSON Schema:\n"
_LONGEST_SCHEMA = 8000


class Guard:
    """Finds marks in what clients wrote.

    Args:
        marks: The model's control tokens, as text.
    """

    def __init__(self, marks: Sequence[str]) -> None:
        longest_first = sorted(marks, key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, longest_first))) if marks else None

    def protect(self, text: str, seam: str) -> str:
        """The text with `seam` put after the first letter of every mark."""
        if self._marks is None:
            return text
        pieces, start = [], 0
        while (found := self._marks.search(text, start)) is not None:
            pieces.append(text[start : found.start() + 1])
            start = found.start() + 1
        pieces.append(text[start:])
        return seam.join(pieces)


def new_seam() -> str:
    """A string that no client can have written, of letters that templates and JSON leave as they are."""
    return f"SEAM{secrets.token_hex(12)}MAES"


@dataclass(slots=True)
class Variables:
    """What a chat template is given.

    Attributes:
        messages: Turns, as OpenAI writes them.
        documents: By `title` and `text`; only for templates that take them.
        tools: As OpenAI writes them; only for templates that take them.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, str]] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)


class Renderer:
    """Turns requests into a template's variables.

    Args:
        guard: Against forged marks.
        format_: How the model writes tool calls; one with instructions stands for a template that takes no tools.
        takes_documents: Whether the template has a place for documents; else they go into their turn as text.
    """

    def __init__(self, guard: Guard, format_: ToolFormat, *, takes_documents: bool) -> None:
        self._guard = guard
        self._format = format_
        self._takes_documents = takes_documents

    def variables(self, request: GenerationRequest, seam: str, point: str = "") -> Variables:
        """The request as the template wants it.

        Args:
            request: A conversation.
            seam: Put into every forged mark; see the module.
            point: Put where a cache point stands in a message.

        Raises:
            InvalidRequest: a block is of a kind that this model cannot read.
        """
        out = Variables()
        tools = [_tool(tool.name, tool.description, tool.schema) for tool in _offered(request)]
        system = [request.system] if request.system else []
        if tools and self._format.instructions:
            lines = "\n".join(msgspec.json.encode(tool["function"]).decode() for tool in tools)
            system.append(self._format.instructions.replace("{tools}", lines))
        elif tools:
            out.tools = [self._protected(tool, seam) for tool in tools]
        if request.schema:
            shown = msgspec.json.encode(request.schema).decode()
            if len(shown) <= _LONGEST_SCHEMA:
                system.append(FOLLOW + shown)
        if system:
            out.messages.append({"role": "system", "content": self._guard.protect("\n\n".join(system), seam)})
        names: dict[str, str] = {}
        for message in request.messages:
            self._add(out, message, names, seam, point)
        return out

    def _add(self, out: Variables, message: Message, names: dict[str, str], seam: str, point: str) -> None:
        """One turn, or several: what tools answered has a turn of its own for each."""
        said: list[Block] = []
        calls: list[dict[str, Any]] = []
        for block in message.content:
            if isinstance(block, ToolUse):
                names[block.id] = block.name
                calls.append(_call(block))
            elif isinstance(block, ToolResult):
                self._add_result(out, block, names.get(block.id, ""), seam)
            else:
                said.append(block)
        if self._takes_documents:
            out.documents += [
                {"title": self._guard.protect(block.name, seam), "text": self._guard.protect(block.text, seam)}
                for block in said
                if isinstance(block, Document)
            ]
        content = self._content(said, seam, point)
        if calls and self._format.instructions:
            content += self._written(calls, seam)
            calls = []
        spoken = any(not isinstance(block, CachePoint) for block in said)
        if not spoken and not calls and not (message.role == "assistant" and content):
            if content and out.messages:  # A cache point behind a tool's answer.
                out.messages[-1]["content"] += content
            return
        turn: dict[str, Any] = {"role": message.role, "content": content}
        if calls:
            turn["tool_calls"] = [self._protected(call, seam) for call in calls]
        if thoughts := "".join(block.text for block in said if isinstance(block, Reasoning)):
            turn["reasoning_content"] = self._guard.protect(thoughts, seam)
        out.messages.append(turn)

    def _add_result(self, out: Variables, result: ToolResult, name: str, seam: str) -> None:
        if result.media:
            raise InvalidRequest(
                f"this model reads text; a tool's answer holds a block of kind {result.media[0].kind!r}"
            )
        text = self._guard.protect(f"Error: {result.text}" if result.is_error else result.text, seam)
        if self._format.instructions:
            shown = f"<tool_response>\n{text}\n</tool_response>"
            if out.messages and out.messages[-1].get("answers"):
                out.messages[-1]["content"] += "\n" + shown
            else:
                out.messages.append({"role": "user", "content": shown, "answers": True})
            return
        turn = {"role": "tool", "tool_call_id": result.id, "content": text}
        out.messages.append({**turn, "name": name} if name else turn)

    def _written(self, calls: list[dict[str, Any]], seam: str) -> str:
        """Calls as the model writes them, for templates that do not know of any."""
        format_ = self._format
        shown = [
            format_.before
            + self._guard.protect(call["function"]["name"], seam)
            + format_.between
            + self._guard.protect(call["function"]["arguments"], seam)
            + format_.after
            for call in calls
        ]
        return format_.opening + (format_.separator or "").join(shown) + format_.closing

    def _content(self, blocks: Sequence[Block], seam: str, point: str) -> str:
        documents = any(isinstance(block, Document) for block in blocks)
        parts = []
        for block in blocks:
            if isinstance(block, Text):
                parts.append(block.text)
            elif isinstance(block, Document):
                if not self._takes_documents:
                    parts.append(f"Document {block.name}:\n{block.text}")
            elif isinstance(block, Media):
                raise InvalidRequest(
                    f"this model reads text and documents; the conversation holds a block of kind {block.kind!r}"
                )
        text = self._guard.protect(("\n\n" if documents else "").join(parts), seam)
        if point and any(isinstance(block, CachePoint) for block in blocks):
            text = self._pointed(blocks, text, seam, point, documents=documents)
        return text

    def _pointed(self, blocks: Sequence[Block], text: str, seam: str, point: str, *, documents: bool) -> str:
        """The turn's text with `point` at its last cache point."""
        last = max(index for index, block in enumerate(blocks) if isinstance(block, CachePoint))
        ahead = self._content([block for block in blocks[:last] if not isinstance(block, CachePoint)], seam, "")
        if documents and ahead and len(text) > len(ahead):
            ahead += "\n\n"
        # A mark that begins before the point and ends behind it is cut in the whole text and not in its first part.
        return ahead + point + text[len(ahead) :] if text.startswith(ahead) else text + point

    def _protected(self, value: Any, seam: str) -> Any:
        if isinstance(value, str):
            return self._guard.protect(value, seam)
        if isinstance(value, dict):
            return {self._protected(name, seam): self._protected(each, seam) for name, each in value.items()}
        if isinstance(value, list):
            return [self._protected(each, seam) for each in value]
        return value


class HiddenSchemas:
    """Stands a small schema in for every tool's own while the template is applied.

    llama.cpp makes parsers of its own from the schemas that it is given, which it refuses for some and which takes long
    for others. Templates that write a tool's schema down as JSON, nearly all, are given a stand-in.

    Args:
        tools: As the template would be given them.
        seam: As in `Renderer.variables`.
    """

    def __init__(self, tools: Sequence[dict[str, Any]], seam: str) -> None:
        self._schemas = {
            f"{seam}{index}T": json.dumps(tool["function"]["parameters"], ensure_ascii=False)
            for index, tool in enumerate(tools)
        }
        self.tools = [
            {**tool, "function": {**tool["function"], "parameters": _stand_in(name)}}
            for tool, name in zip(tools, self._schemas, strict=True)
        ]

    def reveal(self, prompt: str) -> str | None:
        """The prompt with the tools' own schemas; None where the template did not write them down as JSON."""
        for name, schema in self._schemas.items():
            pattern = r"\s*".join(re.escape(part) for part in _PARTS.replace("NAME", name).split())
            prompt, count = re.subn(pattern, lambda _, shown=schema: shown, prompt)  # type: ignore[misc]
            if not count:
                return None
        return prompt


_PARTS = '{ "type": "object", "properties": { "NAME": { "type": "string" } } }'


def _stand_in(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"}}}


def _offered(request: GenerationRequest) -> tuple[Any, ...]:
    return () if request.tool_choice.mode == "none" else request.tools


def _tool(name: str, description: str, schema: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": dict(schema)}}


def _call(block: ToolUse) -> dict[str, Any]:
    arguments = msgspec.json.encode(block.input).decode()
    return {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": arguments}}
