"""A model's chat template, applied as the engines apply it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.types import Turn

_NEEDLE = "a system text to look for"
_FAILURES = (jinja2.TemplateError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError)


class _Refused(Exception):
    """The template called `raise_exception`."""


class _Generation(Extension):
    """The tag `generation`, by which some templates mark what to train on; its body is plain."""

    tags = {"generation"}  # noqa: RUF012  (jinja2 declares it as a plain set)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """A compiled template; it can reach nothing but the conversation.

    Args:
        source: Jinja, as in `tokenizer_config.json` or under `tokenizer.chat_template` of a GGUF file.
        marks: `bos_token`, `eos_token` and their like by name, as text.

    Raises:
        InvalidRequest: it does not compile.
    """

    def __init__(self, source: str, marks: dict[str, str] | None = None) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        try:
            self._template = environment.from_string(source)
        except _FAILURES as error:
            raise InvalidRequest(f"the model's chat template does not compile: {error}") from error
        self.source = source
        self._marks = {"bos_token": "", "eos_token": "", "pad_token": "", "unk_token": "", **(marks or {})}

    def render(self, turns: Sequence[Turn], *, to_answer: bool) -> str:
        """The conversation as text.

        Args:
            turns: Oldest first.
            to_answer: Write what begins the assistant's next turn.

        Raises:
            InvalidRequest: the template refuses the conversation, or fails.
        """
        if len(turns) > 1 and turns[0].role == "system" and not self._takes_system:
            turns = [Turn(turns[1].role, f"{turns[0].text}\n{turns[1].text}"), *turns[2:]]
        try:
            return self._render(turns, to_answer=to_answer)
        except (_Refused, *_FAILURES) as error:
            raise InvalidRequest(f"the model's chat template refuses the conversation: {error}") from error

    @cached_property
    def _takes_system(self) -> bool:
        """Whether a system turn is written; else the engine puts its text before the first user turn, and so do we."""
        try:
            return _NEEDLE in self._render((Turn("system", _NEEDLE), Turn("user", "Hello")), to_answer=True)
        except (_Refused, *_FAILURES):
            return False

    def _render(self, turns: Sequence[Turn], *, to_answer: bool) -> str:
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        return self._template.render(
            messages=messages, add_generation_prompt=to_answer, tools=None, documents=None, **self._marks
        )


def _refuse(message: str) -> NoReturn:
    raise _Refused(message)


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
