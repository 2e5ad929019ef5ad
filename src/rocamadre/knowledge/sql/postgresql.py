"""PostgreSQL, in sessions and transactions that can only read, one statement each, within a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from rocamadre.core.errors import InvalidRequest, Unavailable
from rocamadre.knowledge.sql.sqlite import family_of, quoted
from rocamadre.knowledge.sql.types import Column, Limits, Link, Rows, Schema, Table

_COLUMNS = """
SELECT c.table_schema, c.table_name, c.column_name, c.data_type,
       coalesce(col_description(format('%I.%I', c.table_schema, c.table_name)::regclass, c.ordinal_position), ''),
       coalesce(obj_description(format('%I.%I', c.table_schema, c.table_name)::regclass), '')
FROM information_schema.columns c
WHERE c.table_schema NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1, 2, c.ordinal_position LIMIT 20000
"""
_KEYS = """
SELECT k.table_name, k.column_name, t.constraint_type, u.table_name, u.column_name
FROM information_schema.table_constraints t
JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
LEFT JOIN information_schema.referential_constraints r USING (constraint_schema, constraint_name)
LEFT JOIN information_schema.key_column_usage u
  ON u.constraint_schema = r.unique_constraint_schema AND u.constraint_name = r.unique_constraint_name
 AND u.ordinal_position = k.position_in_unique_constraint
WHERE t.constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') AND k.table_schema NOT IN ('pg_catalog', 'information_schema')
ORDER BY k.table_name, k.ordinal_position
"""


class PostgresqlDatabase:
    """See `types.Database`.

    The statement goes by the extended protocol, which takes one only; rows come one by one, so that what is not wanted
    is never fetched.

    Args:
        url: `postgresql://…`.
    """

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url

    def schema(self) -> Schema:
        """See `Database.schema`."""
        limits = Limits(rows=20_000)
        found: dict[tuple[str, str], list[Column]] = {}
        about: dict[tuple[str, str], str] = {}
        for schema, table, column, kind, said, of_table in self.run(_COLUMNS, limits).rows:
            found.setdefault((schema, table), []).append(Column(column, kind, family_of(kind), said))
            about[schema, table] = of_table
        keys: dict[str, list[str]] = {}
        links = []
        for table, column, kind, other, key in self.run(_KEYS, limits).rows:
            if kind == "PRIMARY KEY":
                keys.setdefault(table, []).append(column)
            elif other:
                links.append(Link(table, column, other, key))
        tables = tuple(
            Table(table, tuple(columns), schema, about[schema, table], tuple(keys.get(table, ())))
            for (schema, table), columns in found.items()
        )
        return Schema(self.dialect, tables, tuple(links))

    def run(self, sql: str, limits: Limits) -> Rows:
        """See `Database.run`."""
        return self._run(sql, (), limits)

    def holding(self, table: Table, column: Column, values: Sequence[str]) -> list[str]:
        """See `Database.holding`."""
        name = f"{quoted(table.schema)}.{quoted(table.name)}" if table.schema else quoted(table.name)
        text = f"{quoted(column.name)}::text"
        sql = f"SELECT DISTINCT {text} FROM {name} WHERE lower({text}) = ANY(%s)"
        try:
            return [str(row[0]) for row in self._run(sql, (list(values),), Limits(20, 2.0)).rows]
        except InvalidRequest:
            return []  # Too slow to look through: the value is then not recognised.

    def _run(self, sql: str, values: Sequence[Any], limits: Limits) -> Rows:
        milliseconds = max(1, round(limits.timeout_s * 1000))
        options = f"-c default_transaction_read_only=on -c statement_timeout={milliseconds} -c lock_timeout=2000"
        try:
            with psycopg.connect(self._url, options=options, connect_timeout=10) as connection:
                connection.read_only = True
                rows: list[tuple[Any, ...]] = []
                with connection.cursor() as cursor:
                    for row in cursor.stream(sql.encode(), values or None):
                        rows.append(row)
                        if len(rows) > limits.rows:
                            break
                    columns = tuple(each.name for each in cursor.description or ())
                connection.rollback()
        except psycopg.errors.QueryCanceled as error:
            raise InvalidRequest(
                f"the query took longer than {limits.timeout_s:g} s (setting sql.timeout_s)"
            ) from error
        except psycopg.errors.ReadOnlySqlTransaction as error:
            raise InvalidRequest("the query would change something; the database is only read") from error
        except psycopg.OperationalError as error:
            raise Unavailable("the PostgreSQL of this connection does not answer") from error
        except psycopg.Error as error:
            said = error.diag.message_primary or str(error)
            raise InvalidRequest(f"the database refused the query: {said[:300]}") from error
        return Rows(columns, tuple(rows[: limits.rows]), len(rows) > limits.rows)
