"""Errors in the form that Anthropic's clients read."""

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
_KINDS: tuple[tuple[type[RocamadreError], int, str], ...] = (
    (NotFound, 404, "not_found_error"),
    (NotBuilt, 400, "invalid_request_error"),
    (InvalidRequest, 400, "invalid_request_error"),
    (Unknown, 400, "invalid_request_error"),
    (MissingDependency, 400, "invalid_request_error"),
    (Conflict, 409, "invalid_request_error"),
    (QuotaExceeded, 429, "rate_limit_error"),
    (AccessDenied, 403, "permission_error"),
    (Throttled, 429, "rate_limit_error"),
    (Unavailable, 529, "overloaded_error"),
    (ModelNotReady, 529, "overloaded_error"),
    (ModelTimeout, 504, "timeout_error"),
)
_STATUSES = {
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


def error_object(error: RocamadreError, request_id: str) -> tuple[int, dict[str, Any]]:
    """An error's HTTP status and JSON object."""
    status, kind = 500, "api_error"
    if isinstance(error, CommonError):
        status, kind = _common(error)
    else:
        for error_type, *rest in _KINDS:
            if isinstance(error, error_type):
                status, kind = rest  # type: ignore[assignment]
                break
    return status, {
        "type": "error",
        "error": {"type": kind, "message": error.message},
        "request_id": request_id,
    }


def error_reply(error: RocamadreError, request_id: str) -> Reply:
    """An error as an HTTP answer."""
    status, body = error_object(error, request_id)
    headers = {"request-id": request_id}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    return json_reply(body, status=status, headers=headers)


def _common(error: CommonError) -> tuple[int, str]:
    if error.code in _UNAUTHENTICATED:
        return 401, "authentication_error"
    return error.status, _STATUSES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
