"""The command `roca`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from rocamadre import __version__
from rocamadre.cli.exits import CommandFailed, Exit, exit_code
from rocamadre.cli.session import Session
from rocamadre.core.errors import RocamadreError


class Entry(NamedTuple):
    """One command, not imported before it is needed.

    Attributes:
        target: `"module:attribute"`.
        help: What `roca --help` shows; the command's own first line.
    """

    target: str
    help: str


COMMANDS: dict[str, Entry] = {
    "up": Entry("rocamadre.cli.server:up", "Start the server."),
    "down": Entry("rocamadre.cli.server:down", "Stop the server."),
    "status": Entry("rocamadre.cli.server:status", "Show the server, its models and memory."),
    "console": Entry("rocamadre.cli.console:console", "Open the web console."),
    "run": Entry("rocamadre.cli.run:run", "Ask a model once."),
    "chat": Entry("rocamadre.cli.chat:chat", "Talk with a model."),
    "explain": Entry("rocamadre.cli.explain:explain", "Show how an answer is made, token by token."),
    "models": Entry("rocamadre.cli.models:models", "List, pull and remove models."),
    "data": Entry("rocamadre.cli.data:data", "Check, keep and prepare data to train on."),
    "train": Entry("rocamadre.cli.train:train", "Teach a model something."),
    "kb": Entry("rocamadre.cli.kb:kb", "Fill knowledge bases with documents, and ask them."),
    "jobs": Entry("rocamadre.cli.jobs:jobs", "List, watch and stop what runs in the background."),
    "redteam": Entry("rocamadre.cli.redteam:redteam", "Attack a model and report what it withstands."),
    "plan": Entry("rocamadre.cli.plan:plan", "Plan a training that does not fit here."),
    "keys": Entry("rocamadre.cli.keys:keys", "Make and revoke API keys."),
    "env": Entry("rocamadre.cli.env:env", "Point programs at the server."),
    "coverage": Entry("rocamadre.cli.coverage:coverage", "Show which operations there are."),
    "logs": Entry("rocamadre.cli.logs:logs", "Show the server's log."),
    "doctor": Entry("rocamadre.cli.doctor:doctor", "Look for what is wrong."),
    "backup": Entry("rocamadre.cli.backup:backup", "Write the state to a file."),
    "restore": Entry("rocamadre.cli.backup:restore", "Put the state of a backup back."),
    "completion": Entry("rocamadre.cli.completion:completion", "Print the completion script of a shell."),
}
"""Every command, in the order of `roca --help`."""


class _Commands(click.Group):
    """A group whose commands are imported one by one, so that `roca --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table, and options."""
        names = [
            CompletionItem(name, help=entry.help) for name, entry in COMMANDS.items() if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list from the table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--home", type=click.Path(path_type=Path), help="Folder of all state; also ROCA_HOME.")
@click.version_option(__version__, prog_name="roca")
@click.pass_context
def root(context: click.Context, home: Path | None) -> None:
    """Rocamadre: a Bedrock on your own machine.

    \b
    Examples:
      roca up                              start the server
      roca run roca-mini "Who are you?"
      roca env -- python app.py            run a program against it
    """
    context.obj = Session(home)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `roca`; ends the process with a code of `Exit`."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run `roca` and return what it would exit with."""
    try:
        result = root.main(arguments, prog_name="roca", standalone_mode=False)
        return result if isinstance(result, int) else Exit.OK
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("", err=True)
        return Exit.INTERRUPTED
    except CommandFailed as error:
        click.echo(f"roca: {error}", err=True)
        return error.code
    except RocamadreError as error:
        click.echo(f"roca: {error.message}", err=True)
        return exit_code(error)
    except BrokenPipeError:
        # The reader of our output (head, less) has left.
        sys.stderr.close()
        return Exit.OK


if __name__ == "__main__":
    main()
