"""`roca up`, `roca down`, `roca status`."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from typing import Any

import click
import psutil

from rocamadre.cli.exits import Exit
from rocamadre.cli.output import print_table, readable_duration, readable_size
from rocamadre.cli.process import Server, ask, find_server, is_healthy, start_server, starting, stop_server
from rocamadre.cli.session import Session, print_json, with_json


@click.command()
@click.option("--foreground", is_flag=True, help="Stay attached to this terminal; Ctrl-C stops the server.")
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; 0 picks a free one.")
@click.option("--set", "changes", metavar="NAME=VALUE", multiple=True, help="Change a setting, for this run.")
@with_json
@click.pass_obj
def up(session: Session, foreground: bool, port: int | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Start the server.

    It goes on when this command has ended. When it already runs, that is said and nothing is done.

    \b
    Examples:
      roca up
      roca up --port 8080 --set server.auth=required
      roca up --foreground --set log.level=DEBUG
    """
    for change in changes if port is None else (*changes, f"server.port={port}"):
        os.environ.update([_variable(change)])
    home = session.home  # Reads the settings: a wrong one is told here, not by the server.
    began = time.monotonic()
    with starting(home):
        server = find_server(home)
        already = server is not None
        if server is None and foreground:
            os.environ["ROCA_HOME"] = str(home)
            sys.stdout.flush()
            # The lock is released with this program.
            os.execv(sys.executable, [sys.executable, "-m", "rocamadre.server"])
        if server is None:
            server = start_server(home, os.environ)
    if as_json:
        print_json({**asdict(server), "already_running": already})
    elif already:
        note = "; `roca down` first to change settings" if changes or port is not None else ""
        click.echo(f"already running at {server.address} (pid {server.pid}){note}")
    else:
        click.echo(f"Rocamadre {server.version} at {server.address} ({time.monotonic() - began:.1f} s)")
        if server.console:
            click.echo(f"Console at {server.console}")
        elif session.settings.console.enabled:
            click.echo("no console: its port is taken; choose another with ROCA_CONSOLE__PORT", err=True)


def _variable(change: str) -> tuple[str, str]:
    """The environment variable for `section.name=value`."""
    from rocamadre.core.settings import Settings  # noqa: PLC0415  (pydantic; only where a setting is changed)

    name, equals, value = change.partition("=")
    section, _, member = name.partition(".")
    field = Settings.model_fields.get(section)
    members = getattr(field.annotation, "model_fields", {}) if field else {}
    if not equals or field is None or bool(members) != bool(member) or (member and member not in members):
        known = ", ".join(sorted(f"{section}.{item}" for item in members)) or ", ".join(Settings.model_fields)
        raise click.UsageError(f"--set takes name=value, and {change!r} names no setting; there are: {known}")
    return "ROCA_" + name.upper().replace(".", "__"), value


@click.command()
@with_json
@click.pass_obj
def down(session: Session, as_json: bool) -> None:
    """Stop the server.

    Requests under way get a few seconds to end. Nothing to stop is no failure.

    \b
    Examples:
      roca down
    """
    with starting(session.home):
        server = find_server(session.home)
        gentle = stop_server(session.home, server) if server else True
    if as_json:
        print_json({"was_running": server is not None, "killed": not gentle})
    elif server is None:
        click.echo("not running")
    else:
        click.echo("stopped" if gentle else "stopped (it did not end by itself and was killed)")


@click.command()
@with_json
@click.pass_obj
def status(session: Session, as_json: bool) -> int:
    """Show the server, its models and memory.

    Exits with 3 when no server runs, or it does not answer.

    \b
    Examples:
      roca status
      roca status --json | jq .memory_bytes
    """
    server = session.find_server()
    if server is None:
        if as_json:
            print_json({"running": False, "home": str(session.home)})
        else:
            click.echo(f"not running; state in {session.home}")
        return Exit.NOT_RUNNING
    found = _describe(server)
    if as_json:
        print_json({"running": True, "home": str(session.home), **found})
        return Exit.OK if found["healthy"] else Exit.NOT_RUNNING
    click.echo(f"Rocamadre {found['version']} at {found['address']}, pid {found['pid']}", nl=False)
    click.echo(f", up {readable_duration(found['uptime_s'])}, {readable_size(found['memory_total_bytes'])} of memory")
    if found["console"]:
        click.echo(f"console at {found['console']}")
    if not found["healthy"]:
        click.echo("it does not answer; `roca logs` may tell why, `roca down` stops it")
        return Exit.NOT_RUNNING
    if found["engines"] is None:
        click.echo("models are shown to holders of a bearer key only: set AWS_BEARER_TOKEN_BEDROCK")
    elif not found["engines"]:
        click.echo("no model is loaded; the first request loads one")
    else:
        columns = ("model_id", "engine", "state", "pid", "memory_bytes", "active", "queued")
        rows = [[_cell(name, engine.get(name)) for name in columns] for engine in found["engines"]]
        print_table(("model", "engine", "state", "pid", "memory", "active", "queued"), rows)
    return Exit.OK


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    return readable_size(value) if name == "memory_bytes" else str(value)


def _describe(server: Server) -> dict[str, Any]:
    """What the server tells; where it does not, what the system knows of its processes."""
    process = psutil.Process(server.pid)
    children = sum(child.memory_info().rss for child in process.children(recursive=True))
    own = process.memory_info().rss
    known: dict[str, Any] = {
        "address": server.address,
        "pid": server.pid,
        "console": server.console,
        "version": server.version,
        "uptime_s": round(time.time() - server.started_at, 1),
        "memory_bytes": own,
        "memory_total_bytes": own + children,
        "engines": None,
        "healthy": is_healthy(server),
    }
    if known["healthy"]:
        code, told = ask(server, "/_rocamadre/status")
        if code == 200 and isinstance(told, dict):
            known |= told
    return known
