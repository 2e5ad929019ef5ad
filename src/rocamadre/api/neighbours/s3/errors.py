"""S3's form of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.errors import xml_text
from rocamadre.api.wire.failures import declared_for
from rocamadre.core.errors import CommonError, RocamadreError

if TYPE_CHECKING:
    from rocamadre.api.neighbours.dispatch import NeighbourRequest

XML = "application/xml"

_RENAMED = {
    "MissingAuthenticationTokenException": ("AccessDenied", 403),
    "AccessDeniedException": ("AccessDenied", 403),
    "ExpiredTokenException": ("AccessDenied", 403),
    "IncompleteSignatureException": ("AuthorizationHeaderMalformed", 400),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "UnrecognizedClientException": ("InvalidAccessKeyId", 403),
    "ThrottlingException": ("SlowDown", 503),
    "ValidationException": ("InvalidArgument", 400),
    "ResourceNotFoundException": ("NoSuchKey", 404),
    "ConflictException": ("OperationAborted", 409),
    "RequestEntityTooLargeException": ("EntityTooLarge", 400),
    "ServiceUnavailableException": ("ServiceUnavailable", 503),
    "ModelErrorException": ("RequestTimeout", 400),
    "InternalServerException": ("InternalError", 500),
}
"""Common codes of AWS, in S3's words."""


class NotModified(CommonError):
    """The client has this version already; answered without a body."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("NotModified", 304, "Not Modified")
        self.headers = headers


def s3_error(error: RocamadreError, request: NeighbourRequest, request_id: str) -> Reply:
    """As S3 answers; without a body where HTTP allows none."""
    known = getattr(error, "s3", None)
    if known is None:
        declared = declared_for(error, None)
        known = _RENAMED.get(declared.code, (declared.code, declared.status))
    code, status = known
    headers = {"x-amz-request-id": request_id, "content-type": XML}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    if isinstance(error, NotModified):
        return Reply(304, error.headers | {"x-amz-request-id": request_id})
    if request.method == "HEAD":
        return Reply(status, headers)
    path = xml_text(request.raw_path[:2048].decode("latin-1"))
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{xml_text(code)}</Code>'
        f"<Message>{xml_text(error.message)}</Message><Resource>{path}</Resource>"
        f"<RequestId>{request_id}</RequestId></Error>"
    )
    return Reply(status, headers, body.encode())
