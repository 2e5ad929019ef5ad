"""Who asks: SigV4 signatures and bearer keys."""

from __future__ import annotations

from rocamadre.api.http import Reply
from rocamadre.api.wire.credentials import Credential, parse_authorization
from rocamadre.api.wire.sigv4 import verify
from rocamadre.core.context import Context, Principal
from rocamadre.core.errors import CommonError
from rocamadre.identity.operations import find_bearer
from rocamadre.identity.sessions import find_credential, find_principal
from rocamadre.server.exchange import Exchange, Next
from rocamadre.server.middleware.neighbours import neighbour_principal

DEFAULT_ACCOUNT = "123456789012"


async def authenticate(exchange: Exchange, after: Next) -> Reply:
    """Settle the principal and build the request's context.

    With `server.auth = "open"` any well-formed credential will do and the access key names the principal; with
    `"required"` signatures are verified against the keys made with `roca keys create`.

    Raises:
        CommonError: in the words and with the status of AWS.
    """
    platform = exchange.platform
    required = platform.settings.server.auth == "required"
    if exchange.asker is not None:
        principal, region = exchange.asker
    elif exchange.neighbour is not None:
        principal, region = neighbour_principal(exchange, exchange.neighbour, DEFAULT_ACCOUNT)
    elif exchange.route is not None and exchange.route.public:
        principal, region = Principal("anonymous", DEFAULT_ACCOUNT), platform.settings.server.region
    else:
        credential = parse_authorization(exchange.headers, exchange.query)
        if credential is None:
            raise CommonError(
                "MissingAuthenticationTokenException",
                403 if exchange.dialect == "bedrock" else 401,
                "Missing Authentication Token: sign the request (boto3 does, any access key will do here) or send "
                "Authorization: Bearer <key>",
            )
        if credential.kind == "query":
            raise CommonError("AccessDeniedException", 403, "signatures in the query string are taken for S3 only")
        principal = _verified(exchange, credential) if required else _claimed(exchange, credential)
        region = credential.region or platform.settings.server.region
    exchange.principal = principal
    timeout_s = platform.settings.server.request_timeout_s
    exchange.context = Context(
        platform=platform,
        principal=principal,
        account=principal.account,
        region=region,
        request_id=exchange.request_id,
        deadline=platform.clock.monotonic() + timeout_s,
        notes=exchange.notes,
        wishes={name: value for name, value in exchange.headers.items() if name.startswith("x-rocamadre-")},
    )
    return await after(exchange)


def _claimed(exchange: Exchange, credential: Credential) -> Principal:
    if credential.kind == "bearer":
        return Principal("bearer", DEFAULT_ACCOUNT)
    key = credential.access_key
    platform = exchange.platform
    assumed = find_principal(platform.sql, platform.settings.home, platform.clock, key)
    return assumed or Principal(key, key if len(key) == 12 and key.isdecimal() else DEFAULT_ACCOUNT)


def _verified(exchange: Exchange, credential: Credential) -> Principal:
    # Keys are remembered for a second, so that looking one up here, on the event loop, costs microseconds.
    platform = exchange.platform
    known = platform.sql, platform.settings.home, platform.clock
    if credential.kind == "bearer":
        principal = find_bearer(*known, credential.token)
        if principal is None:
            raise _unrecognised(exchange)
        return principal
    if not credential.service.startswith("bedrock"):
        raise CommonError(
            "InvalidSignatureException", 403, "Credential should be scoped to correct service: 'bedrock'."
        )
    key = find_credential(*known, credential.access_key, credential.session_token)
    if key is None:
        raise _unrecognised(exchange)
    exchange.body = verify(
        credential,
        secret=key.secret,
        method=exchange.method,
        raw_path=exchange.raw_path,
        query=exchange.query,
        headers=exchange.raw_headers,
        body=exchange.body,
        now=platform.clock.now(),
    )
    return key.principal


def _unrecognised(exchange: Exchange) -> CommonError:
    status = 403 if exchange.dialect == "bedrock" else 401
    return CommonError("UnrecognizedClientException", status, "The security token included in the request is invalid.")
