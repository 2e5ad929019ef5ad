"""Knowledge bases of type SQL: their configuration, and Retrieve on them.

The wire knows Redshift alone; what it says is read so: `databaseName` names a connection of the settings (for a data
catalog, what stands before the first point of `tableNames`). Workgroup, cluster and credentials are kept, and used for
nothing: the connection's URL has its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.settings import SqlSettings
from rocamadre.knowledge.kinds import Made
from rocamadre.knowledge.sql.connections import open_database
from rocamadre.knowledge.sql.translators import TRANSLATORS, by_model
from rocamadre.knowledge.sql.types import CellType, Curated, Database, Limits, Rows, Schema, Table, Translation

if TYPE_CHECKING:
    from rocamadre.knowledge.retrieval import Models
    from rocamadre.knowledge.types import KnowledgeBase

_MEMBER = "sqlKnowledgeBaseConfiguration"


@dataclass(frozen=True, slots=True)
class SqlConfiguration:
    """The wire's configuration, read.

    Attributes:
        connection: A name in the settings.
        only: Tables of a data catalog, lower case; empty for all.
        timeout_s: None for the setting's.
        context: The wire's `generationContext`.
    """

    connection: str
    only: frozenset[str]
    timeout_s: float | None
    context: Mapping[str, Any]


class SqlKind:
    """See `kinds.Kind`."""

    def create(self, ctx: Context, configuration: Mapping[str, Any], storage: Mapping[str, Any]) -> Made:
        """See `Kind.create`."""
        if storage:
            raise InvalidRequest("storageConfiguration: a knowledge base of type SQL stores nothing; leave it out")
        read = read_configuration(configuration)
        database = open_database(ctx.platform.settings.sql, read.connection)
        schema = schema_of(database, read)
        if not schema.tables:
            raise InvalidRequest(f"the database {read.connection!r} has no table that this knowledge base may read")
        return Made("sql", facts={"connection": read.connection, "dialect": database.dialect})

    def update(
        self, ctx: Context, base: KnowledgeBase, configuration: Mapping[str, Any], storage: Mapping[str, Any]
    ) -> Made:
        """See `Kind.update`."""
        return self.create(ctx, configuration, storage)

    def destroy(self, ctx: Context, base: KnowledgeBase) -> None:
        """See `Kind.destroy`; the database is not ours."""

    async def retrieve(
        self, ctx: Context, base: KnowledgeBase, text: str, configuration: Mapping[str, Any], models: Models
    ) -> Sequence[dict[str, Any]]:
        """See `Kind.retrieve`."""
        if not text.strip():
            raise InvalidRequest("retrievalQuery.text: the question is blank")
        wish = configuration.get("vectorSearchConfiguration") or {}
        unfit = sorted(set(wish) - {"numberOfResults"})
        if unfit:
            raise InvalidRequest(f"{unfit[0]}: a knowledge base of type SQL is asked with numberOfResults alone")
        translation = await translate(ctx, base, text, models)
        read = read_configuration(base.configuration)
        limits = limits_of(ctx.platform.settings.sql, read)
        rows = await asyncio.to_thread(_run, ctx, read, translation.sql, limits)
        return wire_rows(rows, translation.sql, base, ctx.platform.settings.sql, most=wish.get("numberOfResults"))


KIND = SqlKind()


def read_configuration(configuration: Mapping[str, Any]) -> SqlConfiguration:
    """Read a `knowledgeBaseConfiguration` of type SQL.

    Raises:
        InvalidRequest: members are missing or contradict each other.
    """
    given = configuration.get(_MEMBER)
    if given is None or len(configuration) > 2:
        raise InvalidRequest(f"knowledgeBaseConfiguration of type SQL holds {_MEMBER} and nothing else")
    redshift = given.get("redshiftConfiguration")
    if redshift is None:
        raise InvalidRequest(f"{_MEMBER}.redshiftConfiguration is missing: it names the database")
    storage = redshift["storageConfigurations"][0]
    generation = redshift.get("queryGenerationConfiguration") or {}
    only: frozenset[str] = frozenset()
    if storage["type"] == "REDSHIFT":
        if "redshiftConfiguration" not in storage:
            raise InvalidRequest("storageConfigurations.0 of type REDSHIFT holds redshiftConfiguration.databaseName")
        connection = storage["redshiftConfiguration"]["databaseName"]
    else:
        names = (storage.get("awsDataCatalogConfiguration") or {}).get("tableNames") or []
        firsts = {name.partition(".")[0] for name in names}
        if len(firsts) != 1 or any("." not in name for name in names):
            raise InvalidRequest(
                "awsDataCatalogConfiguration.tableNames: give `connection.table`, all of one connection"
            )
        connection = firsts.pop()
        only = frozenset(name.rpartition(".")[2].lower() for name in names)
    timeout = generation.get("executionTimeoutSeconds")
    return SqlConfiguration(connection, only, timeout, generation.get("generationContext") or {})


def schema_of(database: Database, read: SqlConfiguration) -> Schema:
    """The database's schema as the owner wants it seen: what is left out and in, descriptions, curated queries.

    Raises:
        InvalidRequest: the owner describes a table that is not there.
    """
    schema = database.schema()
    tables = [table for table in schema.tables if not read.only or table.name.lower() in read.only]
    told = {each["name"].rpartition(".")[2].lower(): each for each in read.context.get("tables", ())}
    if unknown := sorted(set(told) - {table.name.lower() for table in tables}):
        there = ", ".join(table.name for table in tables[:20]) or "none"
        raise InvalidRequest(f"generationContext.tables: there is no table {unknown[0]!r}; there are: {there}")
    included = {name for name, each in told.items() if each.get("inclusion") == "INCLUDE"}
    shown = []
    for table in tables:
        about = told.get(table.name.lower(), {})
        if about.get("inclusion") == "EXCLUDE" or (included and table.name.lower() not in included):
            continue
        shown.append(_described(table, about))
    names = {table.name for table in shown}
    links = tuple(link for link in schema.links if {link.table, link.other} <= names)
    curated = tuple(Curated(each["naturalLanguage"], each["sql"]) for each in read.context.get("curatedQueries", ()))
    return Schema(schema.dialect, tuple(shown), links, curated)


def _described(table: Table, about: Mapping[str, Any]) -> Table:
    told = {each["name"].lower(): each for each in about.get("columns", ()) if each.get("name")}
    included = {name for name, each in told.items() if each.get("inclusion") == "INCLUDE"}
    columns = []
    for column in table.columns:
        said = told.get(column.name.lower(), {})
        if said.get("inclusion") == "EXCLUDE" or (included and column.name.lower() not in included):
            continue
        columns.append(replace(column, description=said.get("description") or column.description))
    return replace(table, columns=tuple(columns), description=about.get("description") or table.description)


def limits_of(settings: SqlSettings, read: SqlConfiguration) -> Limits:
    """What one query may cost: the settings' limits, or less where the knowledge base says so."""
    return Limits(settings.rows, min(read.timeout_s or settings.timeout_s, settings.timeout_s))


async def translate(ctx: Context, base: KnowledgeBase, question: str, models: Models) -> Translation:
    """The query for a question; tried by the database before it is given back.

    Raises:
        InvalidRequest: the question was not understood; the sentence says what was not.
    """
    read = read_configuration(base.configuration)
    database = open_database(ctx.platform.settings.sql, read.connection)
    schema = await asyncio.to_thread(schema_of, database, read)
    rules = TRANSLATORS.load("rules")()
    found = await asyncio.to_thread(rules.translate, question, schema, database)
    if not found.sql:
        found = await by_model(ctx, question, schema, database, models, otherwise=found)
    if not found.sql:
        raise InvalidRequest(
            f"the question could not be made a query: {found.reason}. Name tables, columns and values as the database "
            "does, or add a curated query to the knowledge base"
        )
    return found


def _run(ctx: Context, read: SqlConfiguration, sql: str, limits: Limits) -> Rows:
    return open_database(ctx.platform.settings.sql, read.connection).run(sql, limits)


def wire_rows(
    rows: Rows, sql: str, base: KnowledgeBase, settings: SqlSettings, *, most: int | None
) -> list[dict[str, Any]]:
    """Rows in the wire's form, each with the query that brought it."""
    metadata = {"x-amz-bedrock-kb-source-uri": f"sql://{base.facts.get('connection', '')}"}
    if rows.cut or (most is not None and len(rows.rows) > most):
        metadata["x-rocamadre-rows-cut"] = "true"
    return [
        {
            "content": {
                "type": "ROW",
                "row": [
                    _cell(name, value, settings.cell_characters) for name, value in zip(rows.columns, row, strict=True)
                ],
            },
            "location": {"type": "SQL", "sqlLocation": {"query": sql}},
            "metadata": metadata,
        }
        for row in rows.rows[:most]
    ]


def _cell(name: str, value: Any, most: int) -> dict[str, Any]:
    kind: CellType = "STRING"
    if value is None:
        return {"columnName": name, "columnValue": "", "type": "NULL"}
    if isinstance(value, bool):
        return {"columnName": name, "columnValue": "true" if value else "false", "type": "BOOLEAN"}
    if isinstance(value, int):
        kind = "LONG"
    elif isinstance(value, float):
        kind = "DOUBLE"
    elif isinstance(value, bytes | memoryview):
        return {"columnName": name, "columnValue": bytes(value).hex()[:most], "type": "BLOB"}
    elif type(value).__name__ == "Decimal":
        kind = "DOUBLE"
    return {"columnName": name, "columnValue": str(value)[:most], "type": kind}
