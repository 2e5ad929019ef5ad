"""SQLite files, read only: opened so, and every statement asked of an authorizer that knows reading alone."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.sql.types import Column, Family, Limits, Link, Rows, Schema, Table

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_REFUSED_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "randomblob"})
_STEPS = 2000
_CELL_BYTES = 1 << 20


class SqliteDatabase:
    """See `types.Database`."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path

    def schema(self) -> Schema:
        """See `Database.schema`."""
        tables, links = [], []
        with closing(self._open()) as connection:
            names = connection.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY 1"
            ).fetchall()
            for (name,) in names:
                found = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,)).fetchall()
                columns = tuple(Column(column, kind, family_of(kind)) for column, kind, _ in found)
                keys = tuple(column for column, _, key in sorted(found, key=lambda row: row[2]) if key)
                tables.append(Table(name, columns, keys=keys))
                for other, column, key in connection.execute(
                    'SELECT "table", "from", "to" FROM pragma_foreign_key_list(?)', (name,)
                ).fetchall():
                    links.append(Link(name, column, other, key or column))
        return Schema(self.dialect, tuple(tables), tuple(links))

    def run(self, sql: str, limits: Limits) -> Rows:
        """See `Database.run`."""
        with closing(self._open()) as connection:
            guard(connection, limits.timeout_s)
            try:
                cursor = connection.execute(sql)
                if cursor.description is None:
                    raise InvalidRequest("the query reads nothing; only one SELECT is run")
                rows = cursor.fetchmany(limits.rows + 1)
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise InvalidRequest(_why(error, limits)) from error
            columns = tuple(each[0] for each in cursor.description)
        return Rows(columns, tuple(rows[: limits.rows]), len(rows) > limits.rows)

    def holding(self, table: Table, column: Column, values: Sequence[str]) -> list[str]:
        """See `Database.holding`."""
        places = ", ".join("?" * len(values))
        sql = (
            f"SELECT DISTINCT {quoted(column.name)} FROM {quoted(table.name)} "
            f"WHERE lower({quoted(column.name)}) IN ({places}) LIMIT 20"
        )
        with closing(self._open()) as connection:
            guard(connection, 2.0)
            try:
                return [row[0] for row in connection.execute(sql, list(values)) if isinstance(row[0], str)]
            except sqlite3.Error:
                return []  # Too slow to look through: the value is then not recognised.

    def _open(self) -> sqlite3.Connection:
        if not self._path.is_file():
            raise InvalidRequest(f"the database file {self._path.name} of this connection is not there")
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def guard(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Let a connection read only, for so long, and hold no value over 1 MiB."""
    until = time.monotonic() + timeout_s
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _CELL_BYTES)
    connection.execute("PRAGMA query_only = ON")
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)

    def may(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _REFUSED_FUNCTIONS:
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

    connection.set_authorizer(may)


def family_of(declared: str) -> Family:
    """What can be done with a column, by its declared type.

    >>> family_of("VARCHAR(20)"), family_of("double precision"), family_of("timestamp"), family_of("")
    ('text', 'number', 'time', 'other')
    """
    kind = declared.lower()
    if (
        "interval" not in kind
        and "point" not in kind
        and any(part in kind for part in ("int", "real", "floa", "doub", "num", "dec", "serial", "money"))
    ):
        return "number"
    if "date" in kind or "time" in kind:
        return "time"
    if "bool" in kind:
        return "boolean"
    return "text" if any(part in kind for part in ("char", "text", "clob", "string", "enum", "uuid")) else "other"


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def _why(error: Exception, limits: Limits) -> str:
    said = str(error)
    if said == "interrupted":
        return f"the query took longer than {limits.timeout_s:g} s (setting sql.timeout_s)"
    if "not authorized" in said or "prohibited" in said:
        return "the query would change something or reach outside the database; it is only read"
    if "one statement at a time" in said:
        return "the query holds several statements; one SELECT is run"
    return f"the database refused the query: {said[:300]}"
