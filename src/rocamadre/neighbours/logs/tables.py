"""The tables of log groups, streams and events."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from rocamadre.store.sql.database import METADATA

_ID = BigInteger().with_variant(Integer, "sqlite")

GROUPS = Table(
    "logs_groups",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(512), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("retention_days", Integer, comment="None: for ever."),
    Column("kind", String(32), nullable=False, comment="The log group class; remembered only."),
    Column("kms_key", String(256), nullable=False, comment="Remembered only."),
    UniqueConstraint("account", "region", "name"),
)

STREAMS = Table(
    "logs_streams",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("group_id", _ID, ForeignKey(GROUPS.c.id, ondelete="CASCADE"), nullable=False),
    Column("name", String(512), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("first_ms", BigInteger),
    Column("last_ms", BigInteger),
    Column("ingested_ms", BigInteger),
    Column("stored_bytes", BigInteger, nullable=False, default=0, comment="Of its events' messages in UTF-8."),
    UniqueConstraint("group_id", "name"),
)

EVENTS = Table(
    "logs_events",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("stream_id", _ID, ForeignKey(STREAMS.c.id, ondelete="CASCADE"), nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("ingested_ms", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Index("logs_events_place", "stream_id", "timestamp_ms", "id"),
)
