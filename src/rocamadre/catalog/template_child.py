"""Renders one chat template in a process that can hurt nobody: `python -m rocamadre.catalog.template_child`.

Reads `{"template": …}` on standard input, writes `{"text": …}` or `{"error": …}` on standard output. Memory, time and
files are limited before the template is compiled.
"""

from __future__ import annotations

import json
import resource
import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY_BYTES = 512 * 1024 * 1024
CPU_S = 2
MAX_TEXT = 1_000_000


class Refused(Exception):
    """The template called `raise_exception`: it works, and refuses this conversation."""


class Generation(Extension):
    """The tag `generation`, by which some templates mark what to train on; its body is plain."""

    tags = {"generation"}  # noqa: RUF012  (jinja2 declares it as a plain set)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Give back the body alone."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def limit() -> None:
    """Bound this process before anything foreign runs in it."""
    for kind, bound in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or bound < hard:
            resource.setrlimit(kind, (bound, bound))


def render(template: str) -> str:
    """Render a short conversation."""

    def raise_exception(message: str) -> NoReturn:
        raise Refused(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime(2026, 1, 1, tzinfo=UTC).strftime(form)
    pieces, length = [], 0
    values: dict[str, Any] = {
        "messages": [{"role": "user", "content": "Hello"}],
        "add_generation_prompt": True,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "",
        "unk_token": "",
        "tools": None,
        "documents": None,
    }
    for piece in environment.from_string(template).generate(values):
        pieces.append(piece)
        length += len(piece)
        if length > MAX_TEXT:
            raise ValueError(f"it writes over {MAX_TEXT} characters for one short message")
    return "".join(pieces)


def main() -> None:
    """The command."""
    template = json.load(sys.stdin)["template"]
    limit()
    try:
        answer = {"text": render(template)}
    except Refused as error:
        answer = {"text": "", "refused": str(error)}
    except MemoryError:
        answer = {"error": "it needs too much memory"}
    except (TemplateError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"[:500]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
