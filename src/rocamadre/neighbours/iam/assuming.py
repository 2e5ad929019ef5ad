"""Who asks, in IAM's words, and which roles they may become."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError, InvalidRequest
from rocamadre.neighbours.iam.errors import NoSuchEntity
from rocamadre.neighbours.iam.ids import steady_id
from rocamadre.neighbours.iam.roles import get_role
from rocamadre.neighbours.iam.types import Role

ASSUMED = "assumed-role/"
"""How the name of a principal begins that speaks for a role: `assumed-role/<role>/<session>`."""

_ACCOUNT = re.compile(r"\d{12}")


class Identity(NamedTuple):
    """As GetCallerIdentity tells it."""

    id: str
    arn: str


def identity_of(ctx: Context) -> Identity:
    """Who asks: a user called like the key, or a role's session."""
    name, account = ctx.principal.name, ctx.account
    if not name.startswith(ASSUMED):
        return Identity(steady_id("AIDA", f"{account}/{name}"), make_arn("iam", "", account, f"user/{name}"))
    _, role_name, session = name.split("/", 2)
    try:
        role_id = get_role(ctx, role_name).id
    except NoSuchEntity:
        role_id = steady_id("AROA", f"{account}/{role_name}")  # Deleted meanwhile; its sessions live on.
    return Identity(f"{role_id}:{session}", make_arn("sts", "", account, name))


def assumable_role(ctx: Context, role_arn: str) -> Role:
    """The role of an ARN, if who asks may become it. Its trust policy is not enforced, accounts are.

    Raises:
        InvalidRequest: `role_arn` is none of a role.
        CommonError: there is no such role, or the server verifies keys and it is another account's (AccessDenied, 403,
            in the same words, so that nobody learns which roles exist).
    """
    arn = Arn.parse(role_arn)
    if arn.service != "iam" or arn.kind != "role" or not arn.id or not _ACCOUNT.fullmatch(arn.account):
        raise InvalidRequest(f"{role_arn[:200]} is invalid: it must be arn:aws:iam::<account>:role/<name>")
    refusal = CommonError(
        "AccessDenied",
        403,
        f"User: {identity_of(ctx).arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}: there is "
        "no such role here, or it is another account's; make it with iam:CreateRole",
    )
    if arn.account != ctx.account and ctx.platform.settings.server.auth == "required":
        raise refusal
    try:
        role = get_role(replace(ctx, account=arn.account), arn.id.rpartition("/")[2])
    except NoSuchEntity:
        raise refusal from None
    if role.arn != role_arn:
        raise refusal
    return role
