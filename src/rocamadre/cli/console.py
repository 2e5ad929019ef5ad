"""`roca console`."""

from __future__ import annotations

import subprocess
import sys
import webbrowser

import click

from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.session import Session, print_json, with_json


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port, where the server has not started a console.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@with_json
@click.pass_obj
def console(session: Session, port: int | None, no_browser: bool, as_json: bool) -> int:
    """Open the web console.

    The server starts one beside itself; this opens it in the browser. Where it has none (`console.enabled = false`),
    one runs in this terminal until Ctrl-C.

    \b
    Examples:
      roca console
      roca console --no-browser
    """
    server = session.server()
    if server.console:
        _tell(server.console, as_json=as_json, no_browser=no_browser)
        return Exit.OK
    # Only here: the command that opens a browser needs nothing of the server's code.
    from rocamadre.server import console as beside  # noqa: PLC0415

    changes = {} if port is None else {"port": port}
    settings = session.settings.model_copy(update={"console": session.settings.console.model_copy(update=changes)})
    try:
        listener = beside.listen(settings, int(server.address.rpartition(":")[2]))
    except OSError as error:
        raise CommandFailed(str(error)) from error
    process = subprocess.Popen(
        beside.console_command(),
        stdin=subprocess.PIPE,
        env=beside.console_environment(),
        pass_fds=(listener.fileno(),),
    )
    assert process.stdin is not None
    try:
        process.stdin.write(beside.console_wish(settings, server.address, listener))
        process.stdin.flush()
        _tell(beside.address_of(settings, listener), as_json=as_json, no_browser=no_browser)
        return process.wait()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    finally:
        # Its standard input closes, and it ends.
        process.stdin.close()
        process.wait()
        listener.close()


def _tell(address: str, *, as_json: bool, no_browser: bool) -> None:
    if as_json:
        print_json({"address": address})
    else:
        click.echo(address)
    sys.stdout.flush()
    if not no_browser and not as_json:
        webbrowser.open(address)
