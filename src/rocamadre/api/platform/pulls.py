"""/_rocamadre/pulls: bring models here in the background, see how far it is, stop it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

import msgspec

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.catalog.pull import PullSpec
from rocamadre.catalog.pulls import Pull, get_pull, list_pulls, start_pull, stop_pull
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest

_MOST = 100


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body; members as the options of `roca models pull`."""

    source: str
    name: str | None = None
    owner: str | None = None
    file: str | None = None
    revision: str | None = None
    kind: str = "F16"
    context_length: int | None = None


@route("POST", "/_rocamadre/pulls")
async def begin(context: Context, request: HttpRequest) -> Reply:
    """Begin a pull; the same wish, while it is being done, is the one that is being done."""
    try:
        asked = msgspec.json.decode(request.body, type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not of the expected form: {error}") from error
    return json_reply(_shown(await asyncio.to_thread(start_pull, context, PullSpec(**msgspec.structs.asdict(asked)))))


@route("GET", "/_rocamadre/pulls")
async def pulls(context: Context, request: HttpRequest) -> Reply:
    """The account's pulls, newest first; `status` in the query chooses, `limit` and `after` (an id) page."""
    asked = request.parameters()
    limit = asked.get("limit", str(_MOST))
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST:
        raise InvalidRequest(f"limit is {limit!r}; 1 to {_MOST} are taken")
    found = await asyncio.to_thread(list_pulls, context)
    if status := asked.get("status", ""):
        found = [each for each in found if each.status == status]
    if after := asked.get("after", ""):
        places = [place for place, each in enumerate(found) if each.id == after]
        found = found[places[0] + 1 :] if places else []
    page = found[: int(limit)]
    answer: dict[str, Any] = {"pulls": [_shown(each) for each in page]}
    if len(found) > len(page):
        answer["next"] = page[-1].id
    return json_reply(answer)


@route("GET", "/_rocamadre/pulls/{}")
async def one(context: Context, request: HttpRequest) -> Reply:
    """One pull and how far it is."""
    return json_reply(_shown(await asyncio.to_thread(get_pull, context, request.path_values[0])))


@route("POST", "/_rocamadre/pulls/{}/stop")
async def stop(context: Context, request: HttpRequest) -> Reply:
    """Ask a pull to stop; what came is kept."""
    return json_reply(_shown(await asyncio.to_thread(stop_pull, context, request.path_values[0])))


def _shown(pull: Pull) -> dict[str, Any]:
    told = asdict(pull)
    return {**told.pop("spec"), **told}
