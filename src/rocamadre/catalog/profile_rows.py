"""Application inference profiles in SQL."""

from __future__ import annotations

from sqlalchemy import Engine as SqlEngine
from sqlalchemy import select

from rocamadre.catalog.tables import PROFILES


def find_source_id(sql: SqlEngine, account: str, region: str, profile_id: str) -> str | None:
    """The foundation model id that an application inference profile was made from; None if there is no such profile."""
    place = (PROFILES.c.account == account) & (PROFILES.c.region == region) & (PROFILES.c.id == profile_id)
    with sql.connect() as connection:
        return connection.execute(select(PROFILES.c.source_id).where(place)).scalar()
