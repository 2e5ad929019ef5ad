"""The server's process: found, started, asked, stopped."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from rocamadre.cli.exits import CommandFailed, Exit

SERVER_FILE = "server.json"
OUTPUT_FILE = "server.out"
"""In the folder of logs: what the process printed before and beside its log."""

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 15.0
_POLL_S = 0.05
_SAME_START_S = 2.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        address: For example `http://127.0.0.1:4599`.
        started_at: Seconds since 1970.
        console: Where the web console is; empty when none was started.
    """

    address: str
    pid: int
    started_at: float
    version: str
    console: str = ""


def find_server(home: Path) -> Server | None:
    """The server that runs on a home; None when there is none, also when a killed one left its file."""
    try:
        found = json.loads((home / SERVER_FILE).read_text())
        server = Server(
            found["address"],
            int(found["pid"]),
            float(found["started_at"]),
            str(found["version"]),
            str(found.get("console", "")),
        )
        process = psutil.Process(server.pid)
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        # A pid is used again sooner or later; its start time is not.
        return server if alive and abs(process.create_time() - server.started_at) < _SAME_START_S else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def ask(server: Server, path: str, *, timeout_s: float = 5.0) -> tuple[int, Any]:
    """GET a path of the server.

    Returns:
        The status and the decoded JSON; None for what is no JSON.

    Raises:
        OSError: it does not answer.
    """
    url = urlsplit(server.address)
    assert url.hostname is not None
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        # The certificate is for the name that clients use; this asks over loopback what it just started.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout_s)
    try:
        bearer = os.environ.get("AWS_BEARER_TOKEN_BEDROCK", "local")
        connection.request("GET", path, headers={"Authorization": f"Bearer {bearer}"})
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as error:
        raise OSError(f"{server.address} does not speak HTTP: {error}") from error
    finally:
        connection.close()
    try:
        return response.status, json.loads(body)
    except ValueError:
        return response.status, None


def is_healthy(server: Server) -> bool:
    """Whether the server answers."""
    try:
        return ask(server, "/healthz", timeout_s=2.0)[0] == 200
    except OSError:
        return False


@contextmanager
def starting(home: Path) -> Iterator[None]:
    """Keep a second `roca up` or `roca down` on the same home waiting until this one is done."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(home / "up.lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def start_server(home: Path, environment: Mapping[str, str]) -> Server:
    """Start a server of its own session and wait until it answers.

    Args:
        home: Folder of all state.
        environment: The variables it gets, settings among them.

    Raises:
        CommandFailed: it ended at once, or does not answer in time.
    """
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(logs / OUTPUT_FILE, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "rocamadre.server"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, "ROCA_HOME": str(home)},
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CommandFailed(_last_words(logs / OUTPUT_FILE) or f"the server ended at once ({process.returncode})")
        server = find_server(home)
        if server is not None and server.pid == process.pid and is_healthy(server):
            # Not ours to wait for: it outlives this process.
            process.returncode = 0
            return server
        time.sleep(_POLL_S)
    process.kill()
    process.wait()
    raise CommandFailed(f"the server did not answer within {_START_TIMEOUT_S:.0f} s; see {logs}", Exit.NOT_RUNNING)


def _last_words(output: Path) -> str:
    """Why a server ended at once: its own sentence, or the end of its traceback and where the rest is."""
    said = output.read_text(errors="replace").strip()
    if "Traceback" in said:
        return f"the server failed: {said.splitlines()[-1]} (all of it is in {output})"
    return said.removeprefix("rocamadre: ")


def stop_server(home: Path, server: Server) -> bool:
    """Stop a server and everything it started.

    Returns:
        Whether it went by itself; False when it had to be killed.
    """
    try:
        process = psutil.Process(server.pid)
        children = process.children(recursive=True)
        process.terminate()
    except psutil.NoSuchProcess:
        return True
    gone, _ = psutil.wait_procs([process], timeout=_STOP_TIMEOUT_S)
    if not gone:
        children += [child for child in process.children(recursive=True) if child not in children]
        process.kill()
        psutil.wait_procs([process], timeout=_STOP_TIMEOUT_S)
    _, left = psutil.wait_procs(children, timeout=1.0)
    for child in left:
        child.kill()
    psutil.wait_procs(left, timeout=_STOP_TIMEOUT_S)
    (home / SERVER_FILE).unlink(missing_ok=True)
    return bool(gone)
