"""Roles, and the policies written into them or attached to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from rocamadre.core.arn import make_arn
from rocamadre.core.context import Context
from rocamadre.neighbours.iam.documents import check_document
from rocamadre.neighbours.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
)
from rocamadre.neighbours.iam.ids import unique_id
from rocamadre.neighbours.iam.policies import find_policy
from rocamadre.neighbours.iam.tables import ATTACHED, INLINE, ROLES
from rocamadre.neighbours.iam.types import Policy, Role
from rocamadre.store.sql.tags import add_tags, forget_tags

MAX_ROLES = 5000
MAX_ATTACHED = 20
MAX_INLINE = 200
SESSION_S = range(3600, 43_201)

_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


def create_role(
    ctx: Context,
    name: str,
    *,
    trust: str,
    path: str = "/",
    description: str = "",
    max_session_s: int = 3600,
    boundary: str = "",
    tags: Mapping[str, str] | None = None,
) -> Role:
    """Make a role. Nothing here asks it before it acts: it is remembered, not enforced.

    Args:
        ctx: Whose.
        name: Unique in the account whatever the case.
        trust: Policy document that says who may assume it.
        path: Begins and ends with `/`.
        description: Free text.
        max_session_s: 3600 to 43200.
        boundary: ARN of a managed policy; remembered only.
        tags: At most 50.

    Raises:
        EntityAlreadyExists: a role has this name.
        MalformedPolicy: `trust` is no trust policy.
        NoSuchEntity: `boundary` names no policy.
        LimitExceeded: the account has 5,000 roles.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"the role name {name[:70]!r} must be 1 to 64 letters, digits or +=,.@-_")
    check_document(trust, trust=True)
    _check_session(max_session_s)
    now = ctx.platform.clock.now()
    role = Role(name, _arn(ctx, path, name), path, unique_id("AROA"), trust, description, max_session_s, boundary, now)
    row = {
        "account": ctx.account,
        "key": name.lower(),
        "name": name,
        "path": path,
        "id": role.id,
        "trust": trust,
        "description": description,
        "max_session_s": max_session_s,
        "boundary": boundary,
        "created_at": now.isoformat(),
    }
    try:
        with ctx.platform.sql.begin() as tx:
            if boundary:
                find_policy(tx, ctx, boundary)
            count = tx.execute(select(func.count()).select_from(ROLES).where(ROLES.c.account == ctx.account))
            if count.scalar_one() >= MAX_ROLES:
                raise LimitExceeded(f"Cannot exceed quota for RolesPerAccount: {MAX_ROLES}")
            tx.execute(insert(ROLES).values(row))
            add_tags(tx, role.arn, tags or {})
    except IntegrityError as error:
        raise EntityAlreadyExists(f"Role with name {name} already exists.") from error
    return role


def get_role(ctx: Context, name: str) -> Role:
    """A role by name.

    Raises:
        NoSuchEntity: the account has none of this name.
    """
    with ctx.platform.sql.connect() as connection:
        return find_role(connection, ctx, name)


def list_roles(ctx: Context, *, path_prefix: str = "/") -> list[Role]:
    """The account's roles by name."""
    query = select(ROLES).where(ROLES.c.account == ctx.account, ROLES.c.path.startswith(path_prefix, autoescape=True))
    with ctx.platform.sql.connect() as connection:
        return [_role(ctx, row) for row in connection.execute(query.order_by(ROLES.c.key))]


def update_role(ctx: Context, name: str, *, description: str | None = None, max_session_s: int | None = None) -> None:
    """Change what is not None.

    Raises:
        NoSuchEntity: there is no such role.
    """
    changes: dict[str, Any] = {}
    if description is not None:
        changes["description"] = description
    if max_session_s is not None:
        _check_session(max_session_s)
        changes["max_session_s"] = max_session_s
    with ctx.platform.sql.begin() as tx:
        role = find_role(tx, ctx, name)
        if changes:
            tx.execute(update(ROLES).where(_is(ctx, role.name)).values(**changes))


def set_trust(ctx: Context, name: str, document: str) -> None:
    """Replace a role's assume role policy document.

    Raises:
        NoSuchEntity: there is no such role.
        MalformedPolicy: the document is no trust policy.
    """
    check_document(document, trust=True)
    with ctx.platform.sql.begin() as tx:
        find_role(tx, ctx, name)
        tx.execute(update(ROLES).where(_is(ctx, name)).values(trust=document))


def delete_role(ctx: Context, name: str) -> None:
    """Remove a role and its tags.

    Raises:
        NoSuchEntity: there is no such role.
        DeleteConflict: policies are still attached, or written into it.
    """
    with ctx.platform.sql.begin() as tx:
        role = find_role(tx, ctx, name)
        if tx.execute(select(ATTACHED.c.arn).where(_of(ctx, ATTACHED, name)).limit(1)).first():
            raise DeleteConflict("Cannot delete entity, must detach all policies first.")
        if tx.execute(select(INLINE.c.name).where(_of(ctx, INLINE, name)).limit(1)).first():
            raise DeleteConflict("Cannot delete entity, must delete policies first.")
        tx.execute(delete(ROLES).where(_is(ctx, name)))
        forget_tags(tx, role.arn)


def attach_policy(ctx: Context, role_name: str, policy_arn: str) -> None:
    """Attach a managed policy; nothing happens where it is attached already.

    Raises:
        NoSuchEntity: there is no such role or policy.
        LimitExceeded: the role has twenty.
    """
    with ctx.platform.sql.begin() as tx:
        find_role(tx, ctx, role_name)
        find_policy(tx, ctx, policy_arn)
        attached = set(tx.execute(select(ATTACHED.c.arn).where(_of(ctx, ATTACHED, role_name))).scalars())
        if policy_arn in attached:
            return
        if len(attached) >= MAX_ATTACHED:
            raise LimitExceeded(f"Cannot exceed quota for PoliciesPerRole: {MAX_ATTACHED}")
        tx.execute(insert(ATTACHED).values(account=ctx.account, role=role_name.lower(), arn=policy_arn))


def detach_policy(ctx: Context, role_name: str, policy_arn: str) -> None:
    """Detach a managed policy.

    Raises:
        NoSuchEntity: there is no such role, or it does not have the policy.
    """
    with ctx.platform.sql.begin() as tx:
        find_role(tx, ctx, role_name)
        gone = tx.execute(delete(ATTACHED).where(_of(ctx, ATTACHED, role_name), ATTACHED.c.arn == policy_arn))
        if gone.rowcount != 1:
            raise NoSuchEntity(f"Policy {policy_arn} was not found.")


def attached_policies(ctx: Context, role_name: str, *, path_prefix: str = "/") -> list[Policy]:
    """A role's managed policies by ARN.

    Raises:
        NoSuchEntity: there is no such role.
    """
    with ctx.platform.sql.connect() as connection:
        find_role(connection, ctx, role_name)
        query = select(ATTACHED.c.arn).where(_of(ctx, ATTACHED, role_name)).order_by(ATTACHED.c.arn)
        found = [find_policy(connection, ctx, arn) for arn in connection.execute(query).scalars().all()]
    return [policy for policy in found if policy.path.startswith(path_prefix)]


def roles_with(ctx: Context, policy_arn: str) -> list[Role]:
    """The account's roles that a managed policy is attached to, by name.

    Raises:
        NoSuchEntity: there is no such policy.
    """
    with ctx.platform.sql.connect() as connection:
        find_policy(connection, ctx, policy_arn)
        keys = select(ATTACHED.c.role).where(ATTACHED.c.account == ctx.account, ATTACHED.c.arn == policy_arn)
        query = select(ROLES).where(ROLES.c.account == ctx.account, ROLES.c.key.in_(keys)).order_by(ROLES.c.key)
        return [_role(ctx, row) for row in connection.execute(query)]


def put_inline(ctx: Context, role_name: str, policy_name: str, document: str) -> None:
    """Write a policy into a role; one of this name is replaced.

    Raises:
        NoSuchEntity: there is no such role.
        MalformedPolicy: the document is no policy.
        LimitExceeded: the role has two hundred.
    """
    check_document(document)
    with ctx.platform.sql.begin() as tx:
        find_role(tx, ctx, role_name)
        tx.execute(delete(INLINE).where(_of(ctx, INLINE, role_name), INLINE.c.name == policy_name))
        count = tx.execute(select(func.count()).select_from(INLINE).where(_of(ctx, INLINE, role_name)))
        if count.scalar_one() >= MAX_INLINE:
            raise LimitExceeded(f"a role has at most {MAX_INLINE} policies written into it")
        row = {"account": ctx.account, "role": role_name.lower(), "name": policy_name, "document": document}
        tx.execute(insert(INLINE).values(row))


def get_inline(ctx: Context, role_name: str, policy_name: str) -> str:
    """The document of a policy written into a role.

    Raises:
        NoSuchEntity: there is no such role or policy.
    """
    with ctx.platform.sql.connect() as connection:
        find_role(connection, ctx, role_name)
        query = select(INLINE.c.document).where(_of(ctx, INLINE, role_name), INLINE.c.name == policy_name)
        document = connection.execute(query).scalar()
    if document is None:
        raise NoSuchEntity(f"The role policy with name {policy_name} cannot be found.")
    return str(document)


def list_inline(ctx: Context, role_name: str) -> list[str]:
    """Names of the policies written into a role.

    Raises:
        NoSuchEntity: there is no such role.
    """
    with ctx.platform.sql.connect() as connection:
        find_role(connection, ctx, role_name)
        query = select(INLINE.c.name).where(_of(ctx, INLINE, role_name)).order_by(INLINE.c.name)
        return list(connection.execute(query).scalars())


def delete_inline(ctx: Context, role_name: str, policy_name: str) -> None:
    """Take a policy out of a role.

    Raises:
        NoSuchEntity: there is no such role or policy.
    """
    with ctx.platform.sql.begin() as tx:
        find_role(tx, ctx, role_name)
        gone = tx.execute(delete(INLINE).where(_of(ctx, INLINE, role_name), INLINE.c.name == policy_name))
        if gone.rowcount != 1:
            raise NoSuchEntity(f"The role policy with name {policy_name} cannot be found.")


def find_role(tx: Connection, ctx: Context, name: str) -> Role:
    """A role by name, in a transaction.

    Raises:
        NoSuchEntity: the account has none of this name.
    """
    row = tx.execute(select(ROLES).where(_is(ctx, name))).one_or_none()
    if row is None:
        raise NoSuchEntity(f"The role with name {name[:64]} cannot be found.")
    return _role(ctx, row)


def _check_session(seconds: int) -> None:
    if seconds not in SESSION_S:
        raise InvalidInput(f"MaxSessionDuration is {seconds}; it must be from 3600 to 43200 seconds")


def _arn(ctx: Context, path: str, name: str) -> str:
    return make_arn("iam", "", ctx.account, f"role{path}{name}")


def _is(ctx: Context, name: str) -> Any:
    return (ROLES.c.account == ctx.account) & (ROLES.c.key == name.lower())


def _of(ctx: Context, table: Any, role_name: str) -> Any:
    return (table.c.account == ctx.account) & (table.c.role == role_name.lower())


def _role(ctx: Context, row: Any) -> Role:
    return Role(
        name=row.name,
        arn=_arn(ctx, row.path, row.name),
        path=row.path,
        id=row.id,
        trust=row.trust,
        description=row.description,
        max_session_s=row.max_session_s,
        boundary=row.boundary,
        created_at=datetime.fromisoformat(row.created_at),
    )
