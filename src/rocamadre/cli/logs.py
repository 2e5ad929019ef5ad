"""`roca logs`."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.process import OUTPUT_FILE
from rocamadre.cli.session import Session
from rocamadre.observability.logging import LOG_FILE

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_HEAD = ("time", "level", "logger", "event", "error")
_POLL_S = 0.25


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on showing lines as they come; Ctrl-C ends it.")
@click.option("-n", "--lines", type=click.IntRange(0), default=50, show_default=True, help="How many to begin with.")
@click.option("--level", type=click.Choice(_LEVELS[:4], case_sensitive=False), default="DEBUG", help="Least severity.")
@click.option("--json", "as_json", is_flag=True, help="Print the lines as they are in the file: JSON.")
@click.pass_obj
def logs(session: Session, follow: bool, lines: int, level: str, as_json: bool) -> None:
    """Show the server's log.

    \b
    Examples:
      roca logs -f
      roca logs -n 1000 --level warning --json
    """
    path = session.home / "logs" / LOG_FILE
    if not path.exists() and not follow:
        said = session.home / "logs" / OUTPUT_FILE
        if said.exists() and said.read_text(errors="replace").strip():
            raise CommandFailed(said.read_text(errors="replace").strip())
        raise CommandFailed(f"no server has written a log in {path.parent} yet", Exit.NOT_FOUND)
    wanted = _LEVELS[_LEVELS.index(level.upper()) :]
    for line in _tail(path, lines, wanted):
        click.echo(line if as_json else readable(line))
    if follow:
        for line in follow_file(path):
            if _level(line) in wanted:
                click.echo(line if as_json else readable(line))


def _tail(path: Path, count: int, wanted: tuple[str, ...]) -> list[str]:
    """The last lines of a severity, of the file and, where it is short, of the part before it."""
    kept: deque[str] = deque(maxlen=count)
    for part in (path.with_name(path.name + ".1"), path):
        if part.exists():
            with open(part, encoding="utf-8", errors="replace") as file:
                kept.extend(line.rstrip("\n") for line in file if _level(line) in wanted)
    return list(kept)


def follow_file(path: Path, *, poll_s: float = _POLL_S) -> Iterator[str]:
    """Lines as they are appended, for ever; goes on in the new file when the old one is rotated away."""
    file = _open(path)
    if file is not None:
        file.seek(0, os.SEEK_END)
    rest = ""
    try:
        while True:
            replaced = _inode(path) != (os.fstat(file.fileno()).st_ino if file is not None else None)
            # Read after the look at the name: what was written before the rotation is then still taken.
            piece = file.read() if file is not None else ""
            *whole, rest = (rest + piece).split("\n")
            yield from whole
            if replaced and not piece:
                if file is not None:
                    file.close()
                file, rest = _open(path), ""
            elif not piece:
                time.sleep(poll_s)
    finally:
        if file is not None:
            file.close()


def _open(path: Path) -> TextIO | None:
    try:
        return open(path, encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _level(line: str) -> str:
    try:
        return str(json.loads(line)["level"])
    except (ValueError, KeyError, TypeError):
        return "ERROR"


def readable(line: str) -> str:
    """A line of the log for people; one that is no JSON stays as it is.

    >>> readable('{"time": "2026-11-21T10:11:12.5+00:00", "level": "INFO", "event": "server.ready", "pid": 7}')
    '10:11:12 INFO    server.ready pid=7'
    """
    try:
        entry = json.loads(line)
        fields = "".join(f" {name}={value}" for name, value in entry.items() if name not in _HEAD)
        error = entry.get("error", "")
        shown = f"\n{error}" if "\n" in error else f" error={error}" if error else ""
        return f"{entry['time'][11:19]} {entry['level']:<7} {entry['event']}{fields}{shown}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return line
