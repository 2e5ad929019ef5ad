"""Write what the documents take from the program itself: `python -m rocamadre.cli.reference`.

That is `docs/cli.md`, `docs/settings.md` and the table of operations in the README of each language.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rocamadre.cli.exits import EXIT_MEANINGS
from rocamadre.cli.main import root
from rocamadre.core.settings import Settings, default_home

_WIDTH = 96

README_HEADINGS = {
    "README.md": ("service", "full", "partial", "absent"),
    "README.es.md": ("servicio", "completas", "parciales", "ausentes"),
    "README.pt.md": ("serviço", "completas", "parciais", "ausentes"),
}
"""Each README with the headings of its table of operations."""

_CLI_HEAD = """\
# The command `roca`

Every command takes `--json` and prints JSON then; messages and progress go to standard error. `--help` shows examples.

| exit code | meaning |
|---|---|
"""

_SETTINGS_HEAD = """\
# Settings

Where a value comes from, first found wins: an argument (`roca up --set server.port=5000`), an environment variable
(`ROCA_SERVER__PORT=5000`), the file `rocamadre.toml` in the working directory (`ROCA_CONFIG` names another), the
default. An unknown name or a value out of range is refused at the start, with its path.

```toml
[server]
port = 5000
```

"""


def leaf_commands() -> list[tuple[str, click.Command]]:
    """Every command that does something, by its full name."""
    found: list[tuple[str, click.Command]] = []
    context = click.Context(root, info_name="roca")
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += [(f"{name} {child}", command.commands[child]) for child in sorted(command.commands)]
        else:
            found.append((name, command))
    return found


def cli_page() -> str:
    """`docs/cli.md`."""
    parts = [_CLI_HEAD, *(f"| {int(code)} | {meaning} |\n" for code, meaning in EXIT_MEANINGS.items())]
    parts.append(f"\n```text\n{_help('roca', root)}\n```\n")
    for name, command in leaf_commands():
        parts.append(f"\n## `roca {name}`\n\n```text\n{_help(f'roca {name}', command)}\n```\n")
    return "".join(parts)


def _help(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path, max_content_width=_WIDTH, terminal_width=_WIDTH)
    context.help_option_names = ["-h", "--help"]
    lines = click.unstyle(command.get_help(context)).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def settings_page() -> str:
    """`docs/settings.md`."""
    return _SETTINGS_HEAD + "\n".join(_entries(Settings, "")).rstrip() + "\n"


def _entries(model: type[BaseModel], prefix: str) -> list[str]:
    lines: list[str] = []
    sections: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            sections += [f"## {(field.description or name).rstrip('.')}\n", *_entries(kind, f"{prefix}{name}.")]
        else:
            lines += _entry(prefix + name, field)
    return [*lines, *sections]


def _entry(name: str, field: FieldInfo) -> list[str]:
    variable = "ROCA_" + name.upper().replace(".", "__")
    limits = "".join(f", {word} {getattr(limit, key):g}" for limit in field.metadata for key, word in _limit(limit))
    return [
        f"### `{name}`\n",
        f"{field.description}\n",
        f"`{variable}` · {_kind(field.annotation)}{limits} · default: {_default(field)}\n",
    ]


def _limit(limit: object) -> list[tuple[str, str]]:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return [(key, word) for key, word in words.items() if hasattr(limit, key)]


def _kind(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    names = {"bool": "true or false", "float": "number", "int": "whole number", "str": "text", "Path": "path"}
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kinds = [kind for kind in members if kind is not NoneType]
    if get_origin(kinds[0]) in (tuple, dict):
        return "JSON list" if get_origin(kinds[0]) is tuple else "JSON object"
    name = getattr(kinds[0], "__name__", str(kinds[0]))
    return names.get(name, name)


def _default(field: FieldInfo) -> str:
    if field.default_factory is default_home:
        return "the user's data folder"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value in (None, "", (), {}):
        return "none"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value, default=str)}`"


def with_coverage(readme: str, headings: Sequence[str], services: Mapping[str, Mapping[str, int]]) -> str:
    """A README with the figures of `docs/coverage.json` between its two marks."""
    rows = [headings, ["---"] * len(headings)]
    rows += [[service, *map(str, states.values())] for service, states in services.items()]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    before, begin, rest = readme.partition("<!-- coverage -->\n")
    _, end, after = rest.partition("<!-- /coverage -->")
    assert begin, "the README has lost its marks"
    assert end, "the README has lost its marks"
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def pages(root_folder: Path) -> dict[Path, str]:
    """Every generated page as it should be, by its path."""
    found = {root_folder / "docs" / "cli.md": cli_page(), root_folder / "docs" / "settings.md": settings_page()}
    coverage = root_folder / "docs" / "coverage.json"
    if coverage.exists():
        services = json.loads(coverage.read_text())["services"]
        for name, headings in README_HEADINGS.items():
            readme = (root_folder / name).read_text()
            found[root_folder / name] = with_coverage(readme, headings, services)
    return found


def main() -> int:
    """Write every page below the working directory."""
    for path, content in pages(Path()).items():
        temporary = path.with_suffix(".tmp")
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
        click.echo(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
