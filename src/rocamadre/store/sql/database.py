"""The platform's database: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, create_engine, event, select

from rocamadre.core.errors import Conflict

METADATA = MetaData()
"""Every area's tables register here, in its `tables.py`."""

SCHEMA_VERSION = 1
"""Raised with each migration in `MIGRATIONS`."""

_version = Table(
    "schema_version", METADATA, Column("name", String, primary_key=True), Column("version", Integer, nullable=False)
)

MIGRATIONS: dict[int, tuple[str, ...]] = {}
"""Version to the SQL statements that bring the version before it there."""


def open_database(home: Path, url: str = "") -> Engine:
    """Open the database, made or migrated where need be.

    Args:
        home: The state folder; created with mode 0700.
        url: SQLAlchemy URL; empty opens `platform.sqlite` in `home`.

    Raises:
        Conflict: a newer Rocamadre wrote it.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(url or f"sqlite:///{home / 'platform.sqlite'}", pool_pre_ping=bool(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
    try:
        _migrate(engine, home)
    except BaseException:
        engine.dispose()
        raise
    if engine.dialect.name == "sqlite" and engine.url.database:
        os.chmod(engine.url.database, 0o600)
    return engine


def _migrate(engine: Engine, home: Path) -> None:
    with engine.begin() as connection:
        METADATA.create_all(connection)
        found = connection.execute(select(_version.c.version).where(_version.c.name == "platform")).scalar()
        if found is None:
            connection.execute(_version.insert().values(name="platform", version=SCHEMA_VERSION))
        elif found > SCHEMA_VERSION:
            raise Conflict(
                f"the state in {home} has schema {found}, this program knows up to {SCHEMA_VERSION}; "
                "install the newer Rocamadre"
            )
        else:
            for version in range(found + 1, SCHEMA_VERSION + 1):
                for statement in MIGRATIONS[version]:
                    connection.exec_driver_sql(statement)
            connection.execute(_version.update().where(_version.c.name == "platform").values(version=SCHEMA_VERSION))


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
