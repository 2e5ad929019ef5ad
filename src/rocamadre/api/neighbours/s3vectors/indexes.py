"""S3 Vectors: indexes and the vectors in them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.pages import page_of
from rocamadre.api.neighbours.s3vectors.buckets import ENCRYPTION
from rocamadre.core.context import Context
from rocamadre.neighbours.s3vectors import operations as indexes
from rocamadre.neighbours.s3vectors import vectors
from rocamadre.neighbours.s3vectors.errors import VectorsInvalid
from rocamadre.neighbours.s3vectors.operations import VectorIndex
from rocamadre.neighbours.s3vectors.vectors import Vector

_MOST = 500
_TEXT = "searching by text is not here: knowledge bases search by vector and by word"


@answers(
    "s3vectors",
    "CreateIndex",
    missing=(ENCRYPTION, f"metadataConfiguration.textSearchConfigurations: refused; {_TEXT}."),
)
def create_index(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make an index."""
    metadata = request.get("metadataConfiguration") or {}
    if metadata.get("textSearchConfigurations"):
        raise VectorsInvalid(f"metadataConfiguration.textSearchConfigurations: {_TEXT}")
    made = indexes.create_index(
        ctx,
        request.get("vectorBucketName"),
        request.get("vectorBucketArn"),
        request["indexName"],
        dimension=request["dimension"],
        metric=request["distanceMetric"],
        not_filterable=metadata.get("nonFilterableMetadataKeys", ()),
        encryption=request.get("encryptionConfiguration"),
        tags=request.get("tags"),
    )
    return {"indexArn": made.arn}


@answers("s3vectors", "GetIndex")
def get_index(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show an index."""
    with ctx.platform.sql.connect() as connection:
        index = indexes.find_index(connection, ctx, request)
    shown = {
        **_summary(index),
        "dataType": "float32",
        "dimension": index.dimension,
        "distanceMetric": index.metric,
        "encryptionConfiguration": index.encryption,
    }
    if index.not_filterable:
        shown["metadataConfiguration"] = {"nonFilterableMetadataKeys": list(index.not_filterable)}
    return {"index": shown}


@answers("s3vectors", "ListIndexes")
def list_indexes(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List the indexes of a bucket by name."""
    listed = indexes.list_indexes(
        ctx, request.get("vectorBucketName"), request.get("vectorBucketArn"), prefix=request.get("prefix", "")
    )
    found, token = page_of(
        ctx,
        listed,
        request,
        operation="s3vectors:ListIndexes",
        key=lambda index: index.name,
        limit_member="maxResults",
        token_member="nextToken",
        default=_MOST,
    )
    return {"indexes": list(map(_summary, found))} | ({"nextToken": token} if token else {})


@answers("s3vectors", "DeleteIndex")
def delete_index(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove an index with its vectors."""
    indexes.delete_index(ctx, request)
    return {}


@answers("s3vectors", "PutVectors")
def put_vectors(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Write vectors."""
    vectors.put_vectors(ctx, request, request["vectors"])
    return {}


@answers("s3vectors", "GetVectors")
def get_vectors(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Read vectors by key."""
    return {"vectors": [_members(each, request) for each in vectors.get_vectors(ctx, request, request["keys"])]}


@answers("s3vectors", "DeleteVectors")
def delete_vectors(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove vectors by key."""
    vectors.delete_vectors(ctx, request, request["keys"])
    return {}


@answers("s3vectors", "ListVectors")
def list_vectors(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List vectors by key, all or a segment."""
    segments, segment = request.get("segmentCount", 1), request.get("segmentIndex", 0)
    if ("segmentCount" in request) != ("segmentIndex" in request) or segment >= segments:
        raise VectorsInvalid("give segmentCount and segmentIndex together, the index below the count")
    limit = request.get("maxResults", _MOST)
    found = vectors.list_vectors(
        ctx, request, after=_after(request.get("nextToken")), limit=limit + 1, segment=segment, segments=segments
    )
    answer: dict[str, Any] = {"vectors": [_members(each, request) for each in found[:limit]]}
    if len(found) > limit:
        answer["nextToken"] = base64.urlsafe_b64encode(found[limit - 1].key.encode()).decode()
    return answer


@answers("s3vectors", "QueryVectors", missing=(f"queryTexts, queryMode ENHANCED, nextToken: refused; {_TEXT}.",))
def query_vectors(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Find the nearest vectors."""
    refused = [name for name in ("queryTexts", "returnScores", "nextToken") if request.get(name)]
    if request.get("queryMode") == "ENHANCED":
        refused.append("queryMode")
    if refused:
        raise VectorsInvalid(f"{', '.join(refused)}: {_TEXT}")
    if request.get("queryVector") is None:
        raise VectorsInvalid("queryVector is required")
    index, found = vectors.query_vectors(
        ctx, request, request["queryVector"], top_k=request["topK"], where=request.get("filter")
    )
    shown: list[dict[str, Any]] = []
    for each in found:
        members: dict[str, Any] = {"key": each.key}
        if request.get("returnDistance"):
            members["distance"] = each.distance
        if request.get("returnMetadata"):
            members["metadata"] = each.metadata
        shown.append(members)
    return {"vectors": shown, "distanceMetric": index.metric}


def _after(token: str | None) -> str:
    if token is None:
        return ""
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        raise VectorsInvalid("nextToken is none of this service's") from None


def _members(vector: Vector, request: Mapping[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = {"key": vector.key}
    if request.get("returnData"):
        members["data"] = {"float32": vector.data.tolist()}
    if request.get("returnMetadata"):
        members["metadata"] = vector.metadata
    return members


def _summary(index: VectorIndex) -> dict[str, Any]:
    return {
        "vectorBucketName": index.bucket,
        "indexName": index.name,
        "indexArn": index.arn,
        "creationTime": index.created_at,
    }
