"""GET /coverage.json."""

from __future__ import annotations

import asyncio
from functools import cache

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.core.context import Context


@route("GET", "/coverage.json", public=True)
async def coverage(context: Context, request: HttpRequest) -> Reply:
    """Which operations there are."""
    return json_reply(await asyncio.to_thread(_coverage))


@cache
def _coverage() -> object:
    # Imported late: that module imports the list of endpoints, which imports this one.
    from rocamadre.api.coverage import coverage_json, entries  # noqa: PLC0415

    return coverage_json(entries())
