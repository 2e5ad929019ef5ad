"""What `roca doctor` looks at."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from rocamadre import __version__
from rocamadre.catalog.embedded import MINILM, ROCA_MINI, embedded_models
from rocamadre.cli.output import readable_size
from rocamadre.cli.process import SERVER_FILE, is_healthy
from rocamadre.cli.session import Session

_DISK_BYTES = 2_000_000_000
_MEMORY_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        remedy: What to do; empty when nothing need be done.
    """

    name: str
    state: Literal["ok", "warning", "failure"]
    detail: str
    remedy: str = ""


def check_python(session: Session) -> Finding:
    """Python 3.11 to 3.13."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("python", "ok", f"{version} on {platform.system()} {platform.machine()}")
    return Finding("python", "failure", f"{version}", "use Python 3.11, 3.12 or 3.13")


def check_packages(session: Session) -> Finding:
    """Every package that Rocamadre needs is there, in a version it knows."""
    wrong = []
    for line in importlib.metadata.requires("rocamadre") or []:
        requirement, _, condition = line.partition(";")
        if "extra ==" in condition:
            continue
        if problem := _problem(requirement.strip()):
            wrong.append(problem)
    if wrong:
        return Finding(
            "packages", "failure", "; ".join(wrong), "run `make up` again, or pip install --upgrade rocamadre"
        )
    return Finding("packages", "ok", f"rocamadre {__version__}, botocore {importlib.metadata.version('botocore')}")


def _problem(requirement: str) -> str:
    from packaging.requirements import Requirement  # noqa: PLC0415  (comes with huggingface_hub)

    wanted = Requirement(requirement)
    try:
        found = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{wanted.name} is not installed"
    return (
        "" if wanted.specifier.contains(found, prereleases=True) else f"{wanted.name} {found}, not {wanted.specifier}"
    )


def check_processor(session: Session) -> Finding:
    """The embedded engine is built for AVX2 on x86-64."""
    cores = os.cpu_count() or 1
    cpuinfo = Path("/proc/cpuinfo")
    if platform.machine() in ("x86_64", "AMD64") and cpuinfo.exists() and " avx2" not in cpuinfo.read_text():
        return Finding(
            "processor", "failure", f"{cores} cores without AVX2", "use a newer processor, or engine `remote`"
        )
    return Finding("processor", "ok", f"{cores} cores")


def check_memory(session: Session) -> Finding:
    """Some memory is free."""
    free = psutil.virtual_memory().available
    if free < _MEMORY_BYTES:
        return Finding(
            "memory", "warning", f"{readable_size(free)} free", "larger models will be refused; close programs"
        )
    return Finding("memory", "ok", f"{readable_size(free)} free")


def check_disk(session: Session) -> Finding:
    """Some disk is free where the state lives."""
    place = next(path for path in (session.home, *session.home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < _DISK_BYTES:
        remedy = "free some space, or set ROCA_HOME to another disk"
        return Finding("disk", "warning", f"{readable_size(free)} free for {session.home}", remedy)
    return Finding("disk", "ok", f"{readable_size(free)} free for {session.home}")


def check_permissions(session: Session) -> Finding:
    """The state is writable by its owner and closed to others."""
    home = session.home
    if not home.exists():
        return Finding("permissions", "ok", f"{home} is not there yet; the first `roca up` makes it")
    if not os.access(home, os.W_OK):
        return Finding(
            "permissions", "failure", f"{home} is not writable", f"chown it to {os.environ.get('USER', 'you')}"
        )
    private = [home / "platform.sqlite", *(home / "keys").glob("*")]
    open_files = [path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_files:
        names = ", ".join(str(path) for path in open_files)
        return Finding("permissions", "failure", f"others may read {names}", f"chmod 600 {names}")
    return Finding("permissions", "ok", f"{home} is yours")


def check_server(session: Session) -> Finding:
    """The server answers, or its port is free."""
    settings = session.settings.server
    server = session.find_server()
    if server is not None and is_healthy(server):
        return Finding("server", "ok", f"runs at {server.address} (pid {server.pid})")
    if server is not None:
        return Finding("server", "failure", f"pid {server.pid} does not answer", "`roca down`, then `roca up`")
    left = " (the last one was killed)" if (session.home / SERVER_FILE).exists() else ""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            remedy = "choose another port: roca up --port 4600"
            return Finding("server", "failure", f"port {settings.port} cannot be used: {error.strerror}", remedy)
    return Finding("server", "ok", f"does not run{left}; port {settings.port} is free")


def check_models(session: Session) -> Finding:
    """The embedded models are in place."""
    here = {model.id for model in embedded_models(session.settings)}
    missing = [name for name in (ROCA_MINI, MINILM) if name not in here]
    if missing:
        return Finding("models", "failure", f"not in place: {', '.join(missing)}", "roca models prepare")
    return Finding("models", "ok", f"{ROCA_MINI} and {MINILM} are in place")


def check_proxy(session: Session) -> Finding:
    """No proxy stands between programs and the server."""
    names = [name for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy") if os.environ.get(name)]
    exempt = (os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or "").split(",")
    if names and "*" not in exempt and session.settings.server.host not in exempt:
        detail = f"{', '.join(names)} would take requests to {session.settings.server.host} elsewhere"
        return Finding("proxy", "warning", detail, "run programs with `roca env -- …`, or add the address to NO_PROXY")
    return Finding("proxy", "ok", "none in the way")


CHECKS: tuple[Callable[[Session], Finding], ...] = (
    check_python,
    check_packages,
    check_processor,
    check_memory,
    check_disk,
    check_permissions,
    check_server,
    check_models,
    check_proxy,
)
"""Every check, in the order shown."""
