"""Building the platform at start, and taking it down."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil

from rocamadre import __version__
from rocamadre.api.openai.background import stop_all
from rocamadre.catalog.targets import is_target
from rocamadre.core.clock import SystemClock
from rocamadre.core.context import Platform, ServerInfo
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.settings import ServerSettings, Settings
from rocamadre.customization.models import sweep
from rocamadre.engines.pool import EnginePool
from rocamadre.invocations.log import InvocationLog
from rocamadre.jobs.queue import QueuedJobs
from rocamadre.knowledge.open_stores import open_stores_of
from rocamadre.knowledge.operations import finish_deletions
from rocamadre.neighbours.lambdas.runner import stop_all as stop_functions
from rocamadre.observability.metrics import Metrics
from rocamadre.store.objects.registry import open_objects
from rocamadre.store.sql.database import open_database

SERVER_FILE = "server.json"
"""In the home: address, pid and start time of the running server."""


def check_exposure(server: ServerSettings) -> None:
    """Refuse to listen where strangers could reach an unlocked server.

    Raises:
        InvalidRequest: another address than loopback without keys, or without TLS and not `insecure`.
    """
    if (server.tls_cert is None) != (server.tls_key is None):
        raise InvalidRequest("server.tls_cert and server.tls_key come together; one of them is missing")
    if server.host in ("127.0.0.1", "localhost", "::1"):
        return
    if server.auth != "required":
        raise InvalidRequest(
            f"server.host is {server.host}, reachable from other machines, and server.auth is open, so that anybody "
            'could use it; set server.auth = "required" and make keys with `roca keys create`'
        )
    if server.tls_cert is None and not server.insecure:
        raise InvalidRequest(
            f"server.host is {server.host} without TLS: prompts would cross the network in the clear; set "
            "server.tls_cert and server.tls_key, or server.insecure = true if something in front encrypts"
        )


def build_platform(settings: Settings, *, address: str) -> Platform:
    """Everything that requests need, opened and ready."""
    clock = SystemClock()
    metrics = Metrics()
    sql = open_database(settings.home, settings.database)
    platform = Platform(
        settings=settings,
        sql=sql,
        engines=EnginePool(settings.engines, settings.home, wanted=partial(is_target, sql)),
        metrics=metrics,
        clock=clock,
        objects=open_objects(settings),
        jobs=QueuedJobs(sql, clock),
        server=ServerInfo(address, os.getpid(), clock.monotonic()),
    )
    sweep(platform)
    finish_deletions(platform)
    return replace(platform, invocations=InvocationLog(platform))


async def close_platform(platform: Platform) -> None:
    """Stop every engine, close the database; leaves no process behind."""
    await stop_all(platform.sql)
    if platform.invocations is not None:
        await asyncio.to_thread(platform.invocations.close)
    stop_functions(platform.settings.home)
    open_stores_of(platform).close()
    await platform.engines.close()
    platform.objects.close()
    platform.sql.dispose()


def write_server_file(home: Path, address: str, console: str = "") -> None:
    """Tell other programs where the server is, and its console where there is one."""
    content = {
        "pid": os.getpid(),
        "started_at": psutil.Process().create_time(),
        "address": address,
        "console": console,
        "version": __version__,
    }
    temporary = home / f"{SERVER_FILE}.{os.getpid()}.tmp"
    temporary.write_text(json.dumps(content))
    temporary.replace(home / SERVER_FILE)


def remove_server_file(home: Path) -> None:
    """Take the file away, if it is this process's."""
    path = home / SERVER_FILE
    try:
        if json.loads(path.read_text())["pid"] == os.getpid():
            path.unlink()
    except (OSError, ValueError, KeyError):
        return
