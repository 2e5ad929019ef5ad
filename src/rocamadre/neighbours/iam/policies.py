"""Managed policies and their versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

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
from rocamadre.neighbours.iam.managed import managed_policies
from rocamadre.neighbours.iam.tables import ATTACHED, POLICIES, VERSIONS
from rocamadre.neighbours.iam.types import Policy, PolicyVersion
from rocamadre.store.sql.tags import add_tags, forget_tags

MAX_POLICIES = 5000
MAX_VERSIONS = 5

_VERSION = re.compile(r"v([1-9]\d{0,8})")


def create_policy(
    ctx: Context,
    name: str,
    document: str,
    *,
    path: str = "/",
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> Policy:
    """Make a managed policy. It is remembered, not enforced.

    Raises:
        EntityAlreadyExists: the account has one of this name, whatever the case.
        MalformedPolicy: the document is no policy.
        LimitExceeded: the account has 5,000.
    """
    check_document(document)
    now = ctx.platform.clock.now()
    arn = make_arn("iam", "", ctx.account, f"policy{path}{name}")
    policy = Policy(name, arn, path, unique_id("ANPA"), description, "v1", now, now)
    row = {
        "account": ctx.account,
        "key": name.lower(),
        "arn": arn,
        "name": name,
        "path": path,
        "id": policy.id,
        "description": description,
        "default_version": 1,
        "last_version": 1,
        "created_at": now.isoformat(),
        "updated_at": now.isoformat(),
    }
    version = {"arn": arn, "number": 1, "document": document, "created_at": now.isoformat()}
    try:
        with ctx.platform.sql.begin() as tx:
            count = tx.execute(select(func.count()).select_from(POLICIES).where(POLICIES.c.account == ctx.account))
            if count.scalar_one() >= MAX_POLICIES:
                raise LimitExceeded(f"Cannot exceed quota for PoliciesPerAccount: {MAX_POLICIES}")
            tx.execute(insert(POLICIES).values(row))
            tx.execute(insert(VERSIONS).values(version))
            add_tags(tx, arn, tags or {})
    except IntegrityError as error:
        raise EntityAlreadyExists(f"A policy called {name} already exists. Duplicate names are not allowed.") from error
    return policy


def get_policy(ctx: Context, arn: str) -> Policy:
    """A policy by ARN, the account's own or AWS's.

    Raises:
        NoSuchEntity: there is none.
    """
    with ctx.platform.sql.connect() as connection:
        return find_policy(connection, ctx, arn)


def list_policies(
    ctx: Context, *, scope: Literal["All", "AWS", "Local"] = "All", path_prefix: str = "/", only_attached: bool = False
) -> list[Policy]:
    """The account's policies by name, then AWS's by ARN."""
    found: list[Policy] = []
    with ctx.platform.sql.connect() as connection:
        if scope != "AWS":
            query = select(POLICIES).where(POLICIES.c.account == ctx.account).order_by(POLICIES.c.key)
            found += [_policy(row) for row in connection.execute(query)]
        if scope != "Local":
            found += [item.policy for item in managed_policies().values()]
        counts = _attachments(connection, ctx)
    return [
        replace(policy, attachments=counts.get(policy.arn, 0))
        for policy in found
        if policy.path.startswith(path_prefix) and (not only_attached or policy.arn in counts)
    ]


def delete_policy(ctx: Context, arn: str) -> None:
    """Remove a policy, its default version and its tags.

    Raises:
        NoSuchEntity: there is none.
        InvalidInput: it is one of AWS's.
        DeleteConflict: it is attached to a role, or has versions beside the default.
    """
    with ctx.platform.sql.begin() as tx:
        row = _own(tx, ctx, arn)
        if tx.execute(select(ATTACHED.c.role).where(ATTACHED.c.arn == arn).limit(1)).first():
            raise DeleteConflict("Cannot delete a policy attached to entities.")
        if len(_numbers(tx, arn)) > 1:
            raise DeleteConflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                "versions. The default version is deleted with the policy."
            )
        tx.execute(delete(VERSIONS).where(VERSIONS.c.arn == row.arn))
        tx.execute(delete(POLICIES).where(POLICIES.c.arn == row.arn))
        forget_tags(tx, row.arn)


def create_version(ctx: Context, arn: str, document: str, *, default: bool = False) -> PolicyVersion:
    """Add a version; the newest number is one more than any there ever was.

    Raises:
        NoSuchEntity: there is no such policy.
        MalformedPolicy: the document is no policy.
        LimitExceeded: the policy has five versions.
    """
    check_document(document)
    now = ctx.platform.clock.now()
    with ctx.platform.sql.begin() as tx:
        row = _own(tx, ctx, arn)
        if len(_numbers(tx, arn)) >= MAX_VERSIONS:
            raise LimitExceeded(
                f"A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you must "
                "delete an existing version."
            )
        number = row.last_version + 1
        values = {"last_version": number, "updated_at": now.isoformat()}
        if default:
            values["default_version"] = number
        tx.execute(update(POLICIES).where(POLICIES.c.arn == arn).values(**values))
        version = {"arn": arn, "number": number, "document": document, "created_at": now.isoformat()}
        tx.execute(insert(VERSIONS).values(version))
    return PolicyVersion(f"v{number}", document, default, now)


def get_version(ctx: Context, arn: str, version: str) -> PolicyVersion:
    """One version of a policy, the account's own or AWS's.

    Raises:
        NoSuchEntity: there is no such policy or version.
    """
    for found in list_versions(ctx, arn):
        if found.id == version:
            return found
    raise _no_version(arn, version)


def list_versions(ctx: Context, arn: str) -> list[PolicyVersion]:
    """A policy's versions, newest first.

    Raises:
        NoSuchEntity: there is no such policy.
    """
    managed = managed_policies().get(arn)
    if managed is not None:
        return [PolicyVersion("v1", managed.document, True, managed.policy.created_at)]
    with ctx.platform.sql.connect() as connection:
        row = _own(connection, ctx, arn)
        query = select(VERSIONS).where(VERSIONS.c.arn == arn).order_by(VERSIONS.c.number.desc())
        return [
            PolicyVersion(
                f"v{found.number}",
                found.document,
                found.number == row.default_version,
                datetime.fromisoformat(found.created_at),
            )
            for found in connection.execute(query)
        ]


def delete_version(ctx: Context, arn: str, version: str) -> None:
    """Remove a version.

    Raises:
        NoSuchEntity: there is no such policy or version.
        DeleteConflict: it is the default version.
    """
    with ctx.platform.sql.begin() as tx:
        row = _own(tx, ctx, arn)
        number = _number(tx, arn, version)
        if number == row.default_version:
            raise DeleteConflict("Cannot delete the default version of a policy.")
        tx.execute(delete(VERSIONS).where(VERSIONS.c.arn == arn, VERSIONS.c.number == number))


def set_default_version(ctx: Context, arn: str, version: str) -> None:
    """Choose which version counts.

    Raises:
        NoSuchEntity: there is no such policy or version.
    """
    with ctx.platform.sql.begin() as tx:
        _own(tx, ctx, arn)
        number = _number(tx, arn, version)
        now = ctx.platform.clock.now().isoformat()
        tx.execute(update(POLICIES).where(POLICIES.c.arn == arn).values(default_version=number, updated_at=now))


def find_policy(tx: Connection, ctx: Context, arn: str) -> Policy:
    """A policy by ARN, in a transaction.

    Raises:
        NoSuchEntity: neither the account nor AWS has it (or Rocamadre does not know that AWS has).
    """
    managed = managed_policies().get(arn)
    policy = managed.policy if managed is not None else _policy(_own(tx, ctx, arn))
    return replace(policy, attachments=_attachments(tx, ctx).get(arn, 0))


def find_own_policy(tx: Connection, ctx: Context, arn: str) -> Policy:
    """A policy of the account's own, in a transaction.

    Raises:
        NoSuchEntity: there is none.
        InvalidInput: it is one of AWS's, which cannot be changed.
    """
    return _policy(_own(tx, ctx, arn))


def _own(tx: Connection, ctx: Context, arn: str) -> Any:
    if arn in managed_policies():
        raise InvalidInput(f"{arn} is a policy of AWS; it can be attached, not changed")
    row = tx.execute(select(POLICIES).where(POLICIES.c.arn == arn, POLICIES.c.account == ctx.account)).one_or_none()
    if row is None:
        hint = "; ListPolicies with Scope=AWS shows those of AWS that are known here" if "::aws:" in arn else ""
        raise NoSuchEntity(f"Policy {arn[:300]} does not exist or is not attachable{hint}.")
    return row


def _attachments(tx: Connection, ctx: Context) -> dict[str, int]:
    query = select(ATTACHED.c.arn, func.count()).where(ATTACHED.c.account == ctx.account).group_by(ATTACHED.c.arn)
    return {arn: count for arn, count in tx.execute(query)}


def _numbers(tx: Connection, arn: str) -> list[int]:
    return list(tx.execute(select(VERSIONS.c.number).where(VERSIONS.c.arn == arn)).scalars())


def _number(tx: Connection, arn: str, version: str) -> int:
    match = _VERSION.fullmatch(version)
    if match is None or int(match[1]) not in _numbers(tx, arn):
        raise _no_version(arn, version)
    return int(match[1])


def _no_version(arn: str, version: str) -> NoSuchEntity:
    return NoSuchEntity(f"Policy {arn} version {version[:20]} does not exist or is not attachable.")


def _policy(row: Any) -> Policy:
    return Policy(
        name=row.name,
        arn=row.arn,
        path=row.path,
        id=row.id,
        description=row.description,
        default_version=f"v{row.default_version}",
        created_at=datetime.fromisoformat(row.created_at),
        updated_at=datetime.fromisoformat(row.updated_at),
    )
