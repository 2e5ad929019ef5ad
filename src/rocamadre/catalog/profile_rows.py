"""Application inference profiles in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy import Engine as SqlEngine

from rocamadre.catalog.tables import PROFILES
from rocamadre.catalog.types import InferenceProfile
from rocamadre.core.arn import make_arn


def find_source_id(sql: SqlEngine, account: str, region: str, profile_id: str) -> str | None:
    """The foundation model id that a profile was made from; None if there is no such profile."""
    with sql.connect() as connection:
        return connection.execute(select(PROFILES.c.source_id).where(_is(account, region, profile_id))).scalar()


def insert_profile(tx: Connection, account: str, region: str, profile: InferenceProfile) -> None:
    """Store a new profile."""
    assert profile.created_at is not None
    row = {
        "arn": profile.arn,
        "account": account,
        "region": region,
        "id": profile.id,
        "name": profile.name,
        "description": profile.description,
        "source_id": profile.source_id,
        "created_at": profile.created_at.isoformat(),
        "updated_at": profile.created_at.isoformat(),
    }
    tx.execute(insert(PROFILES).values(row))


def delete_profile_row(tx: Connection, account: str, region: str, profile_id: str) -> bool:
    """Remove a profile; False when it is not there."""
    return tx.execute(delete(PROFILES).where(_is(account, region, profile_id))).rowcount == 1


def select_profile(tx: Connection, account: str, region: str, profile_id: str) -> InferenceProfile | None:
    """One profile, or None."""
    row = tx.execute(select(PROFILES).where(_is(account, region, profile_id))).one_or_none()
    return None if row is None else _profile(row)


def select_profiles(tx: Connection, account: str, region: str) -> list[InferenceProfile]:
    """All profiles of one account in one region, oldest first."""
    query = select(PROFILES).where(PROFILES.c.account == account, PROFILES.c.region == region)
    return [_profile(row) for row in tx.execute(query.order_by(PROFILES.c.created_at, PROFILES.c.id))]


def count_profiles(tx: Connection, account: str, region: str) -> int:
    """How many profiles one account has in one region."""
    query = select(func.count()).select_from(PROFILES)
    return tx.execute(query.where(PROFILES.c.account == account, PROFILES.c.region == region)).scalar_one()


def _is(account: str, region: str, profile_id: str) -> Any:
    return (PROFILES.c.account == account) & (PROFILES.c.region == region) & (PROFILES.c.id == profile_id)


def _profile(row: Any) -> InferenceProfile:
    return InferenceProfile(
        arn=row.arn,
        id=row.id,
        name=row.name,
        description=row.description,
        type="APPLICATION",
        source_id=row.source_id,
        model_arns=(make_arn("bedrock", row.region, "", f"foundation-model/{row.source_id}"),),
        created_at=datetime.fromisoformat(row.created_at),
        updated_at=datetime.fromisoformat(row.updated_at),
    )
