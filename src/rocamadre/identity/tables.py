"""The table of keys."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text, UniqueConstraint

from rocamadre.store.sql.database import METADATA

KEYS = Table(
    "api_key",
    METADATA,
    Column("id", String(128), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("account", String(12), nullable=False),
    Column("sealed", Text, nullable=False, comment="Signing: Fernet token of the secret. Bearer: SHA-256, hex."),
    Column("last_four", String(4), nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("expires_at", String(40)),
    UniqueConstraint("account", "name"),
)

SESSIONS = Table(
    "identity_sessions",
    METADATA,
    Column("access_key_id", String(32), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("principal", String(256), nullable=False),
    Column("sealed", Text, nullable=False, comment="Fernet token of the secret access key."),
    Column("token_hash", String(64), nullable=False, comment="SHA-256 of the session token, hex."),
    Column("created_at", String(40), nullable=False),
    Column("expires_at", String(40), nullable=False, index=True),
)
