"""Vector buckets and indexes: make, find, list, remove."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.neighbours.s3vectors.errors import VectorsConflict, VectorsInvalid, VectorsNotFound
from rocamadre.neighbours.s3vectors.tables import BUCKETS, INDEXES, VECTORS
from rocamadre.store.sql.tags import add_tags, forget_tags

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_INDEX_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
DEFAULT_ENCRYPTION = {"sseType": "AES256"}


@dataclass(frozen=True, slots=True)
class VectorBucket:
    """A bucket; `policy` is JSON, or None."""

    id: int
    name: str
    arn: str
    created_at: datetime
    encryption: Mapping[str, Any]
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """An index of a bucket.

    Attributes:
        metric: `cosine` or `euclidean`.
        not_filterable: Metadata keys that filters may not name.
    """

    id: int
    bucket: str
    name: str
    arn: str
    created_at: datetime
    dimension: int
    metric: str
    not_filterable: tuple[str, ...]
    encryption: Mapping[str, Any]


def create_bucket(
    ctx: Context, name: str, *, encryption: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
) -> VectorBucket:
    """Make a bucket.

    Raises:
        VectorsConflict: there is one of this name.
    """
    if not _NAME.fullmatch(name):
        raise VectorsInvalid(f"{name!r} is no name of a vector bucket; it has 3 to 63 of a-z, 0-9 and inner hyphens")
    made = VectorBucket(0, name, _bucket_arn(ctx, name), ctx.platform.clock.now(), encryption or DEFAULT_ENCRYPTION)
    row = {"account": ctx.account, "region": ctx.region, "name": name, "created_at": made.created_at}
    try:
        with ctx.platform.sql.begin() as tx:
            tx.execute(insert(BUCKETS).values(**row, encryption=json.dumps(made.encryption)))
            add_tags(tx, made.arn, tags or {})
    except IntegrityError as error:
        raise VectorsConflict(f"A vector bucket with the name {name} exists.") from error
    return made


def find_bucket(tx: Connection, ctx: Context, *, name: str | None = None, arn: str | None = None) -> VectorBucket:
    """The bucket of a name or an ARN.

    Raises:
        VectorsInvalid: both or neither are given.
        VectorsNotFound: there is none.
    """
    if (name is None) == (arn is None):
        raise VectorsInvalid("give either vectorBucketName or vectorBucketArn")
    wanted = name if name is not None else _resource(ctx, str(arn)).removeprefix("bucket/")
    row = tx.execute(
        select(BUCKETS).where(
            BUCKETS.c.account == ctx.account, BUCKETS.c.region == ctx.region, BUCKETS.c.name == wanted
        )
    ).one_or_none()
    if row is None:
        raise VectorsNotFound(f"The specified vector bucket could not be found: {wanted}")
    return _bucket(ctx, row)


def list_buckets(ctx: Context, *, prefix: str = "") -> list[VectorBucket]:
    """Buckets by name."""
    query = (
        select(BUCKETS)
        .where(BUCKETS.c.account == ctx.account, BUCKETS.c.region == ctx.region)
        .where(BUCKETS.c.name.startswith(prefix, autoescape=True))
        .order_by(BUCKETS.c.name)
    )
    with ctx.platform.sql.connect() as connection:
        return [_bucket(ctx, row) for row in connection.execute(query)]


def delete_bucket(ctx: Context, *, name: str | None = None, arn: str | None = None) -> None:
    """Remove an empty bucket.

    Raises:
        VectorsConflict: it has indexes.
    """
    with ctx.platform.sql.begin() as tx:
        bucket = find_bucket(tx, ctx, name=name, arn=arn)
        if tx.execute(select(exists().where(INDEXES.c.bucket_id == bucket.id))).scalar():
            raise VectorsConflict(f"The vector bucket {bucket.name} is not empty; delete its indexes first.")
        tx.execute(delete(BUCKETS).where(BUCKETS.c.id == bucket.id))
        forget_tags(tx, bucket.arn)


def set_policy(ctx: Context, policy: str | None, *, name: str | None = None, arn: str | None = None) -> None:
    """Remember a bucket's policy; None forgets it."""
    if policy is not None:
        try:
            is_object = isinstance(json.loads(policy), dict)
        except ValueError:
            is_object = False
        if not is_object:
            raise VectorsInvalid("policy must be a JSON object")
    with ctx.platform.sql.begin() as tx:
        bucket = find_bucket(tx, ctx, name=name, arn=arn)
        tx.execute(update(BUCKETS).where(BUCKETS.c.id == bucket.id).values(policy=policy))


def create_index(
    ctx: Context,
    bucket_name: str | None,
    bucket_arn: str | None,
    name: str,
    *,
    dimension: int,
    metric: str,
    not_filterable: Sequence[str] = (),
    encryption: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> VectorIndex:
    """Make an index.

    Raises:
        VectorsConflict: the bucket has one of this name.
    """
    if not _INDEX_NAME.fullmatch(name):
        raise VectorsInvalid(f"{name!r} is no name of an index; it has 3 to 63 of a-z, 0-9, inner hyphens and dots")
    try:
        with ctx.platform.sql.begin() as tx:
            bucket = find_bucket(tx, ctx, name=bucket_name, arn=bucket_arn)
            tx.execute(
                insert(INDEXES).values(
                    account=ctx.account,
                    bucket_id=bucket.id,
                    name=name,
                    created_at=ctx.platform.clock.now(),
                    dimension=dimension,
                    metric=metric,
                    not_filterable=json.dumps(list(not_filterable)),
                    encryption=json.dumps(encryption or bucket.encryption),
                )
            )
            made = _find_index(tx, ctx, bucket, name)
            add_tags(tx, made.arn, tags or {})
    except IntegrityError as error:
        raise VectorsConflict(f"An index with the name {name} exists in this vector bucket.") from error
    return made


def find_index(tx: Connection, ctx: Context, members: Mapping[str, Any]) -> VectorIndex:
    """The index that a request means, by `indexArn` or by `vectorBucketName` and `indexName`.

    Raises:
        VectorsInvalid: it gives both, or neither.
        VectorsNotFound: there is none.
    """
    bucket_name, name, arn = (members.get(each) for each in ("vectorBucketName", "indexName", "indexArn"))
    if arn is not None:
        if bucket_name is not None or name is not None:
            raise VectorsInvalid("give either indexArn or vectorBucketName and indexName")
        bucket_name, _, name = _resource(ctx, arn).removeprefix("bucket/").partition("/index/")
    if bucket_name is None or not name:
        raise VectorsInvalid("give either indexArn or vectorBucketName and indexName")
    return _find_index(tx, ctx, find_bucket(tx, ctx, name=bucket_name), name)


def list_indexes(
    ctx: Context, bucket_name: str | None, bucket_arn: str | None, *, prefix: str = ""
) -> list[VectorIndex]:
    """Indexes of a bucket by name."""
    with ctx.platform.sql.connect() as connection:
        bucket = find_bucket(connection, ctx, name=bucket_name, arn=bucket_arn)
        query = (
            select(INDEXES)
            .where(INDEXES.c.bucket_id == bucket.id, INDEXES.c.name.startswith(prefix, autoescape=True))
            .order_by(INDEXES.c.name)
        )
        return [_index(bucket, row) for row in connection.execute(query)]


def delete_index(ctx: Context, members: Mapping[str, Any]) -> None:
    """Remove an index with its vectors."""
    with ctx.platform.sql.begin() as tx:
        index = find_index(tx, ctx, members)
        tx.execute(delete(VECTORS).where(VECTORS.c.index_id == index.id))
        tx.execute(delete(INDEXES).where(INDEXES.c.id == index.id))
        forget_tags(tx, index.arn)


def check_resource(ctx: Context, arn: str) -> str:
    """The ARN of a bucket or index that exists.

    Raises:
        VectorsNotFound: it does not.
    """
    with ctx.platform.sql.connect() as connection:
        if "/index/" in arn:
            return find_index(connection, ctx, {"indexArn": arn}).arn
        return find_bucket(connection, ctx, arn=arn).arn


def _find_index(tx: Connection, ctx: Context, bucket: VectorBucket, name: str) -> VectorIndex:
    row = tx.execute(select(INDEXES).where(INDEXES.c.bucket_id == bucket.id, INDEXES.c.name == name)).one_or_none()
    if row is None:
        raise VectorsNotFound(f"The specified index could not be found: {name}")
    return _index(bucket, row)


def _resource(ctx: Context, arn: str) -> str:
    parsed = Arn.parse(arn)
    if parsed.service != "s3vectors" or not parsed.resource.startswith("bucket/"):
        raise VectorsInvalid(f"{arn[:200]} is no ARN of S3 Vectors")
    if (parsed.account, parsed.region) != (ctx.account, ctx.region):
        raise VectorsNotFound(f"The specified resource could not be found: {arn[:200]}")
    return parsed.resource


def _bucket_arn(ctx: Context, name: str) -> str:
    return make_arn("s3vectors", ctx.region, ctx.account, f"bucket/{name}")


def _bucket(ctx: Context, row: Any) -> VectorBucket:
    created = row.created_at.replace(tzinfo=UTC)
    return VectorBucket(row.id, row.name, _bucket_arn(ctx, row.name), created, json.loads(row.encryption), row.policy)


def _index(bucket: VectorBucket, row: Any) -> VectorIndex:
    return VectorIndex(
        row.id,
        bucket.name,
        row.name,
        f"{bucket.arn}/index/{row.name}",
        row.created_at.replace(tzinfo=UTC),
        row.dimension,
        row.metric,
        tuple(json.loads(row.not_filterable)),
        json.loads(row.encryption),
    )
