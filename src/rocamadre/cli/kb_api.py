"""What `roca kb` asks the server: Bedrock's own operations through boto3, and pages of figures by HTTP."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from botocore.exceptions import ClientError

from rocamadre.cli.client import open_client, reported
from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.http import get, post
from rocamadre.cli.session import Session

ROLE = "arn:aws:iam::123456789012:role/roca-kb"
"""Wanted by the API; nothing here is done in its name."""
FILES = "files"
"""Name of the data source that `roca kb add` uploads to."""
OVER = ("COMPLETE", "FAILED", "STOPPED")
_POLL_S = 0.3
_PLACE = "/_rocamadre/knowledge-bases"


class KnowledgeApi:
    """The server, as the commands need it.

    Args:
        session: Of this run of `roca`.
    """

    def __init__(self, session: Session) -> None:
        self._server = session.server()
        self._region = session.settings.server.region

    @cached_property
    def agent(self) -> Any:
        """A client of bedrock-agent."""
        return open_client(self._server, region=self._region, service="bedrock-agent")

    @cached_property
    def s3(self) -> Any:
        """A client of S3."""
        return open_client(self._server, region=self._region, service="s3")

    def runtime(self, headers: Mapping[str, str]) -> Any:
        """A client of bedrock-agent-runtime that sends some headers with each request."""
        client = open_client(self._server, region=self._region, service="bedrock-agent-runtime")

        def add(request: Any, **_: Any) -> None:
            for name, value in headers.items():
                request.headers[name] = value

        client.meta.events.register("before-sign.bedrock-agent-runtime.*", add)
        return client

    def page(self, *parts: str, **query: str | int) -> Any:
        """One of the server's pages of figures."""
        path = "/".join([_PLACE, *(quote(part, safe="") for part in parts)])
        asked = {name: value for name, value in query.items() if value}
        return get(self._server, path + (f"?{urlencode(asked)}" if asked else ""), region=self._region)

    def post(self, path: str, body: Any) -> Any:
        """POST JSON to a path of the server."""
        return post(self._server, path, body, region=self._region)

    def foundation_model(self, model: str) -> str:
        """The ARN of a foundation model; an ARN is left as it is."""
        return model if model.startswith("arn:") else f"arn:aws:bedrock:{self._region}::foundation-model/{model}"

    def trace(self, path: str) -> Any:
        """The trace of a retrieval, at the path that its answer named."""
        return get(self._server, path, region=self._region)

    def find(self, name: str) -> dict[str, Any]:
        """A knowledge base by id, ARN or name.

        Raises:
            CommandFailed: there is none; the message lists those that exist.
        """
        try:
            found: dict[str, Any] = self.page(name)
        except CommandFailed as error:
            if error.code != Exit.NOT_FOUND:
                raise
            names = [each["name"] for each in self.page()["knowledge_bases"]]
            there = f"there are: {', '.join(names)}" if names else "make one with `roca kb create NAME`"
            raise CommandFailed(f"no knowledge base is called {name!r}; {there}", Exit.NOT_FOUND) from error
        return found

    def bucket(self, base: Mapping[str, Any]) -> str:
        """The bucket of a knowledge base's uploaded files; made when it is not there."""
        name = bucket_name(base)
        place = (
            {} if self._region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        )
        try:
            self.s3.create_bucket(Bucket=name, **place)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
        return name

    def source(self, base: Mapping[str, Any], name: str, configuration: Mapping[str, Any], **more: Any) -> str:
        """The id of the data source of a name; made when it is not there.

        Raises:
            CommandFailed: it is there, and brings documents in otherwise than is wanted now.
        """
        for each in base["data_sources"]:
            if each["name"] == name:
                wanted = more.get("vectorIngestionConfiguration", {})
                if any(each["ingestion"].get(part) != value for part, value in wanted.items()):
                    raise CommandFailed(
                        f"data source {name} is there already, and was made otherwise: --chunking and --names are for "
                        "new ones; make another knowledge base",
                        Exit.USAGE,
                    )
                return str(each["id"])
        made = self.agent.create_data_source(
            knowledgeBaseId=base["id"], name=name, dataSourceConfiguration=configuration, **more
        )
        return str(made["dataSource"]["dataSourceId"])

    def ingest(self, base_id: str, source_id: str, show: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
        """Run an ingestion job to its end; one that runs already is watched instead.

        Args:
            base_id: The knowledge base.
            source_id: The data source.
            show: Called with the job whenever it was looked at.
        """
        place = {"knowledgeBaseId": base_id, "dataSourceId": source_id}
        with reported():
            try:
                job = self.agent.start_ingestion_job(**place)["ingestionJob"]
            except ClientError as error:
                running = self.running(place) if error.response["Error"]["Code"] == "ConflictException" else None
                if running is None:
                    raise
                job = running
            while job["status"] not in OVER:
                show(job)
                time.sleep(_POLL_S)
                job = self.agent.get_ingestion_job(**place, ingestionJobId=job["ingestionJobId"])["ingestionJob"]
        show(job)
        found: dict[str, Any] = job
        return found

    def running(self, place: Mapping[str, str]) -> dict[str, Any] | None:
        """The data source's job that is not over, if there is one."""
        jobs = self.agent.list_ingestion_jobs(**place)["ingestionJobSummaries"]
        return next((job for job in jobs if job["status"] not in OVER), None)

    def empty(self, bucket: str) -> None:
        """Remove a bucket and all that is in it, if it is there."""
        try:
            for key in list(self.keys(bucket, "")):
                self.s3.delete_object(Bucket=bucket, Key=key)
            self.s3.delete_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchBucket", "404"):
                raise

    def keys(self, bucket: str, prefix: str) -> dict[str, str]:
        """Keys below a prefix, with their ETags."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {each["Key"]: each["ETag"].strip('"') for page in pages for each in page.get("Contents", ())}

    def upload(self, bucket: str, path: Path) -> tuple[int, int, int]:
        """Bring a file, or a folder as it is now, to a bucket.

        Returns:
            How many files were uploaded, how many were there already, and how many that the folder has no more were
            removed.
        """
        files = {path.name: path} if path.is_file() else dict(_below(path))
        prefix = path.name if path.is_file() else f"{path.resolve().name}/"
        there = self.keys(bucket, prefix)
        uploaded = 0
        for key, file in files.items():
            if there.get(key) != _etag(file):
                self.s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
                uploaded += 1
        gone = [] if path.is_file() else [key for key in there if key not in files]
        for key in gone:
            self.s3.delete_object(Bucket=bucket, Key=key)
        return uploaded, len(files) - uploaded, len(gone)


def bucket_name(base: Mapping[str, Any]) -> str:
    """The bucket of the files that were uploaded to a knowledge base."""
    return f"roca-kb-{base['id'].lower()}"


def read_json(text: str, option: str) -> Any:
    """An option's JSON, given in place or as `@file`.

    Raises:
        CommandFailed: it is none.
    """
    try:
        return json.loads(Path(text[1:]).read_text("utf-8") if text.startswith("@") else text)
    except OSError as error:
        raise CommandFailed(f"{option}: {text[1:]} cannot be read: {error.strerror}", Exit.USAGE) from error
    except ValueError as error:
        raise CommandFailed(f"{option} takes JSON, or @file with JSON: {error}", Exit.USAGE) from error


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Files of a folder by key; hidden ones and links are left out."""
    root = folder.resolve()
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in inside.parts):
            yield f"{root.name}/{inside.as_posix()}", path


def _etag(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
