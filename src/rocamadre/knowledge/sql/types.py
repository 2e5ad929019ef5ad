"""Databases as a translator sees them, and the two protocols of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

CellType = Literal["BLOB", "BOOLEAN", "DOUBLE", "NULL", "LONG", "STRING"]
"""Types of a value in the wire's rows."""
Family = Literal["text", "number", "time", "boolean", "other"]
"""What can be done with a column: compared, summed, ordered."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        type: As the database declares it.
        description: What the knowledge base's owner says of it; may be empty.
    """

    name: str
    type: str
    family: Family
    description: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view.

    Attributes:
        schema: Its namespace; empty where the database has none.
        keys: Columns of the primary key.
    """

    name: str
    columns: tuple[Column, ...]
    schema: str = ""
    description: str = ""
    keys: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """A column by its name."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key: `table.column` points at `other.key`."""

    table: str
    column: str
    other: str
    key: str


@dataclass(frozen=True, slots=True)
class Curated:
    """A question whose query the owner wrote down."""

    question: str
    sql: str


@dataclass(frozen=True, slots=True)
class Schema:
    """What a translator may use.

    Attributes:
        dialect: `sqlite`, `postgresql` or `duckdb`.
    """

    dialect: str
    tables: tuple[Table, ...]
    links: tuple[Link, ...] = ()
    curated: tuple[Curated, ...] = ()

    def table(self, name: str) -> Table:
        """A table by its name."""
        return next(table for table in self.tables if table.name == name)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query brought back.

    Attributes:
        cut: Whether there were more rows than were asked for.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may cost."""

    rows: int = 100
    timeout_s: float = 15.0


class Database(Protocol):
    """A database that can only be read. Methods block; each opens and closes its own connection."""

    dialect: str

    def schema(self) -> Schema:
        """Tables, columns and keys."""
        ...

    def run(self, sql: str, limits: Limits) -> Rows:
        """Run one query.

        Raises:
            InvalidRequest: it is no single reading statement, fails, or takes too long.
        """
        ...

    def holding(self, table: Table, column: Column, values: Sequence[str]) -> list[str]:
        """Those values of a text column that are among some in lower case, as they are written there."""
        ...


@dataclass(frozen=True, slots=True)
class Translation:
    """A query for a question, or why there is none.

    Attributes:
        sql: Empty where the question was not understood.
        reason: What was not; empty otherwise.
        facts: How it came about, small JSON.
    """

    sql: str
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Translator(Protocol):
    """Makes queries of questions. Blocks."""

    def translate(self, question: str, schema: Schema, database: Database) -> Translation:
        """A query in the database's dialect; without one where the question is not understood."""
        ...
