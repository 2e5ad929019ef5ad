"""The tables of vector buckets, indexes and vectors."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from rocamadre.store.sql.database import METADATA

_ID = BigInteger().with_variant(Integer, "sqlite")

BUCKETS = Table(
    "s3vectors_buckets",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(63), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("encryption", Text, nullable=False, comment="JSON; remembered only."),
    Column("policy", Text, comment="JSON; remembered only."),
    UniqueConstraint("account", "region", "name"),
)

INDEXES = Table(
    "s3vectors_indexes",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("account", String(12), nullable=False),
    Column("bucket_id", _ID, ForeignKey(BUCKETS.c.id), nullable=False),
    Column("name", String(63), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("metric", String(16), nullable=False),
    Column("not_filterable", Text, nullable=False, comment="JSON list of metadata keys."),
    Column("encryption", Text, nullable=False, comment="JSON; remembered only."),
    UniqueConstraint("bucket_id", "name"),
)

VECTORS = Table(
    "s3vectors_vectors",
    METADATA,
    Column("index_id", _ID, ForeignKey(INDEXES.c.id), primary_key=True),
    Column("key", String(1024), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("data", LargeBinary, nullable=False, comment="float32, little-endian."),
    Column("metadata", Text, nullable=False, comment="JSON."),
)
