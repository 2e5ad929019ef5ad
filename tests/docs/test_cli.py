from __future__ import annotations

import click
import pytest

from rocamadre.cli.main import COMMANDS, root
from rocamadre.cli.reference import leaf_commands, pages


def test_the_generated_pages_are_current(checkout):
    stale = [path.name for path, content in pages(checkout).items() if path.read_text() != content]
    assert stale == [], "run: python -m rocamadre.cli.reference"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_tells_what_the_command_tells(name):
    context = click.Context(root, info_name="roca")
    command = root.get_command(context, name)
    assert COMMANDS[name].help == command.get_short_help_str(limit=200)


@pytest.mark.parametrize(("name", "command"), leaf_commands())
def test_every_command_has_json_and_examples(name, command):
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options, name
    assert "Examples:" in command.help, name
    assert f"roca {name.split()[0]}" in command.help, name
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, f"{name} {parameter.name}"
