"""The catalog's tables."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, String, Table, Text, UniqueConstraint

from rocamadre.store.sql.database import METADATA

MODELS = Table(
    "catalog_models",
    METADATA,
    Column("id", String(140), primary_key=True),
    Column("short_name", String(140), nullable=False, unique=True),
    Column("folder", String(140), nullable=False, comment="Below `<home>/models`; empty for remote models."),
    Column("facts", Text, nullable=False, comment="JSON; see `rows.Facts`."),
    Column("origin", Text, nullable=False, comment="JSON; where it came from, revision and checksums."),
    Column("created_at", String(40), nullable=False),
)

ALIASES = Table(
    "catalog_aliases",
    METADATA,
    Column("pattern", String(256), primary_key=True),
    Column("model_id", String(140), nullable=False),
    Column("created_at", String(40), nullable=False),
)

ROUTERS = Table(
    "catalog_prompt_routers",
    METADATA,
    Column("arn", String(256), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("description", String(200), nullable=False),
    Column("models", Text, nullable=False, comment="JSON; ARNs."),
    Column("fallback", Text, nullable=False, comment="An ARN."),
    Column("quality_difference", Float, nullable=False),
    Column("created_at", String(40), nullable=False),
    UniqueConstraint("account", "region", "name"),
    Index("catalog_prompt_routers_place", "account", "region"),
)

PROFILES = Table(
    "catalog_inference_profiles",
    METADATA,
    Column("arn", String(256), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("id", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("description", String(200), nullable=False),
    Column("source_id", String(256), nullable=False, comment="The foundation model id that it was made from."),
    Column("created_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
    UniqueConstraint("account", "region", "id"),
    Index("catalog_inference_profiles_place", "account", "region"),
)
