"""Translators by name, and a model as one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from rocamadre.catalog.operations import resolve
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry
from rocamadre.knowledge.sql.types import Database, Limits, Schema, Table, Translation, Translator

if TYPE_CHECKING:
    from rocamadre.knowledge.retrieval import Models

TRANSLATORS: Registry[Callable[[], Translator]] = Registry(
    "sql-translator", {"rules": "rocamadre.knowledge.sql.by_rule:RuleTranslator"}
)
_FENCE = re.compile(r"```(?:sql)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_TRIES = 2
_MOST_SHOWN = 12_000


async def by_model(
    ctx: Context, question: str, schema: Schema, database: Database, models: Models, *, otherwise: Translation
) -> Translation:
    """A model's query, where the default model is fit to write one (as for answers: setting `answers.by`).

    The database is asked whether it understands the query; what it says goes back to the model, once.
    """
    settings = ctx.platform.settings
    model = resolve(ctx, settings.catalog.default_model).model
    fit = model.source == "remote" or model.parameters >= settings.answers.model_parameters
    if settings.answers.by == "reader" or (settings.answers.by == "auto" and not fit):
        return otherwise
    wish = _prompt(question, schema)
    for _ in range(_TRIES):
        text = (await models.generate(model.id, wish)).strip()
        fenced = _FENCE.search(text)
        sql = (fenced.group(1) if fenced else text).strip().rstrip(";").strip()
        if not re.match(r"(?is)\s*(?:select|with)\b", sql):
            return otherwise
        try:
            await asyncio.to_thread(database.run, sql, Limits(1, 2.0))
        except InvalidRequest as error:
            wish = (
                f"{_prompt(question, schema)}\n\nThis was tried:\n{sql}\nThe database said: {error.message}\nMend it."
            )
            continue
        return Translation(sql, facts={"by": model.id})
    return otherwise


def _prompt(question: str, schema: Schema) -> str:
    examples = "\n".join(f"Question: {each.question}\nSQL: {each.sql}" for each in schema.curated)
    return (
        f"Write one {schema.dialect} query that answers the question from these tables. Write only the query, one "
        "SELECT, no comment. If the tables do not hold the answer, write NONE.\n\n"
        f"{shown(schema)[:_MOST_SHOWN]}\n\n{examples}\n\nQuestion: {question}\nSQL:"
    )


def shown(schema: Schema) -> str:
    """A schema for a model to read: tables, columns with types and descriptions, keys."""
    lines = [_table(table) for table in schema.tables]
    lines += [f"-- {link.table}.{link.column} points at {link.other}.{link.key}" for link in schema.links]
    return "\n".join(lines)


def _table(table: Table) -> str:
    name = f"{table.schema}.{table.name}" if table.schema else table.name
    about = f"  -- {table.description}" if table.description else ""
    columns = [
        f"  {column.name} {column.type}{f'  -- {column.description}' if column.description else ''}"
        for column in table.columns
    ]
    return "\n".join([f"TABLE {name} ({about}", *columns, ")"])
