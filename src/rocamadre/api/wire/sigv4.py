"""AWS Signature Version 4, verified from the request as it came off the socket.

Pure functions, no I/O. Canonical forms follow the published algorithm as botocore signs it: the raw path is
percent-encoded once more and freed of dot segments for every service but s3, the query is sorted, header values are
trimmed and their inner spaces collapsed, repeated headers are joined by commas.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal
from urllib.parse import parse_qsl, quote_from_bytes, unquote_to_bytes

from rocamadre.api.wire.chunked import ChunkSigner, decode_chunked
from rocamadre.core.errors import CommonError

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=5)
LONGEST_EXPIRY_S = 604_800
EMPTY_SHA256 = sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = frozenset(
    {
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
)
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)

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
_HASH = re.compile(r"[0-9a-f]{64}")
_SHORT_PATH = 512


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
    raise _incomplete(f"Unsupported AWS 'algorithm': '{scheme[:40]}'; use {ALGORITHM} or Bearer.")


def _bearer(text: str) -> Credential:
    token = text.strip()
    if not token:
        raise CommonError("MissingAuthenticationTokenException", 403, "Missing Authentication Token")
    if not _BEARER.fullmatch(token):
        raise _incomplete("The request holds a bearer token with characters that no token has.")
    return Credential("bearer", token=token)


def _incomplete(message: str) -> CommonError:
    return CommonError("IncompleteSignatureException", 400, message)


def _from_header(headers: Mapping[str, str], rest: str) -> Credential:
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise _incomplete("Authorization header holds no valid key=value pair (missing equal-sign).")
        if name in parts:
            raise _incomplete(f"Authorization header repeats its '{name[:40]}' parameter.")
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
        raise _incomplete(" ".join(lacking))
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
        raise _incomplete("AWS query-string parameters must not be repeated.")
    wanted = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    lacking = [name for name in wanted if not values.get(f"X-Amz-{name}")]
    if lacking:
        raise _incomplete(" ".join(f"AWS query-string parameters must include 'X-Amz-{name}'." for name in lacking))
    if values["X-Amz-Algorithm"] != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{values['X-Amz-Algorithm'][:40]}'; use {ALGORITHM}.")
    expires = values["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdecimal() and len(expires) < 8 and 0 < int(expires) <= LONGEST_EXPIRY_S):
        raise _incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST_EXPIRY_S}.")
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
        raise _incomplete("Signature must be 64 lower-case hexadecimal digits.")
    if not _AMZ_DATE.fullmatch(amz_date):
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{amz_date[:40]}'.")
    return Credential(
        kind, access_key, date, region, service, names, signature, amz_date, session_token, payload_hash, expires_s
    )


@lru_cache(maxsize=1024)
def _header_names(signed_headers: str) -> tuple[str, ...]:
    if not _SIGNED_HEADERS.fullmatch(signed_headers):
        raise _incomplete("SignedHeaders must be lower-case header names joined by semicolons.")
    names = tuple(sorted(set(signed_headers.split(";"))))
    if len(names) != signed_headers.count(";") + 1:
        raise _incomplete("SignedHeaders names a header twice.")
    return names


@lru_cache(maxsize=1024)
def _scope(scope: str) -> tuple[str, ...]:
    """Access key, date, region and service."""
    elements = scope.split("/")
    if len(elements) != 5:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got {len(elements)}."
        )
    *scoped, terminator = elements
    for element, (pattern, wanted) in zip(scoped, _SCOPE, strict=True):
        if not pattern.fullmatch(element):
            raise _incomplete(f"Credential should be scoped {wanted}.")
    if terminator != "aws4_request":
        raise _incomplete("Credential should be scoped with a valid terminator: 'aws4_request'.")
    return tuple(scoped)


def _basic_date(text: str) -> str:
    """A Date header's moment in basic form; what is no date comes back as it is, to be refused."""
    try:
        return f"{parsedate_to_datetime(text).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    except (ValueError, TypeError, OverflowError):
        return text


def verify(
    credential: Credential,
    *,
    secret: str,
    method: str,
    raw_path: bytes,
    query: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    now: datetime,
) -> bytes:
    """Check a request's signature against the key's secret.

    Args:
        credential: As `parse_authorization` returned it for this request; not a bearer key.
        secret: The secret access key.
        method: HTTP method.
        raw_path: As sent, a service prefix included, without the query.
        query: As sent, without `?`.
        headers: As sent, repeated ones in order.
        body: As sent.
        now: Aware.

    Returns:
        The body: as sent, or freed of its `aws-chunked` framing.

    Raises:
        CommonError: InvalidSignatureException (403), ExpiredTokenException (403) for a signed URL past its time, or
            a code of the 400s for a body that is not what its headers announce.
    """
    payload_hash = credential.payload_hash or (
        UNSIGNED if credential.kind == "query" and credential.service == "s3" else _hash(body)
    )
    seed = verify_head(
        credential,
        secret=secret,
        method=method,
        raw_path=raw_path,
        query=query,
        headers=headers,
        payload_hash=payload_hash,
        now=now,
    )
    if payload_hash in STREAMING:
        return decode_chunked(body, payload_hash, seed.signer(), _table(headers))
    if credential.payload_hash is not None and payload_hash != UNSIGNED:
        _check_payload(payload_hash, body, credential.service)
    return body


@dataclass(frozen=True, slots=True)
class Seed:
    """What the signatures of a body's chunks begin from.

    Attributes:
        key: The derived signing key.
        scope: Timestamp and credential scope, a line each.
        signature: The request's, verified.
    """

    key: bytes
    scope: str
    signature: str

    def signer(self) -> ChunkSigner:
        """Computes what the next chunk's signature must be."""
        return ChunkSigner(self.key, self.scope, self.signature)


def verify_head(
    credential: Credential,
    *,
    secret: str,
    method: str,
    raw_path: bytes,
    query: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    payload_hash: str,
    now: datetime,
) -> Seed:
    """Check a request's signature without its body, which the caller checks against `payload_hash` as it arrives.

    Args and errors are those of `verify`.
    """
    if credential.kind == "bearer":
        raise ValueError("a bearer key carries no signature")
    _check_time(credential, now)
    table = _table(headers)
    _check_signed_headers(credential, table)
    head = b"%b\n%b\n" % (method.encode("latin-1", "replace"), _canonical_path(raw_path, credential.service))
    tail = _canonical_headers(credential, table) + payload_hash.encode("latin-1", "replace")
    key = signing_key(credential.access_key, secret, credential.date, credential.region, credential.service)
    scope = f"{credential.date}/{credential.region}/{credential.service}/aws4_request"
    preamble = f"{ALGORITHM}\n{credential.amz_date}\n{scope}\n"
    for canonical_query in _canonical_queries(query, signed_url=credential.kind == "query"):
        digest = sha256(head + canonical_query + tail).hexdigest()
        expected = hmac.digest(key, (preamble + digest).encode(), "sha256").hex()
        if hmac.compare_digest(expected, credential.signature):
            return Seed(key, f"{credential.amz_date}\n{scope}\n", credential.signature)
    raise CommonError("InvalidSignatureException", 403, MISMATCH)


def check_expiry(credential: Credential, now: datetime) -> None:
    """Refuse a signed URL that is past its time; others pass.

    Raises:
        CommonError: ExpiredTokenException, 403.
    """
    if credential.expires_s is not None:
        _check_time(credential, now)


@lru_cache(maxsize=1024)
def signing_key(access_key: str, secret: str, date: str, region: str, service: str) -> bytes:
    """The derived key of one day, region and service.

    Kept for the 1,024 last used; the secret is part of what it is kept under, so that an access key made anew with
    another secret never meets the old one's key. Whether a key still is valid is the caller's to know: this function
    only sees secrets that were just looked up.
    """
    key = hmac.digest(f"AWS4{secret}".encode(), date.encode(), "sha256")
    for part in (region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@lru_cache(maxsize=256)
def _moment(amz_date: str) -> datetime:
    try:
        return datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{amz_date}'.") from None


def _check_time(credential: Credential, now: datetime) -> None:
    signed = _moment(credential.amz_date)
    if credential.amz_date[:8] != credential.date:
        raise CommonError(
            "InvalidSignatureException",
            403,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{credential.date}' != '{credential.amz_date[:8]}', from '{credential.amz_date}'.",
        )
    if signed - now > SKEW:
        raise CommonError(
            "InvalidSignatureException",
            403,
            f"Signature not yet current: {credential.amz_date} is still later than {_basic(now + SKEW)} "
            f"({_basic(now)} + 5 min.)",
        )
    if credential.expires_s is not None:
        if now - signed > timedelta(seconds=credential.expires_s):
            ended = _basic(signed + timedelta(seconds=credential.expires_s))
            raise CommonError("ExpiredTokenException", 403, f"Request has expired: {ended} is before {_basic(now)}")
    elif now - signed > SKEW:
        raise CommonError(
            "InvalidSignatureException",
            403,
            f"Signature expired: {credential.amz_date} is now earlier than {_basic(now - SKEW)} "
            f"({_basic(now)} - 5 min.)",
        )


def _basic(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _table(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, list[bytes]]:
    table: dict[str, list[bytes]] = {}
    for name, value in headers:
        table.setdefault(name.decode("latin-1").lower(), []).append(value)
    return table


def _check_signed_headers(credential: Credential, table: Mapping[str, list[bytes]]) -> None:
    signed = credential.signed_headers
    if "host" not in signed:
        raise CommonError(
            "InvalidSignatureException",
            403,
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        )
    unsigned = [name for name in table if name.startswith("x-amz-") and name not in signed]
    if unsigned:
        raise CommonError(
            "InvalidSignatureException",
            403,
            f"There were headers present in the request which were not signed: {', '.join(sorted(unsigned))[:200]}",
        )


def _canonical_headers(credential: Credential, table: Mapping[str, list[bytes]]) -> bytes:
    lines = []
    for name in credential.signed_headers:
        values = table.get(name)
        if values is None:
            raise CommonError("InvalidSignatureException", 403, MISMATCH)
        value = _trimmed(values[0]) if len(values) == 1 else b",".join(map(_trimmed, values))
        lines.append(name.encode() + b":" + value)
    return b"\n%b\n\n%b\n" % (b"\n".join(lines), ";".join(credential.signed_headers).encode())


def _trimmed(value: bytes) -> bytes:
    if value.isascii():
        return b" ".join(value.split())
    # Signers sign the UTF-8 form of a value; HTTP libraries send it so, or in Latin-1.
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return " ".join(text.split()).encode()


def _canonical_path(raw_path: bytes, service: str) -> bytes:
    if service == "s3":
        return raw_path or b"/"
    return _remembered_path(raw_path) if len(raw_path) <= _SHORT_PATH else _encoded_path(raw_path)


def _encoded_path(raw_path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in raw_path.split(b"/"):
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment not in (b"", b"."):
            kept.append(segment)
    last = b"/" if kept and raw_path.endswith(b"/") else b""
    return quote_from_bytes(b"/" + b"/".join(kept) + last, safe="/~").encode()


_remembered_path = lru_cache(maxsize=1024)(_encoded_path)


def _canonical_queries(query: bytes, *, signed_url: bool) -> Iterable[bytes]:
    """The query sorted as it stands, then, if that differs, with its percent-encoding made canonical."""
    if not query:
        yield b""
        return
    pairs = []
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if not (signed_url and name == b"X-Amz-Signature"):
            pairs.append((name, value))
    pairs.sort()
    plain = b"&".join(name + b"=" + value for name, value in pairs)
    yield plain
    encoded = sorted((_encoded(name), _encoded(value)) for name, value in pairs)
    canonical = "&".join(f"{name}={value}" for name, value in encoded).encode()
    if canonical != plain:
        yield canonical


def _encoded(text: bytes) -> str:
    return quote_from_bytes(unquote_to_bytes(text), safe="-_.~")


def _hash(body: bytes) -> str:
    return sha256(body).hexdigest() if body else EMPTY_SHA256


def _check_payload(claimed: str, body: bytes, service: str) -> None:
    if not _HASH.fullmatch(claimed):
        raise CommonError(
            "InvalidArgument" if service == "s3" else "InvalidSignatureException",
            400 if service == "s3" else 403,
            f"x-amz-content-sha256 must be {UNSIGNED}, {', '.join(sorted(STREAMING))} or a valid sha256 value.",
        )
    if not hmac.compare_digest(_hash(body), claimed):
        if service == "s3":
            raise CommonError(
                "XAmzContentSHA256Mismatch",
                400,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        raise CommonError("InvalidSignatureException", 403, MISMATCH)
