"""The tables of OpenSearch Serverless: policies, collections, indexes, documents."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from rocamadre.store.sql.database import METADATA

_ID = BigInteger().with_variant(Integer, "sqlite")

POLICIES = Table(
    "aoss_policies",
    METADATA,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("kind", String(16), primary_key=True, comment="encryption, network or data."),
    Column("name", String(32), primary_key=True),
    Column("version", String(36), nullable=False),
    Column("description", String(1000), nullable=False),
    Column("policy", Text, nullable=False, comment="JSON; only encryption policies are looked at."),
    Column("created_ms", BigInteger, nullable=False),
    Column("modified_ms", BigInteger, nullable=False),
)

COLLECTIONS = Table(
    "aoss_collections",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("kind", String(16), nullable=False, comment="SEARCH, TIMESERIES or VECTORSEARCH; all work alike."),
    Column("description", String(1000), nullable=False),
    Column("standby", String(16), nullable=False, comment="Remembered only."),
    Column("is_protected", Integer, nullable=False, comment="1: cannot be deleted."),
    Column("kms_key", String(2048), nullable=False, comment="Remembered only."),
    Column("created_ms", BigInteger, nullable=False),
    Column("modified_ms", BigInteger, nullable=False),
    UniqueConstraint("account", "region", "name"),
)

INDEXES = Table(
    "aoss_indexes",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("account", String(12), nullable=False),
    Column("collection", String(40), ForeignKey(COLLECTIONS.c.id), nullable=False),
    Column("name", String(255), nullable=False),
    Column("settings", Text, nullable=False, comment="JSON, as given."),
    Column("mappings", Text, nullable=False, comment="JSON, as given."),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("collection", "name"),
)

DOCUMENTS = Table(
    "aoss_documents",
    METADATA,
    Column("index_id", _ID, ForeignKey(INDEXES.c.id), primary_key=True),
    Column("id", String(512), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("version", Integer, nullable=False),
    Column("source", Text, nullable=False, comment="JSON, without the fields that are vectors."),
    Column("vectors", LargeBinary, nullable=False, comment="MessagePack: field to float32, little-endian."),
)
