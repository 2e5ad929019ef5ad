"""What every command starts from: the settings and the server that runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rocamadre.cli.exits import CommandFailed, Exit

if TYPE_CHECKING:
    from rocamadre.cli.process import Server
    from rocamadre.core.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


class Session:
    """One run of `roca`.

    Args:
        home: Folder of all state; None leaves it to the settings.
    """

    def __init__(self, home: Path | None) -> None:
        self._home = home

    @cached_property
    def settings(self) -> Settings:
        """The settings, read once.

        Raises:
            InvalidRequest: they are wrong; the message names the path.
        """
        from rocamadre.core.settings import load_settings  # noqa: PLC0415  (pydantic; `roca --help` needs none)

        return load_settings(**({"home": self._home} if self._home else {}))

    @property
    def home(self) -> Path:
        """Folder of all state, absolute."""
        return self.settings.home

    def find_server(self) -> Server | None:
        """The server that runs on this home, or None."""
        from rocamadre.cli.process import find_server  # noqa: PLC0415  (psutil; `roca --help` needs none)

        return find_server(self.home)

    def server(self) -> Server:
        """The server that runs on this home.

        Raises:
            CommandFailed: none runs.
        """
        server = self.find_server()
        if server is None:
            hint = "make up" if self.home.name == ".roca" and Path("Makefile").exists() else "roca up"
            elsewhere = "" if self._home or os.environ.get("ROCA_HOME") else " (another home? set ROCA_HOME)"
            raise CommandFailed(f"no server runs on {self.home}; start one with `{hint}`{elsewhere}", Exit.NOT_RUNNING)
        return server


def with_json(command: Command) -> Command:
    """Give a command the flag `--json`, passed as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(value: Any) -> None:
    """Print one JSON value, indented for people, readable by programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
