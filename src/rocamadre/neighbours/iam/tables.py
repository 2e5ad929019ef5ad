"""The tables of roles and policies. IAM's names differ by more than their case: hence `key`, in lower case."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

from rocamadre.store.sql.database import METADATA

ROLES = Table(
    "iam_roles",
    METADATA,
    Column("account", String(12), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("path", String(512), nullable=False),
    Column("id", String(21), nullable=False),
    Column("trust", Text, nullable=False, comment="The assume role policy document."),
    Column("description", Text, nullable=False),
    Column("max_session_s", Integer, nullable=False),
    Column("boundary", String(2048), nullable=False),
    Column("created_at", String(40), nullable=False),
)

INLINE = Table(
    "iam_role_policies",
    METADATA,
    Column("account", String(12), primary_key=True),
    Column("role", String(64), primary_key=True, comment="The role's key."),
    Column("name", String(128), primary_key=True),
    Column("document", Text, nullable=False),
)

ATTACHED = Table(
    "iam_attached_policies",
    METADATA,
    Column("account", String(12), primary_key=True),
    Column("role", String(64), primary_key=True, comment="The role's key."),
    Column("arn", String(2048), primary_key=True),
)

POLICIES = Table(
    "iam_policies",
    METADATA,
    Column("account", String(12), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("arn", String(2048), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("path", String(512), nullable=False),
    Column("id", String(21), nullable=False),
    Column("description", Text, nullable=False),
    Column("default_version", Integer, nullable=False),
    Column("last_version", Integer, nullable=False, comment="Numbers are never given twice."),
    Column("created_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
)

VERSIONS = Table(
    "iam_policy_versions",
    METADATA,
    Column("arn", String(2048), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("created_at", String(40), nullable=False),
)
