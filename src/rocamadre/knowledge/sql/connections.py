"""The databases that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry
from rocamadre.core.settings import SqlSettings
from rocamadre.knowledge.sql.types import Database

DATABASES: Registry[Callable[..., Database]] = Registry(
    "sql-database",
    {
        "sqlite": "rocamadre.knowledge.sql.sqlite:SqliteDatabase",
        "postgresql": "rocamadre.knowledge.sql.postgresql:PostgresqlDatabase",
        "duckdb": "rocamadre.knowledge.sql.duckdb:DuckdbDatabase",
    },
    extra={"duckdb": "duckdb"},
)
"""By the scheme of a connection's URL."""
_FILES = ("sqlite", "duckdb")


def open_database(settings: SqlSettings, name: str) -> Database:
    """The database of a connection. Opens nothing yet.

    Raises:
        InvalidRequest: the settings do not name it, or its URL is of no kind that there is.
        MissingDependency: it needs a package that is not installed.
    """
    url = settings.connections.get(name)
    if url is None:
        there = ", ".join(sorted(settings.connections)) or "none"
        raise InvalidRequest(
            f"no database is called {name[:100]!r}: connections are named in the settings (sql.connections); there "
            f"are: {there}"
        )
    scheme, separator, rest = url.partition("://")
    scheme = {"postgres": "postgresql", "postgresql+psycopg": "postgresql"}.get(scheme, scheme)
    if not separator or scheme not in DATABASES.names():
        raise InvalidRequest(
            f"the connection {name!r} has a URL that is none of {', '.join(DATABASES.names())}; one is sqlite:///FILE"
        )
    make = DATABASES.load(scheme)
    if scheme in _FILES:
        return make(Path(rest.removeprefix("/") if not rest.startswith("//") else rest[1:]).expanduser())
    return make(f"postgresql://{rest}")
