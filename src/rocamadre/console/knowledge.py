"""What the pages of knowledge bases ask of the platform, by boto3, in threads."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from rocamadre.console.api import Api
from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import address

ROLE = "arn:aws:iam::123456789012:role/console"
FILES = "files"
"""Name of the data source of uploaded files; `roca kb add` uses the same."""
MOST_BYTES = 50_000_000
_OVER = ("COMPLETE", "FAILED", "STOPPED")
_THERE = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_GONE = frozenset({"NoSuchBucket", "404"})
_PATIENCE_S = 60.0
_POLL_S = 0.5


def base_page(base: str, **query: str) -> str:
    """Address of a knowledge base's page."""
    return address(f"/knowledge/{quote(base, safe='')}", **query)


def document_page(base: str, document: str, source: str = "", *, start: int = -1, end: int = -1) -> str:
    """Address of a document's page; with a span, that is marked and shown first."""
    span = {"start": str(start), "end": str(end)} if start >= 0 else {}
    where = address(f"/knowledge/{quote(base, safe='')}/document", id=document, source=source, **span)
    return f"{where}#cited" if span else where


def bucket_of(base: str) -> str:
    """The bucket of a knowledge base's uploaded files."""
    return f"roca-kb-{base.lower()}"


def create_base(api: Api, name: str, embedder: str) -> str:
    """Make an empty knowledge base; its id.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    vector = {"embeddingModelArn": f"arn:aws:bedrock:{api.platform.region}::foundation-model/{embedder}"}
    made = api.call_now(
        "bedrock-agent",
        "create_knowledge_base",
        name=name,
        roleArn=ROLE,
        knowledgeBaseConfiguration={"type": "VECTOR", "vectorKnowledgeBaseConfiguration": vector},
    )
    return str(made["knowledgeBase"]["knowledgeBaseId"])


def add_files(api: Api, base: Mapping[str, Any], files: Sequence[tuple[str, bytes]]) -> None:
    """Put files into the knowledge base's bucket and begin to read them.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    bucket = bucket_of(base["id"])
    region = api.platform.region
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        api.call_now("s3", "create_bucket", Bucket=bucket, **place)
    except ApiFailure as failure:
        if failure.code not in _THERE:
            raise
    for name, body in files:
        api.call_now("s3", "put_object", Bucket=bucket, Key=name, Body=body)
    known = [each["id"] for each in base["data_sources"] if each["name"] == FILES]
    if not known:
        s3 = {"type": "S3", "s3Configuration": {"bucketArn": f"arn:aws:s3:::{bucket}"}}
        made = api.call_now(
            "bedrock-agent",
            "create_data_source",
            knowledgeBaseId=base["id"],
            name=FILES,
            dataSourceConfiguration=s3,
        )
        known = [made["dataSource"]["dataSourceId"]]
    start_ingestion(api, base["id"], known[0])


def start_ingestion(api: Api, base: str, source: str) -> None:
    """Begin an ingestion, after the one that runs.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            api.call_now("bedrock-agent", "start_ingestion_job", knowledgeBaseId=base, dataSourceId=source)
            return
        except ApiFailure as failure:
            if failure.code != "ConflictException" or time.monotonic() > deadline:
                raise
        time.sleep(_POLL_S)


def stop_ingestion(api: Api, base: str, source: str, job: str) -> None:
    """Ask an ingestion to stop.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    api.call_now("bedrock-agent", "stop_ingestion_job", knowledgeBaseId=base, dataSourceId=source, ingestionJobId=job)


def is_over(job: Mapping[str, Any]) -> bool:
    """Whether an ingestion will do nothing more."""
    return job["status"] in _OVER


def delete_base(api: Api, base: str) -> None:
    """Delete a knowledge base and the files that were uploaded to it.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    api.call_now("bedrock-agent", "delete_knowledge_base", knowledgeBaseId=base)
    bucket = bucket_of(base)
    try:
        while found := api.call_now("s3", "list_objects_v2", Bucket=bucket).get("Contents", ()):
            for each in found:
                api.call_now("s3", "delete_object", Bucket=bucket, Key=each["Key"])
        api.call_now("s3", "delete_bucket", Bucket=bucket)
    except ApiFailure as failure:
        if failure.code not in _GONE:
            raise


def retrieve(api: Api, base: str, question: str, count: int) -> tuple[list[dict[str, Any]], str]:
    """What is found, and the path of its trace.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    found = api.call_now(
        "bedrock-agent-runtime",
        "retrieve",
        knowledgeBaseId=base,
        retrievalQuery={"text": question},
        retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": count}},
    )
    headers = found["ResponseMetadata"]["HTTPHeaders"]
    return found["retrievalResults"], str(headers.get("x-rocamadre-explain", ""))


def answer(api: Api, base: str, question: str, model: str) -> dict[str, Any]:
    """An answer from the chunks, with its citations.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    arn = f"arn:aws:bedrock:{api.platform.region}::foundation-model/{model}"
    found: dict[str, Any] = api.call_now(
        "bedrock-agent-runtime",
        "retrieve_and_generate",
        input={"text": question},
        retrieveAndGenerateConfiguration={
            "type": "KNOWLEDGE_BASE",
            "knowledgeBaseConfiguration": {"knowledgeBaseId": base, "modelArn": arn},
        },
    )
    return found
