"""Ingestions whose worker or server is killed, round after round, and what must be there in the end."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import psutil
from botocore.config import Config

from rocamadre.cli.process import start_server, stop_server
from rocamadre.core.settings import Settings
from rocamadre.jobs.runner import JobPlatform
from rocamadre.knowledge.stores import open_store
from rocamadre.knowledge.tables import select_base
from rocamadre.store.sql.database import open_database
from rocamadre.testing.knowledge import EMBEDDER, ROLE

T = TypeVar("T")
BUCKET = "docs"
LONGEST_S = 120.0
_WORDS = (
    "tide harbour lantern marea puerto farol maré porto lanterna river stone cloud río piedra nube rio pedra".split()
)


@dataclass(slots=True)
class Kills:
    """What was killed, and when.

    Attributes:
        workers: Seconds after the job was begun.
        servers: The same.
        done: Documents that the job had done by then, one figure per kill.
        missed: Jobs that were over before they were killed once more.
    """

    workers: list[float] = field(default_factory=list)
    servers: list[float] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    missed: int = 0

    @property
    def count(self) -> int:
        """All kills that met a job at work."""
        return len(self.workers) + len(self.servers)


class Victim:
    """A server on a home of its own, with a bucket and a knowledge base; `stop` it.

    Args:
        home: State.
        seed: Of documents and kills.
        documents: In the bucket at a time.
        words: Of each document.
    """

    def __init__(self, home: Path, *, seed: int, documents: int = 120, words: int = 400) -> None:
        self.home = home
        self.kills = Kills()
        self._random = random.Random(seed)
        self._documents = documents
        self._words = words
        self._there: dict[str, str] = {}
        self._number = 0
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
        self._environment = kept | {
            "ROCA_SERVER__PORT": "0",
            "ROCA_CONSOLE__ENABLED": "false",
            "ROCA_CONFIG": str(home / "none.toml"),
        }
        self._start()
        self.s3.create_bucket(Bucket=BUCKET)
        self.base, self.source = self.new_base("killed")

    def stop(self) -> None:
        """Stop the server."""
        stop_server(self.home, self._server)

    def new_base(self, name: str) -> tuple[str, str]:
        """A knowledge base that reads the bucket: its id, and its data source's."""
        arn = f"arn:aws:bedrock:us-east-1::foundation-model/{EMBEDDER}"
        configuration = {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": arn}}
        made = self.agent.create_knowledge_base(name=name, roleArn=ROLE, knowledgeBaseConfiguration=configuration)
        base = made["knowledgeBase"]["knowledgeBaseId"]
        fixed = {"maxTokens": 60, "overlapPercentage": 10}
        source = self.agent.create_data_source(
            knowledgeBaseId=base,
            name=name,
            dataSourceConfiguration={"type": "S3", "s3Configuration": {"bucketArn": f"arn:aws:s3:::{BUCKET}"}},
            vectorIngestionConfiguration={
                "chunkingConfiguration": {"chunkingStrategy": "FIXED_SIZE", "fixedSizeChunkingConfiguration": fixed}
            },
        )
        return str(base), str(source["dataSource"]["dataSourceId"])

    def change(self) -> dict[str, int]:
        """Change a part of the bucket; returns the figures that the next job must show."""
        there = sorted(self._there)
        gone = self._random.sample(there, len(there) // 6)
        changed = self._random.sample(sorted(set(there) - set(gone)), len(there) // 4)
        for key in gone:
            self.s3.delete_object(Bucket=BUCKET, Key=key)
            del self._there[key]
        new = [f"{self._name()}.txt" for _ in range(self._documents - len(self._there))]
        for key in (*changed, *new):
            self._there[key] = self._text()
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=self._there[key].encode())
        return {
            "numberOfDocumentsScanned": len(self._there),
            "numberOfNewDocumentsIndexed": len(new),
            "numberOfModifiedDocumentsIndexed": len(changed),
            "numberOfDocumentsDeleted": len(gone),
            "numberOfDocumentsFailed": 0,
        }

    def ingest_under_kills(self, most_kills: int, *, within_s: float = 1.5) -> dict[str, Any]:
        """Run one job, killing worker or server while it runs; returns it once it is over."""
        job, began = self._begin(self.base, self.source), time.monotonic()
        for _ in range(most_kills):
            self._wait(self._worker)
            time.sleep(self._random.uniform(0.0, within_s))
            found = self._job(job)
            if found["status"] in ("COMPLETE", "FAILED", "STOPPED"):
                self.kills.missed += 1
                break
            which = self._random.random() < 1 / 3
            (self._kill_server if which else self._kill_worker)()
            (self.kills.servers if which else self.kills.workers).append(round(time.monotonic() - began, 3))
            self.kills.done.append(self._done())
        return dict(self._wait(lambda: (found := self._job(job))["status"] in ("COMPLETE", "FAILED") and found))

    def ingest_undisturbed(self) -> tuple[str, str]:
        """Bring the bucket as it is into a new knowledge base; returns its id, and its data source's."""
        base, source = self.new_base(f"undisturbed-{self._name()}")
        job = self._begin(base, source)
        found = self._wait(lambda: (found := self._job(job))["status"] in ("COMPLETE", "FAILED") and found)
        assert found["status"] == "COMPLETE", found
        return base, source

    def rows(self, base: str, source: str) -> dict[str, Any]:
        """All that a store holds, by document, without what two knowledge bases cannot have in common."""
        settings = Settings(home=self.home)
        sql = open_database(self.home)
        platform = JobPlatform(settings, sql, None, None, None)  # type: ignore[arg-type]  # A store needs no more.
        try:
            with sql.connect() as connection:
                record = select_base(connection, base)
            assert record is not None
            store = open_store(platform, record)
            try:
                return {row.id: _row(store, row, source) for row in store.documents()}
            finally:
                store.close()
        finally:
            sql.dispose()

    def _done(self) -> int:
        """Documents that the last job has done, by what is written down; a job at work tells it only now and then."""
        with sqlite3.connect(f"file:{self.home / 'platform.sqlite'}?mode=ro", uri=True) as connection:
            newest = "SELECT run FROM knowledge_items WHERE state = 'waiting' LIMIT 1"
            query = f"SELECT count(*) FROM knowledge_items WHERE state = 'done' AND run = ({newest})"
            found: int = connection.execute(query).fetchone()[0]
        connection.close()
        return found

    def _name(self) -> str:
        self._number += 1
        return f"{self._number:05}"

    def _text(self) -> str:
        return ". ".join(
            " ".join(self._random.choice(_WORDS) for _ in range(12)).capitalize() + f" {self._random.randrange(10**6)}"
            for _ in range(self._words // 13)
        )

    def _begin(self, base: str, source: str) -> dict[str, str]:
        begun = self.agent.start_ingestion_job(knowledgeBaseId=base, dataSourceId=source)["ingestionJob"]
        return {"knowledgeBaseId": base, "dataSourceId": source, "ingestionJobId": begun["ingestionJobId"]}

    def _job(self, job: dict[str, str]) -> dict[str, Any]:
        return dict(self.agent.get_ingestion_job(**job)["ingestionJob"])

    def _start(self) -> None:
        self._server = start_server(self.home, self._environment)
        session: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        self.agent, self.s3 = (
            session.client(name, region_name="us-east-1", endpoint_url=self._server.address, config=config)
            for name in ("bedrock-agent", "s3")
        )

    def _worker(self) -> psutil.Process | None:
        for child in psutil.Process(self._server.pid).children():
            with suppress(psutil.Error):  # It may die while it is looked at.
                if "rocamadre.server.worker" in child.cmdline():
                    return child
        return None

    def _kill_worker(self) -> None:
        worker = self._wait(self._worker)
        worker.kill()
        self._wait(lambda: _is_gone(worker))

    def _kill_server(self) -> None:
        worker, process = self._worker(), psutil.Process(self._server.pid)
        process.kill()
        psutil.wait_procs([process], timeout=LONGEST_S)
        if worker is not None:  # It must not outlive its server: another would do the same jobs.
            self._wait(lambda: _is_gone(worker))
        self._start()

    def _wait(self, found: Callable[[], T]) -> Any:
        deadline = time.monotonic() + LONGEST_S
        while not (value := found()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return value


def _is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _row(store: Any, row: Any, source: str) -> tuple[Any, ...]:
    chunks = store.of_document(row.id, data_source=source)
    return (
        row.content_hash,
        store.text(row.id, data_source=source),
        [
            (
                chunk.start,
                chunk.end,
                chunk.text,
                chunk.terms,
                chunk.language,
                chunk.page,
                chunk.headings,
                sorted(
                    (key, str(value)) for key, value in chunk.metadata.items() if not key.endswith("data-source-id")
                ),
                None if chunk.embedding is None else [round(float(value), 5) for value in chunk.embedding],
            )
            for chunk in chunks
        ],
    )
