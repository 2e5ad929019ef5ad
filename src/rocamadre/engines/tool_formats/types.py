"""How a family of models writes tool calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """One native form of tool calls: text around a name and its input.

    A call is `before + name + between + input + after`; several stand with `separator` between, the whole between
    `opening` and `closing`.

    Attributes:
        name: What people call it.
        signs: Text that a chat template holds whose models write so; all of it.
        before: Ahead of the name.
        between: From the name to its input.
        after: Behind the input.
        opening: Ahead of the first call.
        separator: Between two calls; None where a turn holds one call only.
        closing: Behind the last call.
        instructions: For templates that say nothing of tools: what the system prompt is told, `{tools}` being one JSON
            object per line. Empty where the template says it.
    """

    name: str
    signs: tuple[str, ...]
    before: str
    between: str
    after: str
    opening: str = ""
    separator: str | None = ""
    closing: str = ""
    instructions: str = ""

    @property
    def trigger(self) -> str:
        """With what the first call begins."""
        return self.opening + self.before

    @property
    def only_first(self) -> bool:
        """Whether a call has no mark of its own, so that only a turn that begins with one is one."""
        return self.trigger.startswith("{")
