"""The table of responses."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, String, Table, Text

from rocamadre.store.sql.database import METADATA

RESPONSES = Table(
    "responses",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True, comment="Seconds since 1970."),
    Column("previous_id", String(64), nullable=False),
    Column("background", Boolean, nullable=False),
    Column("input", Text, nullable=False, comment="JSON; the request's own items."),
    Column("body", Text, nullable=False, comment="JSON; the response, without its status."),
    Column("request", Text, comment="JSON; while queued."),
    Column("events", LargeBinary, comment="Server-sent events of a background stream, compressed."),
    Column("owner", String(128), nullable=False, comment="The process that runs it; empty when it has ended."),
    Column("lease_until", BigInteger, nullable=False, comment="Until then its owner is taken to be alive."),
    Index("responses_running", "status", "lease_until"),
)
