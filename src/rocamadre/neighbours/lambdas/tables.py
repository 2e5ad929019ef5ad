"""The tables of functions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from rocamadre.store.sql.database import METADATA

FUNCTIONS = Table(
    "lambda_functions",
    METADATA,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", String(16), primary_key=True, comment="$LATEST, or the number of a published version."),
    Column("config", Text, nullable=False, comment="JSON; see `types.Config`."),
    Column("code_hash", String(64), nullable=False, comment="SHA-256 of its zip, hex."),
    Column("code_bytes", BigInteger, nullable=False),
    Column("revision", String(36), nullable=False),
    Column("modified_at", String(40), nullable=False),
    Column("last_version", Integer, nullable=False, comment="Of $LATEST: numbers are never given twice."),
)

CODE = Table(
    "lambda_code",
    METADATA,
    Column("hash", String(64), primary_key=True, comment="SHA-256 of the zip, hex."),
    Column("zip", LargeBinary, nullable=False),
)

PERMISSIONS = Table(
    "lambda_permissions",
    METADATA,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("qualifier", String(128), primary_key=True, comment="Empty for the function itself."),
    Column("statement_id", String(100), primary_key=True),
    Column("statement", Text, nullable=False, comment="JSON."),
)

EVENTS = Table(
    "lambda_events",
    METADATA,
    Column("id", String(36), primary_key=True, comment="The request id."),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("qualifier", String(128), nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
