"""CreateDataSource, GetDataSource, UpdateDataSource, ListDataSources, DeleteDataSource."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.chunkers.registry import HEADER as CHUNKING_HEADER
from rocamadre.knowledge.data_sources import (
    NewDataSource,
    create_data_source,
    delete_data_source,
    get_data_source,
    list_data_sources,
    update_data_source,
)
from rocamadre.knowledge.types import DataSource

LOADER_HEADER = "x-rocamadre-loader"
"""JSON: what a data source of type CUSTOM is read from besides what is brought to it; see docs/knowledge-bases.md."""
_MISSING = (
    "dataSourceConfiguration: CONFLUENCE, SALESFORCE, SHAREPOINT, REDSHIFT_METADATA and "
    "MANAGED_KNOWLEDGE_BASE_CONNECTOR are refused",
    "vectorIngestionConfiguration: parsingConfiguration is stored and shown; documents are read by the parsers built "
    "in, never by a model",
    "serverSideEncryptionConfiguration: stored and shown, nothing is encrypted with it",
)


@handles("bedrock-agent", "CreateDataSource", missing=_MISSING)
async def create(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """A data source, `AVAILABLE` at once."""
    wish = _wish(ctx, request)
    return _answer(ctx, await asyncio.to_thread(create_data_source, ctx, request["knowledgeBaseId"], wish))


@handles("bedrock-agent", "GetDataSource")
async def get(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One data source."""
    found = await asyncio.to_thread(get_data_source, ctx, request["knowledgeBaseId"], request["dataSourceId"])
    return _answer(ctx, found)


@handles("bedrock-agent", "UpdateDataSource", missing=_MISSING)
async def update(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Other configurations, which the next ingestion job follows."""
    wish = _wish(ctx, request)
    place = request["knowledgeBaseId"], request["dataSourceId"]
    return _answer(ctx, await asyncio.to_thread(update_data_source, ctx, *place, wish))


@handles("bedrock-agent", "ListDataSources")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """A knowledge base's data sources, those changed last first."""
    sources = await asyncio.to_thread(list_data_sources, ctx, request["knowledgeBaseId"])
    shown, token = page(ctx, sources, request=request, operation="ListDataSources", key=lambda source: source.id)
    answer: dict[str, Any] = {"dataSourceSummaries": [_summary(source) for source in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock-agent", "DeleteDataSource")
async def delete(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take a data source away; its chunks, too, unless its policy is RETAIN."""
    source = await asyncio.to_thread(delete_data_source, ctx, request["knowledgeBaseId"], request["dataSourceId"])
    return {"knowledgeBaseId": source.knowledge_base, "dataSourceId": source.id, "status": source.status}


def _wish(ctx: Context, request: Mapping[str, Any]) -> NewDataSource:
    return NewDataSource(
        name=request["name"],
        configuration=request["dataSourceConfiguration"],
        description=request.get("description", ""),
        ingestion=request.get("vectorIngestionConfiguration", {}),
        encryption=request.get("serverSideEncryptionConfiguration", {}),
        deletion_policy=request.get("dataDeletionPolicy", "DELETE"),
        chunking=_header(ctx, CHUNKING_HEADER),
        loader=_header(ctx, LOADER_HEADER),
    )


def _header(ctx: Context, name: str) -> dict[str, Any]:
    text = ctx.wishes.get(name, "")
    if not text:
        return {}
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the header {name} must hold a JSON object: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRequest(f"the header {name} must hold a JSON object, not a {type(found).__name__}")
    return found


def _answer(ctx: Context, source: DataSource) -> dict[str, Any]:
    for name, value in ((CHUNKING_HEADER, source.chunking), (LOADER_HEADER, source.loader)):
        if value:
            ctx.reply_headers[name] = msgspec.json.encode(value).decode().encode("ascii", "backslashreplace").decode()
    facts: dict[str, Any] = _summary(source) | {
        "dataSourceConfiguration": source.configuration,
        "dataDeletionPolicy": source.deletion_policy,
        "createdAt": source.created_at,
    }
    if source.ingestion:
        facts["vectorIngestionConfiguration"] = source.ingestion
    if source.encryption:
        facts["serverSideEncryptionConfiguration"] = source.encryption
    if source.failures:
        facts["failureReasons"] = list(source.failures)
    return {"dataSource": facts}


def _summary(source: DataSource) -> dict[str, Any]:
    facts = {
        "knowledgeBaseId": source.knowledge_base,
        "dataSourceId": source.id,
        "name": source.name,
        "status": source.status,
        "updatedAt": source.updated_at,
    }
    return facts | ({"description": source.description} if source.description else {})
