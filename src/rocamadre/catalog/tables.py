"""The catalog's tables."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

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

PULLS = Table(
    "catalog_pulls",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("spec", Text, nullable=False, comment="JSON; see `pull.PullSpec`."),
    Column("run", String(64), nullable=False, comment="Folder below `<home>/runs`; the same for the same wish."),
    Column("status", String(16), nullable=False, comment="`InProgress` until it is over."),
    Column("model_id", String(140), nullable=False, comment="Once it is here."),
    Column("message", Text, nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("ended_at", String(40), nullable=False),
    Index("catalog_pulls_place", "account", "created_at"),
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

TARGETS = Table(
    "catalog_targets",
    METADATA,
    Column("arn", String(512), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("kind", String(32), nullable=False, comment="Of the ARN; see `targets.KINDS`."),
    Column("id", String(12), nullable=False, comment="The ARN's last part."),
    Column("name", String(64), nullable=False, comment="By which it may be asked for too; empty for none."),
    Column("state", String(16), nullable=False, comment="`ready`, `creating` or `failed`."),
    Column("reason", Text, nullable=False, comment="Why it failed."),
    Column("base_id", String(256), nullable=False, comment="Whose body format InvokeModel reads."),
    Column("runs", String(512), nullable=False, comment="ARN of the model that it runs; empty for its own."),
    Column("slots", Integer, nullable=False, comment="Of an engine for it alone; 0 shares the model's."),
    Column("folder", String(140), nullable=False, comment="Below `<home>/models`; empty where `runs` says."),
    Column("facts", Text, nullable=False, comment="JSON; see `rows.Facts`; empty where `runs` says."),
    Index("catalog_targets_name", "account", "region", "name"),
    Index("catalog_targets_id", "account", "region", "id"),
    Index("catalog_targets_runs", "runs"),
)
