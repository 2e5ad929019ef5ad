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
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote_from_bytes, unquote_to_bytes

from rocamadre.api.wire.chunked import ChunkSigner, decode_chunked
from rocamadre.api.wire.credentials import ALGORITHM, Credential, incomplete
from rocamadre.core.errors import CommonError

SKEW = timedelta(minutes=5)
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
_HASH = re.compile(r"[0-9a-f]{64}")
_SHORT_PATH = 512


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
        raise incomplete(f"Date must be in ISO-8601 'basic format'. Got '{amz_date}'.") from None


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
