"""/_rocamadre/aliases: names that stand for models that are here."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import msgspec

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.catalog.changes import list_aliases, remove_alias, set_alias
from rocamadre.core.context import Context
from rocamadre.core.errors import AccessDenied, InvalidRequest


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body: a model id as clients write it, or a pattern with `*`, and a model that is here."""

    pattern: str
    model: str


@route("GET", "/_rocamadre/aliases")
async def aliases(context: Context, request: HttpRequest) -> Reply:
    """Every alias, in the order in which they decide."""
    found = await asyncio.to_thread(list_aliases, context.platform)
    return json_reply({"aliases": [asdict(each) for each in found]})


@route("POST", "/_rocamadre/aliases")
async def put(context: Context, request: HttpRequest) -> Reply:
    """Let a name stand for a model; an earlier alias of that name is replaced.

    Raises:
        AccessDenied: keys are wanted here, see `_check_owner`.
    """
    _check_owner(context)
    try:
        asked = msgspec.json.decode(request.body, type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not of the expected form: {error}") from error
    return json_reply(asdict(await asyncio.to_thread(set_alias, context.platform, asked.pattern, asked.model)))


@route("DELETE", "/_rocamadre/aliases/{}")
async def remove(context: Context, request: HttpRequest) -> Reply:
    """Take an alias away that was set through this API or by command.

    Raises:
        AccessDenied: keys are wanted here, see `_check_owner`.
    """
    _check_owner(context)
    pattern = request.path_values[0]
    await asyncio.to_thread(remove_alias, context.platform, pattern)
    return json_reply({"pattern": pattern, "removed": True})


def _check_owner(context: Context) -> None:
    """Aliases hold for every account: where there are several, no key may send the requests of others elsewhere."""
    if context.platform.settings.server.auth == "required":
        raise AccessDenied(
            'aliases hold for everybody; while server.auth is "required" they are changed on the machine of the '
            "server, with `roca models alias`"
        )
