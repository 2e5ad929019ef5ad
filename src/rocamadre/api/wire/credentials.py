"""Who a request says that it comes from: a signature in its header or URL, or a bearer key. Nothing is verified."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qsl

from rocamadre.core.errors import CommonError

ALGORITHM = "AWS4-HMAC-SHA256"
LONGEST_EXPIRY_S = 604_800

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_SCOPE = (
    (re.compile(r"[A-Za-z0-9_.@+=:-]{1,128}"), "with an access key of letters, digits and _.@+=:-"),
    (re.compile(r"[0-9]{8}"), "with a date in the form YYYYMMDD"),
    (_NAME, "to a valid region"),
    (_NAME, "to a valid service"),
)
_AMZ_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_SIGNED_HEADERS = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*")
_BEARER = re.compile(r"[\x21-\x7e]{1,8192}")


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request claims about its sender; nothing of it is verified yet.

    Attributes:
        kind: `header` or `query` (where the signature stood), or `bearer`.
        access_key: Empty for a bearer key, like every member below but `token`.
        date: `YYYYMMDD` of the credential scope.
        signed_headers: Lower-case names, sorted.
        signature: 64 lower-case hexadecimal digits.
        amz_date: `YYYYMMDDTHHMMSSZ`.
        session_token: From `X-Amz-Security-Token`.
        payload_hash: From `X-Amz-Content-SHA256`: a hash, or one of the words for unsigned and chunked payloads.
        expires_s: How long a signed URL lives; None unless `kind` is `query`.
        token: The bearer key.
    """

    kind: Literal["header", "query", "bearer"]
    access_key: str = ""
    date: str = ""
    region: str = ""
    service: str = ""
    signed_headers: tuple[str, ...] = ()
    signature: str = ""
    amz_date: str = ""
    session_token: str | None = None
    payload_hash: str | None = None
    expires_s: int | None = None
    token: str = ""


def parse_authorization(headers: Mapping[str, str], query: bytes) -> Credential | None:
    """The credential that a request carries, in its header or else in its query.

    Args:
        headers: By lower-case name.
        query: As sent, without `?`.

    Returns:
        None when the request carries none.

    Raises:
        CommonError: IncompleteSignatureException (400): it is malformed; MissingAuthenticationTokenException (403):
            the header is there but holds nothing.
    """
    authorization = headers.get("authorization")
    if authorization is None:
        if b"X-Amz-" in query:
            return _from_query(headers, query)
        # Where Anthropic's clients put their key.
        return _bearer(headers["x-api-key"]) if "x-api-key" in headers else None
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme == ALGORITHM:
        return _from_header(headers, rest)
    if scheme.lower() == "bearer":
        return _bearer(rest)
    if not scheme:
        raise CommonError("MissingAuthenticationTokenException", 403, "Missing Authentication Token")
    raise incomplete(f"Unsupported AWS 'algorithm': '{scheme[:40]}'; use {ALGORITHM} or Bearer.")


def _bearer(text: str) -> Credential:
    token = text.strip()
    if not token:
        raise CommonError("MissingAuthenticationTokenException", 403, "Missing Authentication Token")
    if not _BEARER.fullmatch(token):
        raise incomplete("The request holds a bearer token with characters that no token has.")
    return Credential("bearer", token=token)


def incomplete(message: str) -> CommonError:
    """What AWS answers to a signature that lacks a part."""
    return CommonError("IncompleteSignatureException", 400, message)


def _from_header(headers: Mapping[str, str], rest: str) -> Credential:
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise incomplete("Authorization header holds no valid key=value pair (missing equal-sign).")
        if name in parts:
            raise incomplete(f"Authorization header repeats its '{name[:40]}' parameter.")
        parts[name] = value
    lacking = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    moment = headers.get("x-amz-date")
    if moment is None and "date" in headers:
        moment = _basic_date(headers["date"])
    if moment is None:
        lacking.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if lacking:
        raise incomplete(" ".join(lacking))
    return _checked(
        "header",
        parts["Credential"],
        parts["SignedHeaders"],
        parts["Signature"],
        moment or "",
        session_token=headers.get("x-amz-security-token"),
        payload_hash=headers.get("x-amz-content-sha256"),
    )


def _from_query(headers: Mapping[str, str], query: bytes) -> Credential | None:
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    names = [name for name, _ in pairs if name.startswith("X-Amz-")]
    values = dict(pairs)
    if "X-Amz-Signature" not in values and "X-Amz-Credential" not in values:
        return None
    if len(names) != len(set(names)):
        raise incomplete("AWS query-string parameters must not be repeated.")
    wanted = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    lacking = [name for name in wanted if not values.get(f"X-Amz-{name}")]
    if lacking:
        raise incomplete(" ".join(f"AWS query-string parameters must include 'X-Amz-{name}'." for name in lacking))
    if values["X-Amz-Algorithm"] != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': '{values['X-Amz-Algorithm'][:40]}'; use {ALGORITHM}.")
    expires = values["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdecimal() and len(expires) < 8 and 0 < int(expires) <= LONGEST_EXPIRY_S):
        raise incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST_EXPIRY_S}.")
    return _checked(
        "query",
        values["X-Amz-Credential"],
        values["X-Amz-SignedHeaders"],
        values["X-Amz-Signature"],
        values["X-Amz-Date"],
        session_token=values.get("X-Amz-Security-Token"),
        payload_hash=headers.get("x-amz-content-sha256") or values.get("X-Amz-Content-Sha256"),
        expires_s=int(expires),
    )


def _checked(
    kind: Literal["header", "query"],
    scope: str,
    signed_headers: str,
    signature: str,
    amz_date: str,
    *,
    session_token: str | None,
    payload_hash: str | None,
    expires_s: int | None = None,
) -> Credential:
    access_key, date, region, service = _scope(scope)
    names = _header_names(signed_headers)
    if not _SIGNATURE.fullmatch(signature):
        raise incomplete("Signature must be 64 lower-case hexadecimal digits.")
    if not _AMZ_DATE.fullmatch(amz_date):
        raise incomplete(f"Date must be in ISO-8601 'basic format'. Got '{amz_date[:40]}'.")
    return Credential(
        kind, access_key, date, region, service, names, signature, amz_date, session_token, payload_hash, expires_s
    )


@lru_cache(maxsize=1024)
def _header_names(signed_headers: str) -> tuple[str, ...]:
    if not _SIGNED_HEADERS.fullmatch(signed_headers):
        raise incomplete("SignedHeaders must be lower-case header names joined by semicolons.")
    names = tuple(sorted(set(signed_headers.split(";"))))
    if len(names) != signed_headers.count(";") + 1:
        raise incomplete("SignedHeaders names a header twice.")
    return names


@lru_cache(maxsize=1024)
def _scope(scope: str) -> tuple[str, ...]:
    """Access key, date, region and service."""
    elements = scope.split("/")
    if len(elements) != 5:
        raise incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got {len(elements)}."
        )
    *scoped, terminator = elements
    for element, (pattern, wanted) in zip(scoped, _SCOPE, strict=True):
        if not pattern.fullmatch(element):
            raise incomplete(f"Credential should be scoped {wanted}.")
    if terminator != "aws4_request":
        raise incomplete("Credential should be scoped with a valid terminator: 'aws4_request'.")
    return tuple(scoped)


def _basic_date(text: str) -> str:
    """A Date header's moment in basic form; what is no date comes back as it is, to be refused."""
    try:
        return f"{parsedate_to_datetime(text).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    except (ValueError, TypeError, OverflowError):
        return text
