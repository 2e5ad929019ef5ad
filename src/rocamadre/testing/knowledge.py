"""A server in this process with a knowledge base that can be filled: for tests of what happens to documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from rocamadre.core.settings import Settings
from rocamadre.jobs.inline import InlineJobs
from rocamadre.knowledge.stores import open_store
from rocamadre.knowledge.tables import select_base
from rocamadre.testing.inprocess import ADDRESS, InProcessServer
from rocamadre.testing.jobs import inline_jobs

EMBEDDER = "rocamadre.fake-embed-v1:0"
ROLE = "arn:aws:iam::123456789012:role/knowledge"


class KnowledgeBench:
    """A server, its clients, a bucket `docs`, and one knowledge base; `close` it.

    Args:
        home: State.
        settings: More settings.
        embedder: Model id.
    """

    def __init__(self, home: Path, *, settings: Mapping[str, Any] | None = None, embedder: str = EMBEDDER) -> None:
        self.server = InProcessServer(Settings(home=home, **{"console": {"enabled": False}, **(settings or {})}))
        self.jobs: InlineJobs = inline_jobs(self.server)
        self.agent, self.s3 = self.client("bedrock-agent"), self.client("s3")
        self._embedder = embedder
        self._bases = 0
        self.base = ""
        self.begin()

    def begin(self) -> None:
        """An empty bucket and an empty knowledge base, on the same server: for the next test."""
        self.s3.create_bucket(Bucket="docs")
        for each in self.s3.list_objects_v2(Bucket="docs").get("Contents", []):
            self.s3.delete_object(Bucket="docs", Key=each["Key"])
        self._bases += 1
        self.base = self.new_base(f"kb{self._bases}", self._embedder)

    def client(self, service: str) -> Any:
        """A boto3 client of the server."""
        session: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
        return self.server.attach(session.client(service, region_name="us-east-1", endpoint_url=ADDRESS))

    def new_base(self, name: str, embedder: str = EMBEDDER) -> str:
        """Make a knowledge base; returns its id."""
        arn = f"arn:aws:bedrock:us-east-1::foundation-model/{embedder}"
        made = self.agent.create_knowledge_base(
            name=name,
            roleArn=ROLE,
            knowledgeBaseConfiguration={
                "type": "VECTOR",
                "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": arn},
            },
        )
        return str(made["knowledgeBase"]["knowledgeBaseId"])

    def new_source(self, name: str = "ds", *, configuration: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Make a data source; returns its id. Without a configuration, the bucket's."""
        made = self.agent.create_data_source(
            knowledgeBaseId=self.base,
            name=name,
            dataSourceConfiguration=configuration
            or {"type": "S3", "s3Configuration": {"bucketArn": "arn:aws:s3:::docs"}},
            **more,
        )
        return str(made["dataSource"]["dataSourceId"])

    def put(self, key: str, text: str | bytes, **attributes: Any) -> None:
        """Put an object, and its attributes beside it."""
        self.s3.put_object(Bucket="docs", Key=key, Body=text.encode() if isinstance(text, str) else text)
        if attributes:
            beside = json.dumps({"metadataAttributes": attributes}).encode()
            self.s3.put_object(Bucket="docs", Key=f"{key}.metadata.json", Body=beside)

    def ingest(self, source: str) -> dict[str, Any]:
        """Run an ingestion job to its end; returns it."""
        begun = self.agent.start_ingestion_job(knowledgeBaseId=self.base, dataSourceId=source)["ingestionJob"]
        self.jobs.drain()
        found = self.agent.get_ingestion_job(
            knowledgeBaseId=self.base, dataSourceId=source, ingestionJobId=begun["ingestionJobId"]
        )
        return dict(found["ingestionJob"])

    def statistics(self, source: str) -> dict[str, int]:
        """Run an ingestion job; returns its figures above zero, by their names without `numberOf`."""
        job = self.ingest(source)
        assert job["status"] == "COMPLETE", job
        figures = job["statistics"].items()
        return {name.removeprefix("numberOf").removeprefix("Documents"): value for name, value in figures if value}

    def statuses(self, source: str) -> dict[str, tuple[str, str]]:
        """Status and reason of each document, by its last part."""
        found = self.agent.list_knowledge_base_documents(knowledgeBaseId=self.base, dataSourceId=source)
        return {
            (each["identifier"].get("s3") or {}).get("uri", (each["identifier"].get("custom") or {}).get("id", ""))
            .rpartition("/")[2]: (each["status"], each.get("statusReason", ""))
            for each in found["documentDetails"]
        }  # fmt: skip

    def store(self) -> Any:
        """The knowledge base's store; close it."""
        with self.server.platform.sql.connect() as connection:
            base = select_base(connection, self.base)
        assert base is not None
        return open_store(self.server.platform, base)

    def rows(self) -> dict[tuple[str, str], Any]:
        """All that the store holds, by data source and document, without times: hash, text and chunks."""
        store = self.store()
        try:
            return {
                (row.data_source, row.id): (
                    row.content_hash,
                    store.text(row.id, data_source=row.data_source),
                    sorted(_plain(chunk) for chunk in store.of_document(row.id, data_source=row.data_source)),
                )
                for row in store.documents()
            }
        finally:
            store.close()

    def texts(self) -> dict[str, list[str]]:
        """Texts of the searchable chunks in order, by the document's last part."""
        store = self.store()
        try:
            return {
                row.id.rpartition("/")[2]: [
                    chunk.text
                    for chunk in store.of_document(row.id, data_source=row.data_source)
                    if chunk.embedding is not None
                ]
                for row in store.documents()
            }
        finally:
            store.close()

    def close(self) -> None:
        """Stop the server."""
        self.server.close()


def _plain(chunk: Any) -> tuple[Any, ...]:
    """A chunk so that two of them can be compared: vectors to five places."""
    vector = None if chunk.embedding is None else [round(float(each), 5) for each in chunk.embedding]
    metadata = json.dumps(dict(chunk.metadata), sort_keys=True)
    return (chunk.start, chunk.end, chunk.id, chunk.text, chunk.terms, chunk.language, metadata, chunk.page or 0,
            chunk.headings, chunk.parent, str(vector))  # fmt: skip
