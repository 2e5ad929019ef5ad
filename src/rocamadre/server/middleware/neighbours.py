"""Requests to the services beside Bedrock: found, authenticated and called; `api/neighbours/dispatch.py` says how."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.dispatch import NeighbourRequest, check_here
from rocamadre.api.neighbours.dispatch import find_neighbour as find
from rocamadre.api.neighbours.foreign import foreign_service, refuse_service
from rocamadre.api.neighbours.s3.hosts import bucket_of_host
from rocamadre.api.neighbours.streams import BodyStream
from rocamadre.api.wire.credentials import Credential, parse_authorization
from rocamadre.api.wire.sigv2 import OldCredential, check_old_expiry, parse_signed_url, verify_signed_url
from rocamadre.api.wire.sigv4 import UNSIGNED, check_expiry, verify, verify_head
from rocamadre.core.context import Context, Principal
from rocamadre.core.errors import CommonError
from rocamadre.identity.operations import find_bearer
from rocamadre.identity.sessions import find_credential, find_principal
from rocamadre.identity.types import SigningKey
from rocamadre.server.exchange import Exchange, Next


async def find_neighbour(exchange: Exchange, after: Next) -> Reply:
    """Settle whether one of them is meant, and leave the body unread for one that streams."""
    found = find(exchange.raw_path, exchange.query, exchange.headers.get("authorization", ""))
    if found is None:
        foreign = foreign_service(exchange.headers.get("authorization", ""))
        # Where keys are verified, a foreign scope is a wrong signature like any other.
        if foreign and exchange.platform.settings.server.auth == "open":
            exchange.error_code = "NotImplemented"
            kind = exchange.headers.get("content-type", "")
            return refuse_service(foreign, content_type=kind, request_id=exchange.request_id)
        return await after(exchange)
    neighbour, path = found
    exchange.neighbour = request = NeighbourRequest(
        neighbour, exchange.method, path, exchange.query, exchange.headers, exchange.raw_headers
    )
    if neighbour.streams:
        request.operation = neighbour.name_operation(request)
        if exchange.headers.get("content-length", "0") != "0" or "transfer-encoding" in exchange.headers:
            request.stream = BodyStream(
                exchange.receive,
                idle_s=exchange.platform.settings.server.request_timeout_s,
                ended=lambda: exchange.body_read.set_result(None) if exchange.body_read is not None else None,
            )
    return await after(exchange)


def neighbour_principal(exchange: Exchange, request: NeighbourRequest, account: str) -> tuple[Principal, str]:
    """Who asks a neighbour, and for which region.

    A body that streams is not verified here: `request.seed` lets the service do so as it arrives.

    Args:
        exchange: Its body is freed of its framing where that is signed.
        request: The same request, as the neighbour sees it.
        account: Of principals whose key does not say another.

    Raises:
        CommonError: in the words and with the status of AWS.
    """
    platform = exchange.platform
    old = parse_signed_url(exchange.query) if request.neighbour.name == "s3" and _is_unsigned(exchange) else None
    credential = None if old is not None else parse_authorization(exchange.headers, exchange.query)
    if old is None and credential is None:
        raise CommonError(
            "MissingAuthenticationTokenException",
            403,
            "Access Denied: sign the request (AWS clients do; any access key will do while server.auth is open)",
        )
    request.scope = credential.service if credential is not None else "s3"
    if platform.settings.server.auth == "required":
        principal = _verified_old(exchange, request, old) if old else _verified(exchange, request, credential)
    else:
        principal = _claimed(exchange, old, credential, account)
    request.body = exchange.body
    region = credential.region if credential is not None else ""
    return principal, region or platform.settings.server.region


def _is_unsigned(exchange: Exchange) -> bool:
    return "authorization" not in exchange.headers


def _claimed(exchange: Exchange, old: OldCredential | None, credential: Credential | None, account: str) -> Principal:
    # Who signs is not checked here, but a URL past its time is refused: programs rely on it.
    now = exchange.platform.clock.now()
    if old is not None:
        check_old_expiry(old, now)
        key = old.access_key
    else:
        assert credential is not None
        if credential.kind == "bearer":
            return Principal("bearer", account)
        check_expiry(credential, now)
        key = credential.access_key
    platform = exchange.platform
    assumed = find_principal(platform.sql, platform.settings.home, platform.clock, key)
    return assumed or Principal(key, key if len(key) == 12 and key.isdecimal() else account)


def _verified_old(exchange: Exchange, request: NeighbourRequest, old: OldCredential) -> Principal:
    key = _signing_key(exchange, old.access_key, old.session_token)
    bucket = bucket_of_host(exchange.headers.get("host", ""))
    verify_signed_url(
        old,
        secret=key.secret,
        method=exchange.method,
        resource=(f"/{quote(bucket)}".encode() if bucket else b"") + exchange.raw_path,
        query=exchange.query,
        headers=exchange.headers,
        now=exchange.platform.clock.now(),
    )
    return key.principal


def _verified(exchange: Exchange, request: NeighbourRequest, credential: Credential | None) -> Principal:
    platform = exchange.platform
    assert credential is not None
    if credential.kind == "bearer":
        principal = find_bearer(platform.sql, platform.settings.home, platform.clock, credential.token)
        if principal is None:
            raise _unrecognised()
        return principal
    name = request.neighbour.name
    if credential.service != name:
        raise CommonError(
            "InvalidSignatureException", 403, f"Credential should be scoped to correct service: '{name}'."
        )
    if credential.kind == "query" and name != "s3":
        raise CommonError("AccessDeniedException", 403, "signatures in the query string are taken for S3 only")
    key = _signing_key(exchange, credential.access_key, credential.session_token)
    now = platform.clock.now()
    if not request.neighbour.streams:
        exchange.body = verify(
            credential,
            secret=key.secret,
            method=exchange.method,
            raw_path=exchange.raw_path,
            query=exchange.query,
            headers=exchange.raw_headers,
            body=exchange.body,
            now=now,
        )
        return key.principal
    payload_hash = credential.payload_hash or (UNSIGNED if credential.kind == "query" else "")
    if not payload_hash:
        raise CommonError("InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256")
    request.seed = verify_head(
        credential,
        secret=key.secret,
        method=exchange.method,
        raw_path=exchange.raw_path,
        query=exchange.query,
        headers=exchange.raw_headers,
        payload_hash=payload_hash,
        now=now,
    )
    return key.principal


def _signing_key(exchange: Exchange, access_key: str, session_token: str | None) -> SigningKey:
    platform = exchange.platform
    key = find_credential(platform.sql, platform.settings.home, platform.clock, access_key, session_token)
    if key is None:
        raise _unrecognised()
    return key


def _unrecognised() -> CommonError:
    return CommonError("UnrecognizedClientException", 403, "The security token included in the request is invalid.")


async def call_neighbour(exchange: Exchange, request: NeighbourRequest, context: Context) -> Reply:
    """Answer a neighbour's request.

    Raises:
        RocamadreError: whatever the service raises, or that it is elsewhere.
        TimeoutError: it passed the request's deadline, and does not bound its own time.
    """
    settings = exchange.platform.settings
    check_here(request, settings.neighbours)
    request.operation = request.neighbour.name_operation(request)
    async with asyncio.timeout(None if request.neighbour.is_long else settings.server.request_timeout_s):
        return await request.neighbour.endpoint(context, request)
