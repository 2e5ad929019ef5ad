"""Runs a function's code in a child process of its own; `child.py` is the child's half."""

from __future__ import annotations

import functools
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from rocamadre.core.context import Context
from rocamadre.neighbours.lambdas.child import INIT_S, MAX_LOG_BYTES
from rocamadre.neighbours.lambdas.errors import CannotRun
from rocamadre.neighbours.lambdas.types import Ran

logger = logging.getLogger(__name__)

TASK_ROOT = "/var/task"
_GRACE_S = 10.0
_ABANDONED_S = 3600.0
_NETWORK_FILES = (
    *("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf"),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates"),
)
_LOADER_FILES = ("/etc/ld.so.cache", "/etc/alternatives")


class Order(NamedTuple):
    """What to run.

    Attributes:
        code: Folder of its code; None for code that this Python can import by itself, which is the owner's own and
            runs without walls.
        handler: `module.function`.
        event: JSON.
        environment: The function's variables and Lambda's own.
        facts: What the handler's context object tells; see `bootstrap.LambdaContext`.
    """

    code: Path | None
    handler: str
    event: str
    environment: Mapping[str, str]
    facts: Mapping[str, Any]
    timeout_s: float
    memory_mb: int
    scratch_mb: int


def run(ctx: Context, order: Order) -> Ran:
    """Run code once and wait until it, and all that it started, has ended.

    Raises:
        CannotRun: the kernel does not let code be walled in, and the settings do not accept it without.
    """
    settings = ctx.platform.settings
    if order.code is None:
        return _understood(_outcome(settings.home, order, confined=False, network=True), order)
    why = _unwallable.get(os.getpid(), "")
    if not why:
        told = _outcome(settings.home, order, confined=True, network=settings.neighbours.lambda_network)
        if told["end"] != "refused":
            return _understood(told, order)
        why = _unwallable[os.getpid()] = str(told["why"])
        logger.warning("lambda.no_walls", extra={"why": why})
    if not settings.neighbours.lambda_unconfined:
        raise CannotRun(
            f"functions cannot be walled in on this machine ({why}); with neighbours.lambda_unconfined = true in the "
            "settings they run without walls: bounded in time and memory, but with this user's files and network"
        )
    return _understood(_outcome(settings.home, order, confined=False, network=True), order)


_unwallable: dict[int, str] = {}
"""By process id: why the kernel refuses walls; it will not change its mind."""


_running: set[tuple[Path, subprocess.Popen[bytes]]] = set()


def stop_all(home: Path) -> None:
    """End every function that this process runs for a platform; whoever waits for one is told that it was killed."""
    for place, child in list(_running):
        if place == home:
            child.kill()


def _outcome(home: Path, order: Order, *, confined: bool, network: bool) -> dict[str, Any]:
    lifeline, ours = os.pipe()
    try:
        with _scratch(home, confined=confined) as scratch:
            spec = _spec(home, order, confined=confined, network=network, scratch=scratch)
            command = [sys.executable, "-I", "-B", "-m", "rocamadre.neighbours.lambdas.child"]
            with subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(lifeline,),
                env={"PATH": os.defpath, "MALLOC_ARENA_MAX": "2", "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            ) as child:
                _running.add((home, child))
                try:
                    request = msgspec.json.encode({**spec, "lifeline": lifeline})
                    answer, words = child.communicate(request, timeout=order.timeout_s + INIT_S + _GRACE_S)
                except BaseException:
                    child.kill()
                    raise
                finally:
                    _running.discard((home, child))
    finally:
        os.close(lifeline)
        os.close(ours)
    try:
        told: dict[str, Any] = json.loads(answer)
    except ValueError:
        # Its words are our own program's, never the function's.
        logger.error("lambda.child_failed", extra={"status": child.returncode, "words": words.decode()[-500:]})
        return {"end": "exit", "exit": f"exit status {child.returncode}", "lines": [], "told": {}}
    return told


@contextmanager
def _scratch(home: Path, *, confined: bool) -> Iterator[Path]:
    """An empty folder: where walls are built, or what stands for `/tmp` without them."""
    folder = home / "lambda" / "scratch" / secrets.token_hex(8)
    folder.mkdir(parents=True, mode=0o700)
    _sweep(folder.parent)
    try:
        yield folder
    finally:
        if confined:
            folder.rmdir()
        else:
            shutil.rmtree(folder, ignore_errors=True)


_swept: set[tuple[int, Path]] = set()


def _sweep(parent: Path) -> None:
    """Once in a process: remove what a killed one left, when it is older than any function may run."""
    if (os.getpid(), parent) in _swept:
        return
    _swept.add((os.getpid(), parent))
    for folder in parent.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(folder, ignore_errors=True)


def _spec(home: Path, order: Order, *, confined: bool, network: bool, scratch: Path) -> dict[str, Any]:
    environment = dict(order.environment)
    if order.code is None:
        task_root = os.getcwd()
    else:
        task_root = TASK_ROOT if confined else str(order.code)
    if not confined:
        environment |= {"TMPDIR": str(scratch), "LAMBDA_TASK_ROOT": task_root}
    return {
        "confined": confined,
        "network": network,
        "timeout_s": order.timeout_s,
        "memory_mb": order.memory_mb,
        "scratch_bytes": order.scratch_mb * 1024 * 1024,
        "root": {
            "base": str(scratch),
            "read_only": [*_shown(network=network), (str(order.code), TASK_ROOT)],
            "hidden": [str(home)],
        },
        "facts": {
            **order.facts,
            "handler": order.handler,
            "event": order.event,
            "environment": environment,
            "task_root": task_root,
            "timeout_s": order.timeout_s,
            "memory_mb": order.memory_mb,
        },
    }


@functools.cache
def _shown(*, network: bool) -> tuple[tuple[str, str], ...]:
    """What of this machine a function sees beside the system's programs: Python, and its installed packages."""
    python = [sys.base_prefix, sys.base_exec_prefix, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    files = [*_LOADER_FILES, *(_NETWORK_FILES if network else ())]
    return tuple((path, path) for path in dict.fromkeys([*python, *files]))


def _understood(told: dict[str, Any], order: Order) -> Ran:
    """What came of it, in Lambda's words."""
    lines = [(int(moment), str(line)) for moment, line in told.get("lines", ())]
    if told.get("dropped_bytes"):
        dropped = f"[WARNING] {told['dropped_bytes']} bytes of output beyond {MAX_LOG_BYTES} were dropped"
        lines.append((lines[-1][0] if lines else 0, dropped))
    payload, error = told["told"].get("payload"), told["told"].get("error")
    if told["end"] != "told" or not (isinstance(payload, str) or isinstance(error, dict)):
        payload, error = None, _broken(told, order)
    return Ran(
        payload=payload,
        error=error,
        lines=lines,
        duration_ms=float(told.get("duration_ms", 0.0)),
        init_ms=float(told.get("init_ms", 0.0)),
        peak_mb=int(told.get("peak_mb", 0)),
    )


def _broken(told: Mapping[str, Any], order: Order) -> dict[str, Any]:
    request = f"RequestId: {order.facts['request_id']} Error: "
    if told["end"] == "timeout":
        return {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"{request}Task timed out after {order.timeout_s:.2f} seconds",
        }
    if told["end"] == "memory":
        return {
            "errorType": "Runtime.OutOfMemory",
            "errorMessage": f"{request}Runtime exited with error: signal: killed (over {order.memory_mb} MB)",
        }
    if told["end"] == "too_large":
        return {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": f"{request}the response is too large"}
    return {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"{request}Runtime exited with error: {told.get('exit') or 'killed'}",
    }
