"""Calling functions."""

from __future__ import annotations

import logging
import os
import sys
import threading
from datetime import datetime
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import insert

from rocamadre.core.arn import Arn
from rocamadre.core.context import Context, Principal
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.identity.sessions import create_session
from rocamadre.jobs.runner import JobSpec
from rocamadre.neighbours.lambdas import mapped
from rocamadre.neighbours.lambdas.archive import unpack
from rocamadre.neighbours.lambdas.errors import ContentInvalid, ContentTooLarge, TooManyInvocations
from rocamadre.neighbours.lambdas.names import Named, function_arn, parse_name
from rocamadre.neighbours.lambdas.operations import code_folder, get_function, read_code
from rocamadre.neighbours.lambdas.runner import TASK_ROOT, Order, run
from rocamadre.neighbours.lambdas.tables import EVENTS
from rocamadre.neighbours.lambdas.types import LATEST, Function, Invocation, Ran
from rocamadre.neighbours.logs.errors import LogsExists, LogsNotFound
from rocamadre.neighbours.logs.operations import create_group, put_events

logger = logging.getLogger(__name__)

EVENT_KIND = "lambda-event"
MAX_EVENT_BYTES = 6_291_456
MAX_ASYNC_EVENT_BYTES = 1_048_576

_slots: WeakKeyDictionary[SqlEngine, threading.BoundedSemaphore] = WeakKeyDictionary()
_slots_lock = threading.Lock()


def invoke_function(ctx: Context, arn: str, event: Any) -> Invocation:
    """Call a function and wait for what it returns.

    Args:
        ctx: In whose name.
        arn: Of a function, with or without version; its name does too. Or one that the settings map elsewhere.
        event: Anything that JSON can say.

    Returns:
        Also where the function failed: look at `failed`.

    Raises:
        FunctionNotFound: there is no such function.
        ContentTooLarge: the event has over 6 MiB.
        TooManyInvocations: as many run as may at a time.
        CannotRun: functions cannot run on this machine as the settings are.
    """
    return invoke(ctx, arn, msgspec.json.encode(event))


def invoke(
    ctx: Context, name: str, payload: bytes, *, qualifier: str = "", request_id: str = "", wait: bool = False
) -> Invocation:
    """`invoke_function` for an event that is JSON already; an empty one counts as `{}`.

    Args:
        ctx: In whose name.
        name: The function's name or ARN.
        payload: JSON.
        qualifier: A version.
        request_id: Of this invocation; empty for a new one.
        wait: Whether to wait while as many functions run as may at a time, instead of raising TooManyInvocations.

    Raises:
        ContentInvalid: it is no JSON.
    """
    named = parse_name(ctx, name, qualifier)
    text = _checked(payload, MAX_EVENT_BYTES)
    request_id = request_id or str(uuid4())
    target = mapped.target_of(ctx, named.name, named.qualifier)
    function = None if target else get_function(ctx, named.name, named.qualifier)
    slots = _slots_of(ctx)
    if not slots.acquire(blocking=wait):
        raise TooManyInvocations(
            f"Rate Exceeded: {ctx.platform.settings.neighbours.lambda_concurrency} functions run at the moment "
            "(setting neighbours.lambda_concurrency)"
        )
    try:
        begun = ctx.platform.clock.now()
        stream = f"{begun:%Y/%m/%d}/[{named.version}]{uuid4().hex}"
        if function is not None:
            ran = _run_code(ctx, function, text, request_id=request_id, stream=stream)
        elif mapped.is_url(target):
            ran = mapped.post(target, text.encode(), request_id=request_id)
        else:
            ran = run(ctx, _own_order(ctx, named, target, text, request_id=request_id, stream=stream))
    finally:
        slots.release()
    memory_mb = function.config.memory_mb if function is not None else mapped.MEMORY_MB
    lines = _log_lines(ran, begun, request_id=request_id, version=named.version, memory_mb=memory_mb)
    _write_log(ctx, _log_group(named.name, function), stream, lines)
    logger.info("lambda.invoked", extra={"function": named.name, "request_id": request_id, "failed": bool(ran.error)})
    told = msgspec.json.encode(ran.error) if ran.payload is None else ran.payload.encode()
    log = "".join(f"{line}\n" for _, line in lines)
    return Invocation(told, "Unhandled" if ran.payload is None else "", named.version, log)


def enqueue_event(ctx: Context, name: str, payload: bytes, *, qualifier: str = "") -> str:
    """Record an event that a function is to be called with soon; returns its request id.

    It survives the machine: a call that was cut off is made again.

    Raises:
        FunctionNotFound: there is no such function.
        ContentInvalid: the event is no JSON.
        ContentTooLarge: it has over 1 MiB.
    """
    named = parse_name(ctx, name, qualifier)
    text = _checked(payload, MAX_ASYNC_EVENT_BYTES)
    if not mapped.target_of(ctx, named.name, named.qualifier):
        get_function(ctx, named.name, named.qualifier)
    request_id = str(uuid4())
    row = {
        "id": request_id,
        "account": ctx.account,
        "region": ctx.region,
        "name": named.name,
        "qualifier": named.qualifier,
        "payload": text.encode(),
    }
    with ctx.platform.sql.begin() as tx:
        tx.execute(insert(EVENTS).values(row))
        ctx.platform.jobs.enqueue(tx, JobSpec(EVENT_KIND, f"lambda-event:{request_id}", {"id": request_id}))
    return request_id


def _checked(payload: bytes, most: int) -> str:
    if len(payload) > most:
        raise ContentTooLarge(f"{len(payload)} byte payload is too large for the Invoke operation (limit {most} bytes)")
    if not payload:
        return "{}"
    try:
        msgspec.json.decode(payload)
        return payload.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContentInvalid(f"Could not parse request body into json: {error}") from error


def _slots_of(ctx: Context) -> threading.BoundedSemaphore:
    with _slots_lock:
        slots = _slots.get(ctx.platform.sql)
        if slots is None:
            slots = threading.BoundedSemaphore(ctx.platform.settings.neighbours.lambda_concurrency)
            _slots[ctx.platform.sql] = slots
        return slots


def _log_group(name: str, function: Function | None) -> str:
    chosen = function.config.echoed.get("LoggingConfig", {}).get("LogGroup") if function is not None else None
    return chosen or f"/aws/lambda/{name}"


def _run_code(ctx: Context, function: Function, event: str, *, request_id: str, stream: str) -> Ran:
    folder = code_folder(ctx, function.code_hash)
    if not folder.is_dir():
        unpack(read_code(ctx, function), folder)
    config = function.config
    named = Named(function.name, function.version)
    order = Order(
        code=folder,
        handler=config.handler,
        event=event,
        environment={**_lambda_environment(ctx, function, stream), **config.environment},
        facts=_facts(ctx, named, _log_group(function.name, function), request_id=request_id, stream=stream),
        timeout_s=config.timeout_s,
        memory_mb=config.memory_mb,
        scratch_mb=config.scratch_mb,
    )
    return run(ctx, order)


def _own_order(ctx: Context, named: Named, target: str, event: str, *, request_id: str, stream: str) -> Order:
    """The owner's own Python function, in the environment of this server but for its settings and AWS's variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    return Order(
        code=None,
        handler=mapped.handler_of(target),
        event=event,
        environment={**kept, **_address(ctx), "AWS_LAMBDA_FUNCTION_NAME": named.name},
        facts=_facts(ctx, named, _log_group(named.name, None), request_id=request_id, stream=stream),
        timeout_s=mapped.TIMEOUT_S,
        memory_mb=mapped.MEMORY_MB,
        scratch_mb=512,
    )


def _facts(ctx: Context, named: Named, log_group: str, *, request_id: str, stream: str) -> dict[str, Any]:
    arn = function_arn(ctx, named.name)
    return {
        "request_id": request_id,
        "name": named.name,
        "version": named.version,
        "arn": arn if named.version == LATEST else f"{arn}:{named.version}",
        "log_group": log_group,
        "log_stream": stream,
    }


def _lambda_environment(ctx: Context, function: Function, stream: str) -> dict[str, str]:
    """The variables that Lambda itself sets."""
    config = function.config
    environment = {
        "_HANDLER": config.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": _log_group(function.name, function),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_DEFAULT_REGION": ctx.region,
        "AWS_REGION": ctx.region,
        "HOME": "/tmp",
        "LAMBDA_TASK_ROOT": TASK_ROOT,
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": "UTC",
    }
    if ctx.platform.settings.neighbours.lambda_network:
        environment |= _address(ctx) | _credentials(ctx, function)
    return environment


def _address(ctx: Context) -> dict[str, str]:
    """Where this server is, for the AWS clients of a function."""
    if ctx.platform.server is not None:
        return {"AWS_ENDPOINT_URL": ctx.platform.server.address, "AWS_EC2_METADATA_DISABLED": "true"}
    try:
        told = msgspec.json.decode((ctx.platform.settings.home / "server.json").read_bytes())
        return {"AWS_ENDPOINT_URL": told["address"], "AWS_EC2_METADATA_DISABLED": "true"}
    except (OSError, msgspec.DecodeError, KeyError):
        return {}


def _credentials(ctx: Context, function: Function) -> dict[str, str]:
    """Temporary credentials that speak for the function's role, for as long as it may run."""
    role = Arn.parse(function.config.role).resource.rpartition("/")[2]
    principal = Principal(f"assumed-role/{role}/{function.name}", function.account)
    platform = ctx.platform
    made = create_session(
        platform.sql,
        platform.settings.home,
        platform.clock,
        principal=principal,
        duration_s=function.config.timeout_s + 60,
    )
    return {
        "AWS_ACCESS_KEY_ID": made.access_key_id,
        "AWS_SECRET_ACCESS_KEY": made.secret,
        "AWS_SESSION_TOKEN": made.token,
    }


def _log_lines(ran: Ran, begun: datetime, *, request_id: str, version: str, memory_mb: int) -> list[tuple[int, str]]:
    """The function's output between the lines that Lambda writes round it."""
    start_ms = int(begun.timestamp() * 1000)
    lines = [(start_ms, f"START RequestId: {request_id} Version: {version}")]
    lines += [(max(moment, start_ms), line) for moment, line in ran.lines if line]
    end_ms = max(lines[-1][0], start_ms + int(ran.init_ms + ran.duration_ms))
    kind = (ran.error or {}).get("errorType", "")
    if kind in ("Sandbox.Timedout", "Runtime.OutOfMemory", "Runtime.ExitError"):
        lines.append((end_ms, str((ran.error or {}).get("errorMessage", ""))))
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {ran.duration_ms:.2f} ms\t"
        f"Billed Duration: {int(ran.duration_ms) + 1} ms\tMemory Size: {memory_mb} MB\t"
        f"Max Memory Used: {ran.peak_mb} MB\tInit Duration: {ran.init_ms:.2f} ms"
    )
    status = {"Sandbox.Timedout": "\tStatus: timeout"}.get(kind, f"\tStatus: error\tError Type: {kind}" if kind else "")
    return [*lines, (end_ms, f"END RequestId: {request_id}"), (end_ms, report + status)]


def _write_log(ctx: Context, group: str, stream: str, lines: list[tuple[int, str]]) -> None:
    """Write a function's log; the group is made if it is missing, as Lambda does.

    A log that cannot be written does not undo what the function did.
    """
    try:
        try:
            put_events(ctx, group, stream, lines)
        except LogsNotFound:
            try:
                create_group(ctx, group)
            except LogsExists:
                pass
            put_events(ctx, group, stream, lines)
    except (NotFound, InvalidRequest) as error:
        logger.warning("lambda.log_lost", extra={"group": group, "why": error.message})
