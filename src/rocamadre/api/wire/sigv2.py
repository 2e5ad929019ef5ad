"""Signature version 2 in the query, which boto3 makes signed S3 URLs with unless told otherwise. Pure, no I/O."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus

from rocamadre.core.errors import CommonError

_SIGNED_PARAMETERS = frozenset(
    "accelerate acl analytics cors defaultObjectAcl delete inventory lifecycle location logging metrics notification "
    "object-lock partNumber policy replication requestPayment restore select select-type storageClass tagging torrent "
    "uploadId uploads versionId versioning versions website response-cache-control response-content-disposition "
    "response-content-encoding response-content-language response-content-type response-expires".split()
)
_LONGEST = 20


@dataclass(frozen=True, slots=True)
class OldCredential:
    """What a signed URL claims; nothing of it is verified yet.

    Attributes:
        signature: HMAC-SHA1 in Base64.
        expires: Seconds since 1970.
        session_token: From `x-amz-security-token`.
    """

    access_key: str
    signature: str
    expires: int
    session_token: str | None = None


def parse_signed_url(query: bytes) -> OldCredential | None:
    """The credential of a signed URL; None when it carries none.

    Raises:
        CommonError: AccessDenied (403): a parameter is missing or malformed.
    """
    values = dict(_pairs(query))
    key = values.get("AWSAccessKeyId")
    if key is None:
        return None
    expires, signature = values.get("Expires") or "", values.get("Signature") or ""
    if not key or not signature or not (expires.isascii() and expires.isdecimal() and len(expires) <= _LONGEST):
        raise CommonError(
            "AccessDenied", 403, "A signed URL needs AWSAccessKeyId, Signature and Expires (seconds since 1970)."
        )
    return OldCredential(key, signature, int(expires), values.get("x-amz-security-token"))


def check_old_expiry(credential: OldCredential, now: datetime) -> None:
    """Refuse a URL past its time.

    Raises:
        CommonError: AccessDenied, 403.
    """
    if now.timestamp() > credential.expires:
        raise CommonError("AccessDenied", 403, "Request has expired")


def verify_signed_url(
    credential: OldCredential,
    *,
    secret: str,
    method: str,
    resource: bytes,
    query: bytes,
    headers: Mapping[str, str],
    now: datetime,
) -> None:
    """Check a signed URL against the key's secret.

    Args:
        credential: As `parse_signed_url` returned it.
        secret: The secret access key.
        method: HTTP method.
        resource: The raw path, with the bucket in front where the host named it.
        query: As sent, without `?`.
        headers: By lower-case name; those that were signed may stand in the query instead.
        now: Aware.

    Raises:
        CommonError: AccessDenied or SignatureDoesNotMatch, 403.
    """
    check_old_expiry(credential, now)
    pairs = _pairs(query)
    values = {name.lower(): value or "" for name, value in pairs}
    lines = [method]
    lines += [headers.get(name) or values.get(name, "") for name in ("content-md5", "content-type")]
    lines.append(str(credential.expires))
    amazon = {name: value for name, value in {**values, **headers}.items() if name.startswith("x-amz-")}
    lines += [f"{name}:{' '.join(value.split())}" for name, value in sorted(amazon.items())]
    signed = sorted((name, value) for name, value in pairs if name in _SIGNED_PARAMETERS)
    listed = "&".join(name if value is None else f"{name}={value}" for name, value in signed)
    lines.append(resource.decode("latin-1") + (f"?{listed}" if listed else ""))
    digest = hmac.digest(secret.encode(), "\n".join(lines).encode(), "sha1")
    if not hmac.compare_digest(base64.b64encode(digest), credential.signature.encode()):
        raise CommonError(
            "SignatureDoesNotMatch",
            403,
            "The request signature we calculated does not match the signature you provided. Check your key and signing "
            "method.",
        )


def _pairs(query: bytes) -> list[tuple[str, str | None]]:
    """Decoded; None where there is no `=`."""
    pairs = []
    for pair in query.decode("latin-1").split("&"):
        name, equals, value = pair.partition("=")
        pairs.append((unquote_plus(name), unquote_plus(value) if equals else None))
    return pairs
