"""Errors in the form that OpenAI's clients read."""

from __future__ import annotations

from typing import Any

from rocamadre.api.http import Reply, json_reply
from rocamadre.core.errors import (
    AccessDenied,
    CommonError,
    Conflict,
    InvalidRequest,
    MissingDependency,
    ModelNotReady,
    ModelTimeout,
    NotBuilt,
    NotFound,
    QuotaExceeded,
    RocamadreError,
    Throttled,
    Unavailable,
    Unknown,
)


class BadParameter(InvalidRequest):
    """A parameter of the request is wrong.

    Args:
        message: The sentence that the client reads.
        param: The parameter, as the client spells it.
        code: What is wrong with it, in a word.
    """

    def __init__(self, message: str, *, param: str | None, code: str | None = "invalid_value") -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class NotHere(NotFound):
    """Nothing with this id is here.

    Args:
        message: The sentence that the client reads.
        param: The parameter that holds the id.
        code: What is wrong with it, in a word.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


_UNAUTHENTICATED = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)
_KINDS: tuple[tuple[type[RocamadreError], int, str, str | None], ...] = (
    (NotFound, 404, "invalid_request_error", "model_not_found"),
    (NotBuilt, 400, "invalid_request_error", "unsupported_value"),
    (InvalidRequest, 400, "invalid_request_error", None),
    (Unknown, 400, "invalid_request_error", None),
    (MissingDependency, 400, "invalid_request_error", None),
    (Conflict, 409, "invalid_request_error", None),
    (QuotaExceeded, 429, "insufficient_quota", "insufficient_quota"),
    (AccessDenied, 403, "permission_error", None),
    (Throttled, 429, "rate_limit_error", "rate_limit_exceeded"),
    (Unavailable, 503, "server_error", None),
    (ModelNotReady, 503, "server_error", "model_not_ready"),
    (ModelTimeout, 504, "server_error", "timeout"),
)


def error_object(error: RocamadreError) -> tuple[int, dict[str, Any]]:
    """An error's HTTP status and JSON object."""
    status, kind, code = 500, "server_error", None
    if isinstance(error, CommonError):
        status, kind, code = _common(error)
    else:
        for error_type, *rest in _KINDS:
            if isinstance(error, error_type):
                status, kind, code = rest  # type: ignore[assignment]
                break
    param = None
    if isinstance(error, BadParameter | NotHere):
        param, code = error.param, error.code
    elif code == "model_not_found":
        param = "model"
    return status, {"error": {"message": error.message, "type": kind, "param": param, "code": code}}


def error_reply(error: RocamadreError) -> Reply:
    """An error as an HTTP answer."""
    status, body = error_object(error)
    headers = {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    return json_reply(body, status=status, headers=headers)


def _common(error: CommonError) -> tuple[int, str, str | None]:
    if error.code in _UNAUTHENTICATED:
        return 401, "invalid_request_error", "invalid_api_key"
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    return error.status, kind, None
