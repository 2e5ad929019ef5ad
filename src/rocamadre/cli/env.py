"""`roca env`."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import click

from rocamadre.cli.environment import NEIGHBOURS, dropped_variables, program_environment
from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.process import Server, ask
from rocamadre.cli.session import Session, print_json, with_json

_NO_SUCH_PROGRAM = 127


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--shell", type=click.Choice(["sh", "fish"]), default="sh", help="Whose syntax to print.")
@with_json
@click.pass_obj
def env(session: Session, command: tuple[str, ...], shell: str, as_json: bool) -> int:
    """Point programs at the server.

    With COMMAND, runs it with every endpoint, region and credential variable that AWS, OpenAI and Anthropic clients
    read set to this server, so that its code needs no change and nothing it says leaves the machine: Bedrock, S3, STS,
    IAM, Lambda and CloudWatch Logs are answered, every other service of AWS is refused by name. An endpoint_url
    written in the program itself wins. Without COMMAND, prints the same as shell commands.

    \b
    Examples:
      roca env -- python app.py
      eval "$(roca env)"
      roca env --shell fish | source
    """
    server = session.find_server()
    if server is None and command:
        session.server()
    settings = session.settings
    if server is not None:
        address, is_open = server.address, _is_open(server)
    else:
        scheme = "https" if settings.server.tls_cert else "http"
        address, is_open = f"{scheme}://{settings.server.host}:{settings.server.port}", settings.server.auth == "open"
        click.echo(f"roca: no server runs on {settings.home} yet", err=True)
    places = {name: getattr(settings.neighbours, f"{name}_endpoint", "") for name in NEIGHBOURS}
    elsewhere = {name: place for name, place in places.items() if place}
    added = program_environment(
        address,
        region=settings.server.region,
        home=settings.home,
        is_open=is_open,
        environment=os.environ,
        elsewhere=elsewhere,
    )
    dropped = dropped_variables(os.environ, is_open=is_open and not elsewhere)
    if command:
        return _run(command, added, dropped)
    if as_json:
        print_json(added)
        return Exit.OK
    for name in dropped:
        click.echo(f"set -e {name}" if shell == "fish" else f"unset {name}")
    for name, value in added.items():
        click.echo(f"set -gx {name} {_fish(value)}" if shell == "fish" else f"export {name}={shlex.quote(value)}")
    return Exit.OK


def _run(command: tuple[str, ...], added: dict[str, str], dropped: list[str]) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in dropped} | added
    program = shutil.which(command[0])
    if program is None:
        click.echo(f"roca: there is no program called {command[0]!r}", err=True)
        return _NO_SUCH_PROGRAM
    try:
        os.execve(program, list(command), environment)
    except OSError as error:
        raise CommandFailed(f"{Path(program).name} could not be started: {error.strerror}") from error


def _is_open(server: Server) -> bool:
    """Whether any credential will do; what the server does not tell to a stranger is locked."""
    try:
        code, told = ask(server, "/_rocamadre/status")
    except OSError:
        return True
    return code == 200 and isinstance(told, dict) and told.get("auth") == "open"


def _fish(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
