"""DuckDB files, read only, without a way to other files or the network."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.sql.sqlite import family_of, quoted
from rocamadre.knowledge.sql.types import Column, Limits, Rows, Schema, Table

_LOCKED = {"enable_external_access": "false", "lock_configuration": "true", "autoload_known_extensions": "false"}


class DuckdbDatabase:
    """See `types.Database`."""

    dialect = "duckdb"

    def __init__(self, path: Path) -> None:
        self._path = path

    def schema(self) -> Schema:
        """See `Database.schema`."""
        found: dict[str, list[Column]] = {}
        sql = "SELECT table_name, column_name, data_type FROM information_schema.columns ORDER BY 1, ordinal_position"
        for table, column, kind in self.run(sql, Limits(rows=20_000)).rows:
            found.setdefault(table, []).append(Column(column, kind, family_of(kind)))
        return Schema(self.dialect, tuple(Table(table, tuple(columns)) for table, columns in found.items()))

    def run(self, sql: str, limits: Limits) -> Rows:
        """See `Database.run`."""
        return self._run(sql, (), limits)

    def holding(self, table: Table, column: Column, values: Sequence[str]) -> list[str]:
        """See `Database.holding`."""
        places = ", ".join("?" * len(values))
        name = quoted(column.name)
        sql = f"SELECT DISTINCT {name} FROM {quoted(table.name)} WHERE lower({name}) IN ({places}) LIMIT 20"
        try:
            return [str(row[0]) for row in self._run(sql, values, Limits(20, 2.0)).rows]
        except InvalidRequest:
            return []  # Too slow to look through: the value is then not recognised.

    def _run(self, sql: str, values: Sequence[Any], limits: Limits) -> Rows:
        if not self._path.is_file():
            raise InvalidRequest(f"the database file {self._path.name} of this connection is not there")
        connection = duckdb.connect(str(self._path), read_only=True, config=_LOCKED)
        timer = threading.Timer(limits.timeout_s, connection.interrupt)
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise InvalidRequest("one SELECT is run, and nothing else")
            timer.start()
            cursor = connection.execute(statements[0], list(values))
            rows = cursor.fetchmany(limits.rows + 1)
            columns = tuple(each[0] for each in cursor.description or ())
        except duckdb.InterruptException as error:
            raise InvalidRequest(
                f"the query took longer than {limits.timeout_s:g} s (setting sql.timeout_s)"
            ) from error
        except duckdb.Error as error:
            raise InvalidRequest(f"the database refused the query: {str(error)[:300]}") from error
        finally:
            timer.cancel()
            connection.close()
        return Rows(columns, tuple(rows[: limits.rows]), len(rows) > limits.rows)
