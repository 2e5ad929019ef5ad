"""Functions that the settings map to something else: a URL, or a Python function of the owner's own."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

import msgspec

from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.neighbours.lambdas.bootstrap import MAX_RESULT_BYTES
from rocamadre.neighbours.lambdas.names import function_arn
from rocamadre.neighbours.lambdas.types import Ran

TIMEOUT_S = 60.0
MEMORY_MB = 1024


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Answer none: the settings name the place."""


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def target_of(ctx: Context, name: str, qualifier: str) -> str:
    """What the settings map a function to; empty for nothing.

    Args:
        ctx: Who asks.
        name: The bare name.
        qualifier: A version or alias, or empty.
    """
    mapping = ctx.platform.settings.neighbours.lambda_functions
    arn = function_arn(ctx, name)
    for key in (f"{arn}:{qualifier}", f"{name}:{qualifier}") if qualifier else ():
        if key in mapping:
            return mapping[key]
    return mapping.get(arn) or mapping.get(name) or ""


def is_url(target: str) -> bool:
    """Whether a target is a URL; otherwise it is `package.module:function`."""
    return "://" in target


def handler_of(target: str) -> str:
    """`package.module:function` as a handler's name.

    Raises:
        InvalidRequest: it is no such thing.
    """
    module, colon, name = target.partition(":")
    if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise InvalidRequest(
            f"the setting neighbours.lambda_functions maps to {target!r}; it must be a URL or package.module:function"
        )
    return f"{module}.{name}"


def post(target: str, payload: bytes, *, request_id: str) -> Ran:
    """Send an event to a URL; its answer is the function's.

    Raises:
        InvalidRequest: the URL is none of http or https.
    """
    if not target.startswith(("http://", "https://")):
        raise InvalidRequest(
            f"the setting neighbours.lambda_functions maps to {target!r}; a URL begins with http or https"
        )
    headers = {"content-type": "application/json", "x-amzn-requestid": request_id}
    request = urllib.request.Request(target, payload, headers, method="POST")
    try:
        with _opener.open(request, timeout=TIMEOUT_S) as answer:
            body = answer.read(MAX_RESULT_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read(10_000)
        return _failed("Function.HttpError", f"{target} answered {error.code}: {body[:500].decode('utf-8', 'replace')}")
    except (OSError, HTTPException, ValueError) as error:
        return _failed("Function.Unreachable", f"{target} does not answer: {error}")
    if len(body) > MAX_RESULT_BYTES:
        return _failed("Function.ResponseSizeTooLarge", f"{target} answered with more than {MAX_RESULT_BYTES} bytes")
    try:
        msgspec.json.decode(body or b"null")
        return Ran(body.decode() or "null", None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _failed("Runtime.MarshalError", f"{target} answered no JSON: {error}")


def _failed(kind: str, message: str) -> Ran:
    return Ran(None, {"errorType": kind, "errorMessage": message})
