"""Guardrails in SQL: the draft and the numbered versions of each, and what accounts enforce."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Index, Integer, String, Table, Text, delete, func, insert, select, update

from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import NotFound
from rocamadre.guardrails.types import DRAFT, Enforced, Summary, Version
from rocamadre.store.sql.database import METADATA

GUARDRAILS = Table(
    "guardrails",
    METADATA,
    Column("arn", String(256), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("last_version", Integer, nullable=False, comment="Numbers are not used twice."),
    Column("created_at", String(40), nullable=False),
    Index("guardrails_place", "account", "region", "name", unique=True),
)

VERSIONS = Table(
    "guardrail_versions",
    METADATA,
    Column("arn", String(256), primary_key=True),
    Column("version", String(12), primary_key=True, comment="DRAFT or a number."),
    Column("account", String(12), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("profile_arn", Text, nullable=False),
    Column("spec", Text, nullable=False, comment="JSON; see `_Spec`."),
    Column("digest", String(64), nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
)

ENFORCED = Table(
    "guardrails_enforced",
    METADATA,
    Column("config_id", String(64), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("guardrail_arn", String(256), nullable=False),
    Column("version", String(12), nullable=False),
    Column("facts", Text, nullable=False, comment="JSON; see `_EnforcedFacts`."),
    Column("created_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
    Index("guardrails_enforced_place", "account", "region", unique=True),
)


class _Spec(msgspec.Struct):
    policies: dict[str, Any]
    blocked_input: str
    blocked_output: str
    kms_key_arn: str = ""


class _EnforcedFacts(msgspec.Struct):
    system: str
    messages: str
    included_models: list[str]
    excluded_models: list[str]
    created_by: str
    updated_by: str


def guardrail_arn(ctx: Context, identifier: str) -> str:
    """The ARN that an id or ARN stands for in the caller's account and region.

    Raises:
        NotFound: the ARN is another account's, of another region, or of something else.
    """
    if not identifier.startswith("arn:"):
        return make_arn("bedrock", ctx.region, ctx.account, f"guardrail/{identifier}")
    arn = Arn.parse(identifier)
    if (arn.service, arn.account, arn.region, arn.kind) != ("bedrock", ctx.account, ctx.region, "guardrail"):
        raise unknown(ctx, identifier)
    return make_arn("bedrock", ctx.region, ctx.account, arn.resource)


def unknown(ctx: Context, identifier: str, version: str = "") -> NotFound:
    """The error for a guardrail or version that is not there."""
    what = f"no version {version} of the guardrail" if version else "no guardrail"
    return NotFound(
        f"The guardrail identifier or version provided in the request does not exist: {what} {identifier[:200]!r} in "
        f"account {ctx.account}, region {ctx.region}; ListGuardrails shows what exists"
    )


def find_version(ctx: Context, identifier: str, version: str) -> Version:
    """One version of a guardrail.

    Raises:
        NotFound: there is no such guardrail or version in this account and region.
    """
    arn = guardrail_arn(ctx, identifier)
    with ctx.platform.sql.connect() as connection:
        found = select_version(connection, arn, version)
        if found is None:
            raise unknown(ctx, identifier, version if select_version(connection, arn, DRAFT) else "")
    return found


def find_digest(ctx: Context, identifier: str, version: str) -> tuple[str, str] | None:
    """ARN and digest of a version, which is quicker than the version; None when it is not there.

    Raises:
        NotFound: the ARN is not one of the caller's guardrails.
    """
    arn = guardrail_arn(ctx, identifier)
    query = select(VERSIONS.c.digest).where(VERSIONS.c.arn == arn, VERSIONS.c.version == version)
    with ctx.platform.sql.connect() as connection:
        digest = connection.execute(query).scalar()
    return None if digest is None else (arn, str(digest))


def digest_of(policies: dict[str, Any], blocked_input: str, blocked_output: str) -> str:
    """What tells apart versions that do different things."""
    whole = msgspec.json.encode([policies, blocked_input, blocked_output], order="sorted")
    return hashlib.sha256(whole).hexdigest()


def insert_guardrail(tx: Connection, ctx: Context, draft: Version) -> None:
    """Store a new guardrail; the database refuses a name that is taken."""
    row = {
        "arn": draft.arn,
        "account": ctx.account,
        "region": ctx.region,
        "name": draft.name,
        "last_version": 0,
        "created_at": draft.created_at.isoformat(),
    }
    tx.execute(insert(GUARDRAILS).values(row))
    insert_version(tx, draft)


def insert_version(tx: Connection, version: Version) -> None:
    """Store a version."""
    row = {"arn": version.arn, "version": version.version, "account": Arn.parse(version.arn).account}
    tx.execute(insert(VERSIONS).values(row | _columns(version)))


def replace_draft(tx: Connection, draft: Version) -> bool:
    """The draft as it is from now on, False when it is gone; the database refuses a name that is taken."""
    tx.execute(update(GUARDRAILS).where(GUARDRAILS.c.arn == draft.arn).values(name=draft.name))
    is_draft = (VERSIONS.c.arn == draft.arn) & (VERSIONS.c.version == DRAFT)
    return tx.execute(update(VERSIONS).where(is_draft).values(_columns(draft))).rowcount == 1


def next_version(tx: Connection, arn: str) -> int | None:
    """The number of a new version, taken; None when the guardrail is gone."""
    row = GUARDRAILS.c.arn == arn
    if not tx.execute(update(GUARDRAILS).where(row).values(last_version=GUARDRAILS.c.last_version + 1)).rowcount:
        return None
    return int(tx.execute(select(GUARDRAILS.c.last_version).where(row)).scalar_one())


def delete_versions(tx: Connection, arn: str, version: str | None) -> bool:
    """Remove one version, or the guardrail with all of them; False when it was not there."""
    if version is None:
        tx.execute(delete(VERSIONS).where(VERSIONS.c.arn == arn))
        return tx.execute(delete(GUARDRAILS).where(GUARDRAILS.c.arn == arn)).rowcount == 1
    return tx.execute(delete(VERSIONS).where(VERSIONS.c.arn == arn, VERSIONS.c.version == version)).rowcount == 1


def select_version(tx: Connection, arn: str, version: str) -> Version | None:
    """One version, or None."""
    row = tx.execute(select(VERSIONS).where(VERSIONS.c.arn == arn, VERSIONS.c.version == version)).one_or_none()
    if row is None:
        return None
    spec = msgspec.json.decode(row.spec, type=_Spec)
    return Version(
        arn=row.arn,
        id=Arn.parse(row.arn).id,
        version=row.version,
        name=row.name,
        description=row.description,
        policies=spec.policies,
        blocked_input=spec.blocked_input,
        blocked_output=spec.blocked_output,
        kms_key_arn=spec.kms_key_arn,
        profile_arn=row.profile_arn,
        digest=row.digest,
        created_at=datetime.fromisoformat(row.created_at),
        updated_at=datetime.fromisoformat(row.updated_at),
    )


def select_drafts(tx: Connection, account: str, region: str) -> list[Summary]:
    """The drafts of one account in one region, oldest first."""
    query = select(*_SUMMARY).join(GUARDRAILS, GUARDRAILS.c.arn == VERSIONS.c.arn)
    query = query.where(GUARDRAILS.c.account == account, GUARDRAILS.c.region == region, VERSIONS.c.version == DRAFT)
    return [_summary(row) for row in tx.execute(query.order_by(GUARDRAILS.c.created_at, GUARDRAILS.c.arn))]


def select_summaries(tx: Connection, arn: str) -> list[Summary]:
    """The draft of one guardrail, then its versions by number."""
    found = [_summary(row) for row in tx.execute(select(*_SUMMARY).where(VERSIONS.c.arn == arn))]
    return sorted(found, key=lambda each: 0 if each.version == DRAFT else int(each.version))


def count_guardrails(tx: Connection, account: str, region: str) -> int:
    """How many guardrails one account has in one region."""
    query = select(func.count()).select_from(GUARDRAILS)
    return int(tx.execute(query.where(GUARDRAILS.c.account == account, GUARDRAILS.c.region == region)).scalar_one())


def count_versions(tx: Connection, arn: str) -> int:
    """How many numbered versions a guardrail has."""
    query = select(func.count()).select_from(VERSIONS)
    return int(tx.execute(query.where(VERSIONS.c.arn == arn, VERSIONS.c.version != DRAFT)).scalar_one())


def put_enforced(tx: Connection, ctx: Context, enforced: Enforced) -> None:
    """Store what an account enforces in a region, in place of what it enforced before."""
    delete_enforced(tx, ctx.account, ctx.region, enforced.config_id)
    facts = _EnforcedFacts(
        enforced.system,
        enforced.messages,
        list(enforced.included_models),
        list(enforced.excluded_models),
        enforced.created_by,
        enforced.updated_by,
    )
    row = {
        "config_id": enforced.config_id,
        "account": ctx.account,
        "region": ctx.region,
        "guardrail_arn": enforced.guardrail_arn,
        "version": enforced.version,
        "facts": msgspec.json.encode(facts).decode(),
        "created_at": enforced.created_at.isoformat(),
        "updated_at": enforced.updated_at.isoformat(),
    }
    tx.execute(insert(ENFORCED).values(row))


def delete_enforced(tx: Connection, account: str, region: str, config_id: str) -> bool:
    """Enforce it no more; False when it was not there."""
    place = (ENFORCED.c.account == account) & (ENFORCED.c.region == region)
    return tx.execute(delete(ENFORCED).where(place, ENFORCED.c.config_id == config_id)).rowcount == 1


def select_enforced(tx: Connection, account: str, region: str) -> list[Enforced]:
    """What one account enforces in one region: at most one."""
    query = select(ENFORCED).where(ENFORCED.c.account == account, ENFORCED.c.region == region)
    return [_enforced(row) for row in tx.execute(query)]


def _enforced(row: Any) -> Enforced:
    facts = msgspec.json.decode(row.facts, type=_EnforcedFacts)
    return Enforced(
        config_id=row.config_id,
        guardrail_arn=row.guardrail_arn,
        version=row.version,
        system=facts.system,
        messages=facts.messages,
        included_models=tuple(facts.included_models),
        excluded_models=tuple(facts.excluded_models),
        created_at=datetime.fromisoformat(row.created_at),
        created_by=facts.created_by,
        updated_at=datetime.fromisoformat(row.updated_at),
        updated_by=facts.updated_by,
    )


_SUMMARY = [
    VERSIONS.c[name] for name in ("arn", "version", "name", "description", "profile_arn", "created_at", "updated_at")
]


def _summary(row: Any) -> Summary:
    return Summary(
        arn=row.arn,
        id=Arn.parse(row.arn).id,
        version=row.version,
        name=row.name,
        description=row.description,
        profile_arn=row.profile_arn,
        created_at=datetime.fromisoformat(row.created_at),
        updated_at=datetime.fromisoformat(row.updated_at),
    )


def _columns(version: Version) -> dict[str, str]:
    spec = _Spec(dict(version.policies), version.blocked_input, version.blocked_output, version.kms_key_arn)
    return {
        "name": version.name,
        "description": version.description,
        "profile_arn": version.profile_arn,
        "spec": msgspec.json.encode(spec).decode(),
        "digest": version.digest,
        "created_at": version.created_at.isoformat(),
        "updated_at": version.updated_at.isoformat(),
    }
