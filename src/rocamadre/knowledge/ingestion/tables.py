"""What is known of each document besides what people see: how its source had it when it was indexed, and what is to do.

A run writes down what it means to do before it begins, and each thing as it is done. So a run that was killed goes on
where it was, and its figures are counted, not remembered.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from rocamadre.store.sql.database import METADATA

ITEMS = Table(
    "knowledge_items",
    METADATA,
    Column("data_source", String(10), primary_key=True),
    Column("key", String(32), primary_key=True, comment="Hash of the id, which may be too long for an index."),
    Column("knowledge_base", String(10), nullable=False, index=True),
    Column("id", Text, nullable=False),
    Column("item", Text, nullable=False, comment="JSON: as its source listed it last."),
    Column("brought", Boolean, nullable=False, comment="By a client, one by one: a listing does not hold it."),
    Column("version", Text, nullable=False, comment="As it was indexed; the four below, too."),
    Column("metadata_version", Text, nullable=False),
    Column("content_hash", String(64), nullable=False, comment="Empty: it is not in the store."),
    Column("attributes_hash", String(64), nullable=False),
    Column("fingerprint", String(32), nullable=False, comment="Of the settings that it was indexed with."),
    Column("seen", String(16), nullable=False, comment="The run that listed it last."),
    Column("run", String(16), nullable=False, comment="The run that has, or had, something to do with it."),
    Column("action", String(16), nullable=False, comment="new, modified, metadata, unchanged, delete."),
    Column("state", String(16), nullable=False, comment="waiting, done, failed, ignored; empty for nothing to do."),
    Column("reason", Text, nullable=False),
    Index("knowledge_items_work", "data_source", "run", "state"),
)
