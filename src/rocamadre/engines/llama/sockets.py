"""Where engines' unix sockets lie: short paths in folders that only we may enter."""

from __future__ import annotations

import itertools
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

LONGEST_PATH_BYTES = 100
_NUMBERS = itertools.count(1)


def new_socket_path(home: Path) -> Path:
    """A path for a new socket: `<home>/sock/<our pid>-<number>.sock`, or in a private folder elsewhere if too long.

    Sockets that dead servers left behind are removed on the way.
    """
    folder = home / "sock"
    name = f"{os.getpid()}-{next(_NUMBERS)}.sock"
    if len(os.fsencode(folder / name)) > LONGEST_PATH_BYTES:
        return Path(tempfile.mkdtemp(prefix="roca-")) / name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for old in folder.glob("*-*.sock"):
        owner = old.name.partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            old.unlink(missing_ok=True)
    return folder / name


def remove_socket(path: Path, home: Path) -> None:
    """Remove a socket's file, and its folder if `new_socket_path` made one for it alone."""
    path.unlink(missing_ok=True)
    if path.parent != home / "sock":
        with suppress(OSError):
            path.parent.rmdir()
