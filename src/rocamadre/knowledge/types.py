"""Knowledge bases, their data sources, the jobs that fill them, and their documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from rocamadre.knowledge.ingestion.types import DocumentStatus, Statistics

KnowledgeBaseStatus: TypeAlias = Literal["ACTIVE", "DELETING", "DELETE_UNSUCCESSFUL", "FAILED"]
KnowledgeBaseType: TypeAlias = Literal["VECTOR", "SQL"]
DataSourceStatus: TypeAlias = Literal["AVAILABLE", "DELETING", "DELETE_UNSUCCESSFUL"]
DeletionPolicy: TypeAlias = Literal["DELETE", "RETAIN"]
JobStatus: TypeAlias = Literal["STARTING", "IN_PROGRESS", "COMPLETE", "FAILED", "STOPPING", "STOPPED"]
OVER: frozenset[str] = frozenset({"COMPLETE", "FAILED", "STOPPED"})
UNSETTLED: frozenset[str] = frozenset({"STARTING", "PENDING", "IN_PROGRESS", "DELETING", "DELETE_IN_PROGRESS"})
"""Statuses of documents with which something is still done."""


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """A knowledge base.

    Attributes:
        id: Ten capital letters and digits.
        configuration: The wire's `knowledgeBaseConfiguration`, as it came.
        storage: The wire's `storageConfiguration`, as it came; empty when there was none.
        store: A name in `store.vectors.registry`: where the vectors really are.
        embedder: Id of the local model whose vectors it keeps, for good; empty for the type SQL.
        embedder_hash: Of that model's files when the knowledge base was made.
        dimensions: Of its vectors; where `facts` name a second embedder, the store keeps twice as many.
        failures: Sentences; empty while all is well.
        facts: What is known besides, small JSON; kinds of knowledge bases keep theirs here.
    """

    id: str
    arn: str
    account: str
    region: str
    name: str
    description: str
    role_arn: str
    type: KnowledgeBaseType
    configuration: Mapping[str, Any]
    storage: Mapping[str, Any]
    store: str
    embedder: str
    embedder_hash: str
    dimensions: int
    status: KnowledgeBaseStatus
    failures: tuple[str, ...]
    facts: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where a knowledge base's documents come from.

    Attributes:
        type: The wire's: `S3`, `WEB`, `CUSTOM`.
        configuration: The wire's `dataSourceConfiguration`, as it came.
        ingestion: The wire's `vectorIngestionConfiguration`, as it came; empty when there was none.
        encryption: The wire's `serverSideEncryptionConfiguration`; only given back.
        chunking: Ours, see `chunkers.registry.HEADER`: wins over what `ingestion` says; empty for none.
        loader: Ours, of type CUSTOM only: `{"type": "DIRECTORY", "path": …}` and the like; empty for none.
        deletion_policy: Whether its chunks go when the data source goes.
    """

    id: str
    knowledge_base: str
    account: str
    region: str
    name: str
    description: str
    type: str
    configuration: Mapping[str, Any]
    ingestion: Mapping[str, Any]
    encryption: Mapping[str, Any]
    chunking: Mapping[str, Any]
    loader: Mapping[str, Any]
    deletion_policy: DeletionPolicy
    status: DataSourceStatus
    failures: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class IngestionJob:
    """One reading of a data source.

    Attributes:
        arn: The run id of its job, as `ingestion.types.Request` makes it.
        failures: Sentences, at most 2,048: why it failed, or which documents did.
    """

    arn: str
    id: str
    knowledge_base: str
    data_source: str
    account: str
    region: str
    description: str
    status: JobStatus
    statistics: Statistics
    failures: tuple[str, ...]
    started_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Document:
    """What became of one document of a data source.

    Attributes:
        id: Its URI, or the id that a client gave it.
        reason: Why it failed, or what was left out; empty otherwise.
        facts: What a page wants to show, small JSON: `size_bytes`, `media_type`, `chunks`, `language`…
    """

    knowledge_base: str
    data_source: str
    id: str
    status: DocumentStatus
    reason: str
    updated_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One document that a client wants in, or out, by itself; waits until a run of the work `documents` has done it.

    Attributes:
        sequence: Of all changes; of two for one document the later one counts. 0 before it is stored.
        document: Its id: the S3 URI, or the id that the client gave.
        action: What is to be done.
        staged: Name of the file with its content in `operations.staging_dir`; empty when it is in S3, or for `delete`.
        uri: `s3://bucket/key` of its content; empty when it is staged, or for `delete`.
        media_type: Of staged content; empty when unknown.
        metadata: Attributes that came with it: str, float, bool, list of str.
        metadata_uri: `s3://bucket/key` of a metadata file; empty for none.
    """

    sequence: int
    knowledge_base: str
    data_source: str
    document: str
    action: Literal["ingest", "delete"]
    staged: str = ""
    uri: str = ""
    media_type: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    metadata_uri: str = ""
