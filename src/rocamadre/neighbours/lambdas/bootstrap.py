"""What runs inside the walls: imports a function's module, calls its handler, and tells what came of it.

Only the standard library. Errors look as Lambda writes them.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

READY = b"ready\n"
"""Sent before the handler is called: from here on its time counts."""
MAX_RESULT_BYTES = 6 * 1024 * 1024


class LambdaContext:
    """The second argument of a handler.

    Attributes:
        aws_request_id: Of this invocation.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self.aws_request_id: str = facts["request_id"]
        self.function_name: str = facts["name"]
        self.function_version: str = facts["version"]
        self.invoked_function_arn: str = facts["arn"]
        self.memory_limit_in_mb: str = str(facts["memory_mb"])
        self.log_group_name: str = facts["log_group"]
        self.log_stream_name: str = facts["log_stream"]
        self.identity = None
        self.client_context = None
        self._ends = time.monotonic() + facts["timeout_s"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is ended."""
        return max(0, int((self._ends - time.monotonic()) * 1000))


class Failure(Exception):
    """The function could not be called; `kind` is Lambda's name for why."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.trace = trace or []


def run(facts: dict[str, Any], result_fd: int) -> None:
    """Run a function once.

    Args:
        facts: `handler`, `event` (JSON text), `environment`, `task_root`, and what `LambdaContext` reads.
        result_fd: Gets `READY` and one line of JSON, `{"payload": …}` or `{"error": {…}}`.
    """
    os.environ.clear()
    os.environ.update(facts["environment"])
    time.tzset()
    os.chdir(facts["task_root"])
    sys.path.insert(0, facts["task_root"])
    _log_to_output(facts["request_id"])
    try:
        handler = _find(facts["handler"])
        event = json.loads(facts["event"])
        os.write(result_fd, READY)
        told: dict[str, Any] = {"payload": _written(_called(handler, event, LambdaContext(facts)))}
    except Failure as failure:
        error = {"errorMessage": str(failure), "errorType": failure.kind, "requestId": facts["request_id"]}
        told = {"error": {**error, "stackTrace": failure.trace}}
        lines = ["Traceback (most recent call last):\n", *failure.trace] if failure.trace else []
        sys.stdout.write(f"[ERROR] {failure.kind}: {failure}\n{''.join(lines)}")
    sys.stdout.flush()
    sys.stderr.flush()
    _write_all(result_fd, json.dumps(told).encode() + b"\n")


def _find(handler: str) -> Callable[[Any, Any], Any]:
    module_name, dot, name = handler.rpartition(".")
    if not dot:
        raise Failure("Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack")
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise Failure("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        line = f'  File "{error.filename}", line {error.lineno}\n    {(error.text or "").rstrip()}\n'
        message = f"Syntax error in module '{module_name}': {error}"
        raise Failure("Runtime.UserCodeSyntaxError", message, [line]) from error
    except BaseException as error:
        raise _failure(error) from error
    if not hasattr(module, name):
        raise Failure("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'")
    found: Callable[[Any, Any], Any] = getattr(module, name)
    return found


def _called(handler: Callable[[Any, Any], Any], event: Any, context: LambdaContext) -> Any:
    try:
        return handler(event, context)
    except BaseException as error:
        raise _failure(error) from error


def _failure(error: BaseException) -> Failure:
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        return Failure("Runtime.ExitError", f"Error: Runtime exited with error: exit status {code}")
    # It reads the error's text safely: a stranger's __str__ may raise anything.
    told = traceback.TracebackException.from_exception(error)
    # The first frames are this module's, and importlib's.
    foreign = [
        frame for frame in told.stack if frame.filename != __file__ and not frame.filename.startswith("<frozen ")
    ]
    return Failure(type(error).__name__, str(told)[:100_000], traceback.format_list(foreign[-50:]))


def _written(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:  # Half of a surrogate pair: it can only be written escaped.
            text = json.dumps(value)
            size = len(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise Failure("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
    if size > MAX_RESULT_BYTES:
        raise Failure(
            "Function.ResponseSizeTooLarge",
            f"Response payload size exceeded maximum allowed payload size ({MAX_RESULT_BYTES} bytes).",
        )
    return text


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _log_to_output(request_id: str) -> None:
    """Let `logging` write to the function's log, as Lambda's runtime does."""
    handler = logging.StreamHandler(sys.stdout)
    form = f"[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t{request_id}\t%(message)s"
    handler.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
    logging.getLogger().addHandler(handler)
