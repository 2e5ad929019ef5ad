"""OpenSearch Serverless, control plane and OpenSearch itself, both signed for `aoss`; importing this registers them.

A request that names an operation in `X-Amz-Target` is the control plane's. Every other is one of OpenSearch's clients,
to a collection's endpoint: `/aoss/<collection>/<index>/_search`.
"""

from __future__ import annotations

import asyncio

import msgspec

import rocamadre.api.neighbours.aoss.collections
import rocamadre.api.neighbours.aoss.policies  # noqa: F401
from rocamadre.api.http import Reply
from rocamadre.api.neighbours.answers import ANSWERS
from rocamadre.api.neighbours.aoss import rest
from rocamadre.api.neighbours.dispatch import NeighbourRequest, neighbour, not_built
from rocamadre.api.neighbours.shaped import answer, named, shaped_error
from rocamadre.api.wire.failures import declared_for
from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError, NotFound, RocamadreError


def _named(request: NeighbourRequest) -> str:
    if "x-amz-target" in request.headers:
        return named(request)
    found = rest.find(request)
    return found[0] if found is not None else ""


def _error(error: RocamadreError, request: NeighbourRequest, request_id: str) -> Reply:
    """The control plane's form, or OpenSearch's."""
    if "x-amz-target" in request.headers:
        return shaped_error(error, request, request_id)
    declared = declared_for(error, None)
    code = error.code if isinstance(error, CommonError) else declared.code
    cause = {"type": code, "reason": error.message}
    content = {"error": {"root_cause": [cause], **cause}, "status": declared.status}
    headers = {"content-type": "application/json; charset=UTF-8", "x-request-id": request_id}
    return Reply(declared.status, headers, b"" if request.method == "HEAD" else msgspec.json.encode(content))


@neighbour("aoss", operations=(*ANSWERS["aoss"], *rest.names()), named_by=_named, errors=_error)
async def aoss(context: Context, request: NeighbourRequest) -> Reply:
    """Answer one request.

    Raises:
        CommonError: NotImplemented for what is not here, and whatever the operation raises.
    """
    if "x-amz-target" in request.headers:
        return await answer(context, request)
    found = rest.find(request)
    if found is None:
        collection, path = rest.address(request)
        if not collection:
            raise NotFound("name a collection: the endpoint that BatchGetCollection tells")
        raise not_built("aoss", f"{request.method} /{'/'.join(path)[:200]}")
    return await asyncio.to_thread(rest.answer, context, request, found[1])
