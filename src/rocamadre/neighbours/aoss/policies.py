"""Security and access policies: checked for their form and remembered; only encryption policies mean something."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from rocamadre.core.context import Context
from rocamadre.neighbours.aoss.errors import CollectionConflict, CollectionInvalid, CollectionNotFound
from rocamadre.neighbours.aoss.tables import POLICIES


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of a kind: `encryption`, `network` or `data`."""

    kind: str
    name: str
    version: str
    description: str
    policy: Any
    created_ms: int
    modified_ms: int


def create_policy(ctx: Context, kind: str, name: str, policy: str, description: str = "") -> Policy:
    """Make a policy.

    Raises:
        CollectionConflict: there is one of this kind and name.
        CollectionInvalid: it has not the form of its kind.
    """
    _check(kind, policy)
    now = now_ms(ctx)
    row = {"kind": kind, "name": name, "version": _version(), "description": description, "policy": policy}
    try:
        with ctx.platform.sql.begin() as tx:
            owned = {"account": ctx.account, "region": ctx.region}
            tx.execute(insert(POLICIES).values(**owned, **row, created_ms=now, modified_ms=now))
    except IntegrityError as error:
        raise CollectionConflict(f"Policy with name {name} and type {kind} already exists") from error
    return get_policy(ctx, kind, name)


def get_policy(ctx: Context, kind: str, name: str) -> Policy:
    """A policy.

    Raises:
        CollectionNotFound: there is none.
    """
    with ctx.platform.sql.connect() as connection:
        return _find(connection, ctx, kind, name)


def list_policies(ctx: Context, kind: str, resources: list[str] | None = None) -> list[Policy]:
    """Policies of a kind by name; those that name a resource, where some are given."""
    query = select(POLICIES).where(*_owned(ctx), POLICIES.c.kind == kind).order_by(POLICIES.c.name)
    with ctx.platform.sql.connect() as connection:
        found = [_policy(row) for row in connection.execute(query)]
    return [each for each in found if not resources or any(_names(each, resource) for resource in resources)]


def update_policy(
    ctx: Context, kind: str, name: str, *, version: str, policy: str | None = None, description: str | None = None
) -> Policy:
    """Change a policy.

    Raises:
        CollectionConflict: the version is not the newest.
    """
    if policy is not None:
        _check(kind, policy)
    with ctx.platform.sql.begin() as tx:
        old = _find(tx, ctx, kind, name)
        if old.version != version:
            raise CollectionConflict(f"Policy version {version} is not the latest, which is {old.version}")
        changed: dict[str, Any] = {"version": _version(), "modified_ms": now_ms(ctx)}
        if policy is not None:
            changed["policy"] = policy
        if description is not None:
            changed["description"] = description
        tx.execute(update(POLICIES).where(*_owned(ctx), *_called(kind, name)).values(**changed))
    return get_policy(ctx, kind, name)


def delete_policy(ctx: Context, kind: str, name: str) -> None:
    """Remove a policy."""
    with ctx.platform.sql.begin() as tx:
        _find(tx, ctx, kind, name)
        tx.execute(delete(POLICIES).where(*_owned(ctx), *_called(kind, name)))


def check_encrypted(tx: Connection, ctx: Context, collection: str) -> None:
    """Refuse a collection that no encryption policy names, as AWS does.

    Raises:
        CollectionInvalid: none does.
    """
    rows = tx.execute(select(POLICIES).where(*_owned(ctx), POLICIES.c.kind == "encryption"))
    if not any(_names(_policy(row), f"collection/{collection}") for row in rows):
        raise CollectionInvalid(
            f"No matching security policy of encryption type found for collection name: {collection}. "
            "Please create security policy of encryption type for this collection."
        )


def now_ms(ctx: Context) -> int:
    """The time as OpenSearch Serverless tells it."""
    return round(ctx.platform.clock.now().timestamp() * 1000)


def _check(kind: str, policy: str) -> None:
    try:
        document = json.loads(policy)
    except ValueError:
        raise CollectionInvalid("Policy json is invalid, error: it is no JSON") from None
    statements = [document] if kind == "encryption" else document
    if not isinstance(statements, list) or not all(isinstance(each, dict) for each in statements):
        form = "an object" if kind == "encryption" else "a list of objects"
        raise CollectionInvalid(f"Policy json is invalid, error: a policy of type {kind} is {form}")
    for statement in statements:
        rules = statement.get("Rules")
        if rules is None and kind == "network":
            continue
        if not isinstance(rules, list) or not all(isinstance(rule, dict) and _resources(rule) for rule in rules):
            raise CollectionInvalid(
                "Policy json is invalid, error: Rules must be a list of objects with ResourceType and Resource"
            )
        if kind == "data" and not isinstance(statement.get("Principal"), list):
            raise CollectionInvalid("Policy json is invalid, error: Principal must be a list of ARNs")


def _resources(rule: dict[str, Any]) -> list[str]:
    resources = rule.get("Resource")
    return [each for each in resources if isinstance(each, str)] if isinstance(resources, list) else []


def _names(policy: Policy, resource: str) -> bool:
    statements = policy.policy if isinstance(policy.policy, list) else [policy.policy]
    patterns = [
        pattern for statement in statements for rule in statement.get("Rules") or [] for pattern in _resources(rule)
    ]
    return any(fnmatchcase(resource, pattern) for pattern in patterns)


def _version() -> str:
    return base64.b64encode(secrets.token_bytes(15)).decode()


def _owned(ctx: Context) -> tuple[Any, ...]:
    return POLICIES.c.account == ctx.account, POLICIES.c.region == ctx.region


def _called(kind: str, name: str) -> tuple[Any, ...]:
    return POLICIES.c.kind == kind, POLICIES.c.name == name


def _find(tx: Connection, ctx: Context, kind: str, name: str) -> Policy:
    row = tx.execute(select(POLICIES).where(*_owned(ctx), *_called(kind, name))).one_or_none()
    if row is None:
        raise CollectionNotFound(f"Policy with name {name} and type {kind} is not found")
    return _policy(row)


def _policy(row: Any) -> Policy:
    document = json.loads(row.policy)
    return Policy(row.kind, row.name, row.version, row.description, document, row.created_ms, row.modified_ms)
