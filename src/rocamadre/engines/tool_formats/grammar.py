"""The grammar that a model writes under when it may call tools.

Text is free until a call begins; from then on every letter is held to the format and the input to the tool's schema.
Control tokens of a model (`[TOOL_CALLS]`, `<|python_tag|>`) are no text to it: they are written by number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import ToolChoice, ToolSpec
from rocamadre.engines.schema.held import hold
from rocamadre.engines.tool_formats.types import ToolFormat

MOST_CALLS = 8
"""In one turn."""

_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}/]")


@dataclass(frozen=True, slots=True)
class ToolGrammar:
    """What a turn with tools may be.

    Attributes:
        lark: For llguidance.
        inputs: Each tool's input alone, by name, for checking what was written.
        loose: Tools whose schema is enforced in part only, by name, with what is not enforced.
        control: Control tokens that stand in calls, as text.
    """

    lark: str
    inputs: Mapping[str, str]
    loose: Mapping[str, Sequence[str]]
    control: tuple[str, ...]


def tool_grammar(
    format_: ToolFormat,
    tools: Sequence[ToolSpec],
    choice: ToolChoice,
    *,
    max_tokens: int,
    control: Mapping[str, int],
    prefix: str = "",
    answer: str = "",
) -> ToolGrammar:
    """The grammar of one turn.

    Args:
        format_: The model's.
        tools: At least one.
        choice: Not `none`.
        max_tokens: What the turn must fit into; where it may hold several calls, each input has a quarter.
        control: The model's control tokens: text to number.
        prefix: Text that must have been written before anything else may be; the end of its thoughts, say.
        answer: The right side of a rule that a turn without calls follows; empty leaves text free.

    Raises:
        InvalidRequest: the tool that must be called is not among them, or the schema of a strict tool cannot be
            enforced.
    """
    offered = [tool for tool in tools if choice.mode != "tool" or tool.name == choice.name]
    if not offered:
        raise InvalidRequest(
            f"toolChoice names the tool {choice.name[:80]!r}; the tools offered are: "
            + ", ".join(tool.name for tool in tools)
        )
    writer = _Writer(format_, control)
    if choice.parallel and format_.separator is not None:
        max_tokens = max(1, max_tokens // 4)
    inputs: dict[str, str] = {}
    loose: dict[str, Sequence[str]] = {}
    for tool in offered:
        at = f"the input schema of tool {tool.name}"
        try:
            held = hold(tool.schema, max_tokens=max_tokens, at=at, relax=not tool.strict)
        except InvalidRequest as problem:
            if tool.strict:
                raise
            held = hold({"type": "object"}, max_tokens=max_tokens, at=at)
            loose[tool.name] = (problem.message,)
        inputs[tool.name] = held.grammar
        if held.dropped:
            loose[tool.name] = held.dropped
    lark = writer.lark(
        inputs, forced=choice.mode in ("any", "tool"), parallel=choice.parallel, prefix=prefix, answer=answer
    )
    return ToolGrammar(lark, inputs, loose, writer.used_control)


class _Writer:
    def __init__(self, format_: ToolFormat, control: Mapping[str, int]) -> None:
        self._format = format_
        texts = (format_.opening, format_.before, format_.between, format_.after, format_.separator, format_.closing)
        self._control = {
            text: number for text, number in control.items() if any(text in (each or "") for each in texts)
        }
        self.used_control = tuple(self._control)

    def lark(self, inputs: Mapping[str, str], *, forced: bool, parallel: bool, prefix: str, answer: str) -> str:
        format_ = self._format
        mark = "" if forced or answer else self._mark()
        first = "first" if mark and not format_.opening else "call"
        more = ""
        if parallel and format_.separator is not None:
            more = f"({self._text(format_.separator)} call){{0,{MOST_CALLS - 1}}}"
        calls = f"{self._text(format_.opening.removeprefix(mark))} {first} {more} {self._text(format_.closing)}"
        lines = ["start: thoughts turn" if prefix else "start: turn"]
        if prefix:
            lines.append(f"thoughts[suffix={_quoted(prefix)}]: /(.|\\n)*/")
        if forced:
            lines.append(f"turn: {calls}")
        elif answer:
            lines += [f"turn: {calls} | answer", f"answer: {answer}"]
        else:
            lines += self._free(calls, mark)
        for kind in ("call", "first") if first == "first" else ("call",):
            lines.append(f"{kind}: " + " | ".join(f"{kind}_{index}" for index in range(len(inputs))))
            before = format_.before.removeprefix(mark) if kind == "first" else format_.before
            for index, name in enumerate(inputs):
                ahead, behind = self._text(before + _in_json(name, format_)), self._text(format_.after)
                lines.append(f"{kind}_{index}: {ahead} {self._text(format_.between)} input_{index} {behind}")
        lines += [f"input_{index}: {grammar.removeprefix('start: ')}" for index, grammar in enumerate(inputs.values())]
        return "\n".join(lines) + "\n"

    def _mark(self) -> str:
        """Text with which calls begin and that other text cannot hold; empty where a control token begins them, or
        where only the place at the very beginning tells a call.
        """
        trigger = self._format.opening or self._format.before
        if self._format.only_first or any(trigger.startswith(text) for text in self._control):
            return ""
        return trigger[0] + re.split(r"[\n{\[]", trigger[1:])[0]

    def _free(self, calls: str, mark: str) -> list[str]:
        """A turn that is text, calls, or text and then calls."""
        if mark:
            escaped = _SPECIAL.sub(lambda found: "\\" + found.group(), mark)
            return [
                "turn: ahead " + calls + " | TEXT?",
                f"ahead[suffix={_quoted(mark)}]: /(.|\\n)*/",
                f"TEXT: /(.|\\n)+/ & ~/(.|\\n)*{escaped}(.|\\n)*/",
            ]
        if self._format.only_first:
            return [f"turn: {calls} | TEXT?", "TEXT: /[^{](.|\\n)*/"]
        return [f"turn: TEXT? {calls} | TEXT?", "TEXT: /(.|\\n)+/"]

    def _text(self, text: str) -> str:
        """Text as Lark writes it, control tokens by their numbers."""
        if not text:
            return ""
        if not self._control:
            return _quoted(text)
        parts = re.split("(" + "|".join(map(re.escape, self._control)) + ")", text)
        shown = [f"<[{self._control[part]}]>" if part in self._control else _quoted(part) for part in parts if part]
        return " ".join(shown)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _in_json(name: str, format_: ToolFormat) -> str:
    """A tool's name as it stands in a call: escaped where that is JSON."""
    return _quoted(name)[1:-1] if format_.before.endswith('"') else name
