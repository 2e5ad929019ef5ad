"""The platform's database, for commands that need no server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rocamadre.catalog.host import LocalHost
from rocamadre.cli.session import Session
from rocamadre.core.clock import SystemClock
from rocamadre.store.sql.database import open_database


@contextmanager
def local_host(session: Session) -> Iterator[LocalHost]:
    """Settings, database and time, as the catalog and the keys want them; the database is closed at the end."""
    settings = session.settings
    sql = open_database(settings.home, settings.database)
    try:
        yield LocalHost(settings, sql, SystemClock())
    finally:
        sql.dispose()
