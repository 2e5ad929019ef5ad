"""Which accounts want their invocations written down."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from rocamadre.store.sql.database import METADATA

CONFIGS = Table(
    "invocation_logging",
    METADATA,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("config", Text, nullable=False, comment="JSON; see `types.LoggingConfig`."),
    Column("updated_at", String(40), nullable=False),
)
