"""GenerateQuery: a question as SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.api.inference.knowledge import AskedModels
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.operations import get_knowledge_base
from rocamadre.knowledge.sql.kind import translate


@handles(
    "bedrock-agent-runtime",
    "GenerateQuery",
    missing=(
        "queries: the SQL is in the dialect of the connected database (SQLite, PostgreSQL, DuckDB), not Redshift's",
    ),
)
async def generate_query(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """The query for a question; it is not run."""
    configuration = request["transformationConfiguration"].get("textToSqlConfiguration")
    if configuration is None or "knowledgeBaseConfiguration" not in configuration:
        raise InvalidRequest(
            "transformationConfiguration.textToSqlConfiguration.knowledgeBaseConfiguration is missing: it "
            "names the knowledge base whose database is meant"
        )
    arn = configuration["knowledgeBaseConfiguration"]["knowledgeBaseArn"]
    base = await asyncio.to_thread(get_knowledge_base, ctx, arn)
    if base.type != "SQL":
        raise InvalidRequest(f"knowledge base {base.id} is of type {base.type}; queries are made for the type SQL")
    found = await translate(ctx, base, request["queryGenerationInput"]["text"], AskedModels(ctx))
    return {"queries": [{"type": "REDSHIFT_SQL", "sql": found.sql}]}
