"""Lambda: calling functions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rocamadre.api.neighbours.answers import answers
from rocamadre.core.context import Context
from rocamadre.neighbours.lambdas.errors import FunctionInvalid
from rocamadre.neighbours.lambdas.invoking import enqueue_event, invoke
from rocamadre.neighbours.lambdas.operations import get_function

_TAIL_BYTES = 4096

_WAITING = ThreadPoolExecutor(max_workers=256, thread_name_prefix="lambda")
"""Threads that wait for functions: apart from the event loop's own, which must stay free for quick work."""


@answers(
    "lambda",
    "Invoke",
    missing=(
        "Every call is a cold start: nothing is kept between calls.",
        "InvocationType=Event: a function that fails is not called again.",
        "ClientContext: not handed to the function.",
        "DurableExecutionName, TenantId: refused.",
    ),
    executor=_WAITING,
)
def invoke_operation(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Call a function."""
    for name in ("DurableExecutionName", "TenantId"):
        if request.get(name):
            raise FunctionInvalid(f"{name} is not taken here")
    function, qualifier = request["FunctionName"], request.get("Qualifier", "")
    kind = request.get("InvocationType", "RequestResponse")
    payload = request.get("Payload", b"")
    if kind == "DryRun":
        get_function(ctx, function, qualifier)
        return {"StatusCode": 204}
    if kind == "Event":
        enqueue_event(ctx, function, payload, qualifier=qualifier)
        return {"StatusCode": 202}
    done = invoke(ctx, function, payload, qualifier=qualifier, request_id=ctx.request_id)
    answer: dict[str, Any] = {"StatusCode": 200, "Payload": done.payload, "ExecutedVersion": done.version}
    if done.failed:
        answer["FunctionError"] = done.function_error
    if request.get("LogType") == "Tail":
        answer["LogResult"] = base64.b64encode(done.log.encode()[-_TAIL_BYTES:]).decode()
    return answer
