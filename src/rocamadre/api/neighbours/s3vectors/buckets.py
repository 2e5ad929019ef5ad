"""S3 Vectors: buckets, their policies, tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.pages import page_of
from rocamadre.core.context import Context
from rocamadre.neighbours.s3vectors import operations as vectors
from rocamadre.neighbours.s3vectors.errors import VectorsNotFound
from rocamadre.neighbours.s3vectors.operations import VectorBucket
from rocamadre.store.sql.tags import add_tags, read_tags, remove_tags

_MOST = 500
ENCRYPTION = "encryptionConfiguration: remembered; nothing is encrypted with it."


def _named(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": request.get("vectorBucketName"), "arn": request.get("vectorBucketArn")}


def _found(ctx: Context, request: Mapping[str, Any]) -> VectorBucket:
    with ctx.platform.sql.connect() as connection:
        return vectors.find_bucket(connection, ctx, **_named(request))


@answers("s3vectors", "CreateVectorBucket", missing=(ENCRYPTION,))
def create_vector_bucket(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make a bucket."""
    bucket = vectors.create_bucket(
        ctx,
        request["vectorBucketName"],
        encryption=request.get("encryptionConfiguration"),
        tags=request.get("tags"),
    )
    return {"vectorBucketArn": bucket.arn}


@answers("s3vectors", "GetVectorBucket")
def get_vector_bucket(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a bucket."""
    bucket = _found(ctx, request)
    return {"vectorBucket": {**_summary(bucket), "encryptionConfiguration": bucket.encryption}}


@answers("s3vectors", "ListVectorBuckets")
def list_vector_buckets(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List buckets by name."""
    found, token = page_of(
        ctx,
        vectors.list_buckets(ctx, prefix=request.get("prefix", "")),
        request,
        operation="s3vectors:ListVectorBuckets",
        key=lambda bucket: bucket.name,
        limit_member="maxResults",
        token_member="nextToken",
        default=_MOST,
    )
    return {"vectorBuckets": list(map(_summary, found))} | ({"nextToken": token} if token else {})


@answers("s3vectors", "DeleteVectorBucket")
def delete_vector_bucket(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove an empty bucket."""
    vectors.delete_bucket(ctx, **_named(request))
    return {}


@answers("s3vectors", "PutVectorBucketPolicy", missing=("policy: remembered and never enforced.",))
def put_vector_bucket_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remember a policy."""
    vectors.set_policy(ctx, request["policy"], **_named(request))
    return {}


@answers("s3vectors", "GetVectorBucketPolicy")
def get_vector_bucket_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a policy."""
    bucket = _found(ctx, request)
    if bucket.policy is None:
        raise VectorsNotFound(f"The vector bucket {bucket.name} has no policy.")
    return {"policy": bucket.policy}


@answers("s3vectors", "DeleteVectorBucketPolicy")
def delete_vector_bucket_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Forget a policy."""
    vectors.set_policy(ctx, None, **_named(request))
    return {}


@answers("s3vectors", "TagResource")
def tag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags to a bucket or index."""
    arn = vectors.check_resource(ctx, request["resourceArn"])
    with ctx.platform.sql.begin() as tx:
        add_tags(tx, arn, request["tags"])
    return {}


@answers("s3vectors", "UntagResource")
def untag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags off a bucket or index."""
    arn = vectors.check_resource(ctx, request["resourceArn"])
    with ctx.platform.sql.begin() as tx:
        remove_tags(tx, arn, request["tagKeys"])
    return {}


@answers("s3vectors", "ListTagsForResource")
def list_tags_for_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List the tags of a bucket or index."""
    arn = vectors.check_resource(ctx, request["resourceArn"])
    with ctx.platform.sql.connect() as connection:
        return {"tags": read_tags(connection, arn)}


def _summary(bucket: VectorBucket) -> dict[str, Any]:
    return {
        "vectorBucketName": bucket.name,
        "vectorBucketArn": bucket.arn,
        "creationTime": bucket.created_at,
    }
