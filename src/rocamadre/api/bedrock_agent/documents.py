"""IngestKnowledgeBaseDocuments, GetKnowledgeBaseDocuments, ListKnowledgeBaseDocuments, DeleteKnowledgeBaseDocuments."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.api.wire.paging import page
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.knowledge.data_sources import get_data_source
from rocamadre.knowledge.documents import (
    NewDocument,
    delete_documents,
    get_documents,
    ingest_documents,
    list_documents,
)
from rocamadre.knowledge.types import DataSource, Document

_VALUES = {
    "BOOLEAN": "booleanValue",
    "NUMBER": "numberValue",
    "STRING": "stringValue",
    "STRING_LIST": "stringListValue",
}


@handles("bedrock-agent", "IngestKnowledgeBaseDocuments", missing=("documents: metadata.accessControlList is refused",))
async def ingest(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take documents in."""
    source = await _source(ctx, request)
    documents = [_new(source, each, f"documents.{index}") for index, each in enumerate(request["documents"])]
    found = await asyncio.to_thread(ingest_documents, ctx, source.knowledge_base, source.id, documents)
    return {"documentDetails": _details(source, found)}


@handles("bedrock-agent", "GetKnowledgeBaseDocuments")
async def get(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """What became of some documents."""
    source = await _source(ctx, request)
    ids = _ids(source, request["documentIdentifiers"])
    found = await asyncio.to_thread(get_documents, ctx, source.knowledge_base, source.id, ids)
    return {"documentDetails": _details(source, found)}


@handles("bedrock-agent", "ListKnowledgeBaseDocuments")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """What became of a data source's documents, by id."""
    source = await _source(ctx, request)
    documents = await asyncio.to_thread(list_documents, ctx, source.knowledge_base, source.id)
    shown, token = page(
        ctx, documents, request=request, operation="ListKnowledgeBaseDocuments", key=lambda each: each.id
    )
    answer: dict[str, Any] = {"documentDetails": _details(source, shown)}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock-agent", "DeleteKnowledgeBaseDocuments")
async def delete(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take documents out."""
    source = await _source(ctx, request)
    ids = _ids(source, request["documentIdentifiers"])
    found = await asyncio.to_thread(delete_documents, ctx, source.knowledge_base, source.id, ids)
    return {"documentDetails": _details(source, found)}


async def _source(ctx: Context, request: Mapping[str, Any]) -> DataSource:
    return await asyncio.to_thread(get_data_source, ctx, request["knowledgeBaseId"], request["dataSourceId"])


def _member(given: Mapping[str, Any], name: str, kind: str, at: str) -> Any:
    """The member that goes with a type."""
    if name not in given:
        raise InvalidRequest(f"{at}: with the type {kind} it needs {name}")
    return given[name]


def _check_type(source: DataSource, kind: str, at: str) -> None:
    if kind != source.type:
        raise InvalidRequest(f"{at}.dataSourceType is {kind}; data source {source.id} is of type {source.type}")


def _new(source: DataSource, given: Mapping[str, Any], at: str) -> NewDocument:
    content = given["content"]
    _check_type(source, content["dataSourceType"], f"{at}.content")
    metadata, metadata_uri = _metadata(given.get("metadata"), f"{at}.metadata")
    if source.type == "S3":
        uri = _member(content, "s3", "S3", f"{at}.content")["s3Location"]["uri"]
        return NewDocument(uri, uri=uri, metadata=metadata, metadata_uri=metadata_uri)
    custom = _member(content, "custom", "CUSTOM", f"{at}.content")
    identifier, kind, at = custom["customDocumentIdentifier"]["id"], custom["sourceType"], f"{at}.content.custom"
    if kind == "S3_LOCATION":
        uri = _member(custom, "s3Location", kind, at)["uri"]
        return NewDocument(identifier, uri=uri, metadata=metadata, metadata_uri=metadata_uri)
    inline = _member(custom, "inlineContent", kind, at)
    if inline["type"] == "TEXT":
        data = _member(inline, "textContent", "TEXT", f"{at}.inlineContent")["data"].encode()
        return NewDocument(identifier, data, "", "text/plain; charset=utf-8", metadata, metadata_uri)
    found = _member(inline, "byteContent", "BYTE", f"{at}.inlineContent")
    return NewDocument(identifier, found["data"], "", found["mimeType"], metadata, metadata_uri)


def _metadata(given: Mapping[str, Any] | None, at: str) -> tuple[dict[str, Any], str]:
    if not given:
        return {}, ""
    if given.get("accessControlList"):
        raise NotBuilt(f"{at}.accessControlList: Rocamadre does not have access control of single documents")
    if given["type"] == "S3_LOCATION":
        return {}, _member(given, "s3Location", "S3_LOCATION", at)["uri"]
    found: dict[str, Any] = {}
    for attribute in _member(given, "inlineAttributes", "IN_LINE_ATTRIBUTE", at):
        value, key = attribute["value"], attribute["key"]
        if key in found:
            raise InvalidRequest(f"{at}.inlineAttributes: the key {key!r} is there twice")
        found[key] = _member(value, _VALUES[value["type"]], value["type"], f"{at}.inlineAttributes {key!r}")
    return found, ""


def _ids(source: DataSource, given: Sequence[Mapping[str, Any]]) -> list[str]:
    ids = []
    for index, each in enumerate(given):
        at = f"documentIdentifiers.{index}"
        _check_type(source, each["dataSourceType"], at)
        if source.type == "S3":
            ids.append(_member(each, "s3", "S3", at)["uri"])
        else:
            ids.append(_member(each, "custom", "CUSTOM", at)["id"])
    return ids


def _details(source: DataSource, documents: Sequence[Document]) -> list[dict[str, Any]]:
    details = []
    for document in documents:
        identifier: dict[str, Any] = {"dataSourceType": "CUSTOM", "custom": {"id": document.id}}
        if source.type == "S3":
            identifier = {"dataSourceType": "S3", "s3": {"uri": document.id}}
        facts = {
            "knowledgeBaseId": document.knowledge_base,
            "dataSourceId": document.data_source,
            "status": document.status,
            "identifier": identifier,
            "updatedAt": document.updated_at,
        }
        details.append(facts | ({"statusReason": document.reason} if document.reason else {}))
    return details
