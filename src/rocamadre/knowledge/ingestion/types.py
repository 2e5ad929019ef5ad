"""What an ingestion is asked, and what it tells.

The job's kind is `kb-ingestion`; its run id is the ARN that `run_id` makes, and its arguments are a `Request`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

KIND_NAME = "kb-ingestion"

Work: TypeAlias = Literal["sync", "documents", "clear"]
"""`sync`: list the data source and bring the store level with it (StartIngestionJob). `documents`: do what waits in the
documents' table for this data source (IngestKnowledgeBaseDocuments, DeleteKnowledgeBaseDocuments). `clear`: remove
everything of the data source (DeleteDataSource with the deletion policy DELETE)."""

DocumentStatus: TypeAlias = Literal[
    "INDEXED",
    "PARTIALLY_INDEXED",
    "PENDING",
    "FAILED",
    "METADATA_PARTIALLY_INDEXED",
    "METADATA_UPDATE_FAILED",
    "IGNORED",
    "NOT_FOUND",
    "STARTING",
    "IN_PROGRESS",
    "DELETING",
    "DELETE_IN_PROGRESS",
]


@dataclass(frozen=True, slots=True)
class Request:
    """What one run is to do.

    Attributes:
        ingestion_job: Ten characters for `sync`; any unique word for the other two.
        work: See `Work`.
    """

    account: str
    region: str
    knowledge_base: str
    data_source: str
    ingestion_job: str
    work: Work = "sync"

    @property
    def run_id(self) -> str:
        """The run's id in the queue of jobs."""
        return (
            f"arn:aws:bedrock:{self.region}:{self.account}:knowledge-base/{self.knowledge_base}"
            f"/data-source/{self.data_source}/{self.work}/{self.ingestion_job}"
        )

    def arguments(self) -> dict[str, Any]:
        """For `JobSpec`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many documents of each sort there were; true also after a run that was killed and went on.

    Attributes:
        scanned: Documents listed.
        metadata_scanned: Files of attributes beside them.
        new: Indexed, and not there before.
        modified: Indexed anew, since their content or the settings changed.
        metadata_modified: Given new attributes without being embedded again.
        deleted: Removed, since the source has them no more.
        failed: Not indexed, or not brought to their new state.
        skipped: Looked at and found as they were.
    """

    scanned: int = 0
    metadata_scanned: int = 0
    new: int = 0
    modified: int = 0
    metadata_modified: int = 0
    deleted: int = 0
    failed: int = 0
    skipped: int = 0

    def wire(self) -> dict[str, int]:
        """As `IngestionJobStatistics`."""
        return {
            "numberOfDocumentsScanned": self.scanned,
            "numberOfMetadataDocumentsScanned": self.metadata_scanned,
            "numberOfNewDocumentsIndexed": self.new,
            "numberOfModifiedDocumentsIndexed": self.modified,
            "numberOfMetadataDocumentsModified": self.metadata_modified,
            "numberOfDocumentsDeleted": self.deleted,
            "numberOfDocumentsFailed": self.failed,
            "numberOfDocumentsSkipped": self.skipped,
        }


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document of a data source, as ListKnowledgeBaseDocuments tells it.

    Attributes:
        id: Its URI, or the client's own id.
        reason: Why it failed, or what of it was left out.
        chunks: Searchable pieces in the store.
    """

    knowledge_base: str
    data_source: str
    id: str
    status: DocumentStatus
    reason: str
    chunks: int
    updated_at: datetime
