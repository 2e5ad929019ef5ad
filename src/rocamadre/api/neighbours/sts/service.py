"""STS: who asks, and temporary credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.shaped import register
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context, Principal
from rocamadre.core.errors import CommonError, InvalidRequest
from rocamadre.identity.sessions import create_session
from rocamadre.identity.types import NewSession
from rocamadre.neighbours.iam.assuming import ASSUMED, assumable_role, identity_of

_HOUR_S = 3600


@answers("sts", "GetCallerIdentity")
def get_caller_identity(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Who signed."""
    identity = identity_of(ctx)
    return {"UserId": identity.id, "Account": ctx.account, "Arn": identity.arn}


@answers(
    "sts",
    "AssumeRole",
    missing=(
        "Policy, PolicyArns: no permission is enforced, so that none is narrowed.",
        "ExternalId, SerialNumber, TokenCode, SourceIdentity, TransitiveTagKeys: accepted and not used, except that "
        "SourceIdentity is echoed.",
        "RoleArn: trust policies are not enforced; with server.auth = required only roles of one's own account.",
    ),
)
def assume_role(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Credentials that speak for a role."""
    role = assumable_role(ctx, request["RoleArn"])
    duration_s = request.get("DurationSeconds", _HOUR_S)
    if duration_s > role.max_session_s:
        raise InvalidRequest(
            f"The requested DurationSeconds exceeds the MaxSessionDuration set for this role ({role.max_session_s} s)."
        )
    if ctx.principal.name.startswith(ASSUMED) and duration_s > _HOUR_S:
        raise InvalidRequest(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    session_name = request["RoleSessionName"]
    account = Arn.parse(role.arn).account
    made = _session(ctx, Principal(f"{ASSUMED}{role.name}/{session_name}", account), duration_s)
    return {
        "Credentials": _credentials(made),
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.id}:{session_name}",
            "Arn": make_arn("sts", "", account, made.principal.name),
        },
        "SourceIdentity": request.get("SourceIdentity"),
    }


@answers(
    "sts", "GetSessionToken", missing=("SerialNumber, TokenCode: there are no MFA devices; accepted and not used.",)
)
def get_session_token(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Credentials that speak for who asks."""
    if ctx.principal.name.startswith(ASSUMED):
        raise CommonError("AccessDenied", 403, "Cannot call GetSessionToken with session credentials")
    made = _session(ctx, ctx.principal, request.get("DurationSeconds", 12 * _HOUR_S))
    return {"Credentials": _credentials(made)}


def _session(ctx: Context, principal: Principal, duration_s: int) -> NewSession:
    platform = ctx.platform
    home = platform.settings.home
    return create_session(platform.sql, home, platform.clock, principal=principal, duration_s=duration_s)


def _credentials(made: NewSession) -> dict[str, Any]:
    return {
        "AccessKeyId": made.access_key_id,
        "SecretAccessKey": made.secret,
        "SessionToken": made.token,
        "Expiration": made.expires_at,
    }


register("sts")
