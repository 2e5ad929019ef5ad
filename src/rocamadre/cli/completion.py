"""`roca completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from rocamadre.cli.session import print_json, with_json

_WHERE = {
    "bash": "~/.bashrc",
    "zsh": "~/.zshrc",
    "fish": "~/.config/fish/config.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_WHERE)))
@with_json
@click.pass_context
def completion(context: click.Context, shell: str, as_json: bool) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      eval "$(roca completion bash)"      add this line to ~/.bashrc
      eval "$(roca completion zsh)"       add this line to ~/.zshrc
      roca completion fish | source       add this line to ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    completer = kind(context.find_root().command, {}, "roca", "_ROCA_COMPLETE")
    # Not `source()`: for bash it starts a bash to ask for its version.
    script = completer.source_template % completer.source_vars()
    if as_json:
        print_json({"shell": shell, "file": _WHERE[shell], "script": script})
    else:
        click.echo(script)
