"""What the server tells about itself, and the reset for tests."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import psutil
from sqlalchemy import delete

from rocamadre import __version__
from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.catalog.snapshot import forget
from rocamadre.core.context import Context
from rocamadre.core.errors import AccessDenied
from rocamadre.customization.models import let_go_of_account, sweep
from rocamadre.guardrails.enforced import forget_enforced
from rocamadre.observability.metrics import CONTENT_TYPE
from rocamadre.store.sql.database import METADATA

if TYPE_CHECKING:
    from sqlalchemy import Engine


@route("GET", "/healthz", public=True)
async def health(context: Context, request: HttpRequest) -> Reply:
    """Whether the server answers."""
    return json_reply({"status": "ok", "version": __version__})


@route("GET", "/metrics")
async def metrics(context: Context, request: HttpRequest) -> Reply:
    """Counters and histograms in the text format of Prometheus."""
    registry = context.platform.metrics
    for name in ("engine_memory_bytes", "queued_requests", "active_requests"):
        registry.clear(name)  # Engines that are gone must not linger.
    for engine in context.platform.engines.status():
        registry.gauge("engine_memory_bytes", engine.memory_bytes, model=engine.model_id)
        registry.gauge("queued_requests", engine.queued, model=engine.model_id)
        registry.gauge("active_requests", engine.active, model=engine.model_id)
    registry.gauge("server_memory_bytes", psutil.Process().memory_info().rss)
    return Reply(200, {"content-type": CONTENT_TYPE}, registry.render())


@route("GET", "/_rocamadre/status")
async def status(context: Context, request: HttpRequest) -> Reply:
    """The process, its engines and their memory."""
    platform = context.platform
    server = platform.server
    engines = [asdict(engine) for engine in platform.engines.status()]
    own = psutil.Process().memory_info().rss
    return json_reply(
        {
            "version": __version__,
            "address": server.address if server else "",
            "pid": os.getpid(),
            "uptime_s": round(platform.clock.monotonic() - server.started, 3) if server else 0,
            "auth": platform.settings.server.auth,
            "memory_bytes": own,
            "engines": engines,
            "memory_total_bytes": own + sum(engine["memory_bytes"] for engine in engines),
        }
    )


@route("POST", "/_rocamadre/reset", "/moto-api/reset")
async def reset(context: Context, request: HttpRequest) -> Reply:
    """Delete everything that the caller's account owns.

    Raises:
        AccessDenied: `auth` is `required`: a reset is for tests only.
    """
    if context.platform.settings.server.auth == "required":
        raise AccessDenied('reset is for tests and refused while server.auth is "required"')
    await asyncio.to_thread(context.platform.objects.forget, context.account)
    deleted = await asyncio.to_thread(_empty, context.platform.sql, context.account)
    await asyncio.to_thread(sweep, context.platform)
    forget(context.platform)
    forget_enforced(context.platform.sql)
    return json_reply({"status": "ok", "account": context.account, "deleted_rows": deleted})


def _empty(sql: Engine, account: str) -> int:
    with sql.begin() as connection:
        let_go_of_account(connection, account)
        tables = [
            table for table in reversed(METADATA.sorted_tables) if "account" in table.c and table.name != "api_key"
        ]
        return sum(connection.execute(delete(table).where(table.c.account == account)).rowcount for table in tables)
