"""Errors on the wire: the operation's own declared shapes and statuses."""

from __future__ import annotations

import msgspec

from rocamadre.api.wire.operations import DeclaredError, Encoded, Operation
from rocamadre.core.errors import (
    AccessDenied,
    CommonError,
    Conflict,
    InvalidRequest,
    ModelFailure,
    NotBuilt,
    NotFound,
    QuotaExceeded,
    RocamadreError,
    Throttled,
    Unavailable,
)

_FALLBACKS: tuple[tuple[type[RocamadreError], str, int], ...] = (
    (InvalidRequest, "ValidationException", 400),
    (NotFound, "ResourceNotFoundException", 404),
    (Conflict, "ConflictException", 409),
    (QuotaExceeded, "ServiceQuotaExceededException", 400),
    (AccessDenied, "AccessDeniedException", 403),
    (Throttled, "ThrottlingException", 429),
    (Unavailable, "ServiceUnavailableException", 503),
    (NotBuilt, "NotImplementedException", 501),
    (ModelFailure, "ModelErrorException", 424),
)
INTERNAL = "The server failed at this request; its log has the details under the request id."


def _fallback(error: RocamadreError) -> DeclaredError:
    if isinstance(error, CommonError):
        return DeclaredError(error.code, error.status, "message", False)
    for kind, code, status in _FALLBACKS:
        if isinstance(error, kind):
            return DeclaredError(code, status, "message", False)
    return DeclaredError("InternalServerException", 500, "message", False)


def declared_for(error: RocamadreError, operation: Operation | None) -> DeclaredError:
    """The first of the error's codes that the operation declares; else a common error of AWS."""
    if operation is not None and not isinstance(error, CommonError):
        for code in error.codes:
            if code in operation.errors:
                return operation.errors[code]
    return _fallback(error)


def encode_error(error: RocamadreError, operation: Operation | None) -> Encoded:
    """An error as an HTTP answer."""
    declared = declared_for(error, operation)
    headers = {"content-type": "application/json", "x-amzn-errortype": declared.code}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    return Encoded(declared.status, headers, msgspec.json.encode(_body(error, declared)))


def _body(error: RocamadreError, declared: DeclaredError) -> dict[str, object]:
    body: dict[str, object] = {declared.message_key: error.message}
    if declared.has_fields and isinstance(error, InvalidRequest) and error.fields:
        body["fieldList"] = [{"name": field.name, "message": field.message} for field in error.fields]
    return body


def encode_event_error(error: RocamadreError, operation: Operation) -> tuple[str, bytes]:
    """An error in mid-stream: the exception frame's type and payload.

    A code that the stream does not declare falls back to its internal error, as AWS does.
    """
    for code in (*error.codes, "ModelStreamErrorException", "InternalServerException"):
        if code in operation.event_errors:
            name, declared = operation.event_errors[code]
            return name, msgspec.json.encode(_body(error, declared))
    return "internalServerException", msgspec.json.encode({"message": error.message})
