"""StartIngestionJob, GetIngestionJob, ListIngestionJobs, StopIngestionJob."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.api.wire.models import read_models
from rocamadre.api.wire.paging import page
from rocamadre.core.context import Context
from rocamadre.knowledge.ingestion_jobs import get_ingestion, list_ingestions, start_ingestion, stop_ingestion
from rocamadre.knowledge.types import IngestionJob


@handles("bedrock-agent", "StartIngestionJob")
async def start(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Queue a job that brings the knowledge base level with the data source."""
    begin = partial(start_ingestion, ctx, *_place(request), description=request.get("description", ""))
    return {"ingestionJob": _job(await asyncio.to_thread(begin))}


@handles("bedrock-agent", "GetIngestionJob")
async def get(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """One job, with how far it is."""
    return {
        "ingestionJob": _job(await asyncio.to_thread(get_ingestion, ctx, *_place(request), request["ingestionJobId"]))
    }


@handles("bedrock-agent", "ListIngestionJobs")
async def list_all(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """A data source's jobs, newest first unless asked otherwise."""
    sort = request.get("sortBy", {})
    find = partial(
        list_ingestions,
        ctx,
        *_place(request),
        statuses={value for each in request["filters"] for value in each["values"]} if request.get("filters") else None,
        sort_by=sort.get("attribute", "STARTED_AT"),
        descending=sort.get("order", "DESCENDING") == "DESCENDING",
    )
    jobs = await asyncio.to_thread(find)
    shown, token = page(ctx, jobs, request=request, operation="ListIngestionJobs", key=lambda job: job.id)
    answer: dict[str, Any] = {"ingestionJobSummaries": [_summary(job) for job in shown]}
    return answer if token is None else {**answer, "nextToken": token}


@handles("bedrock-agent", "StopIngestionJob")
async def stop(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Stop a job; what it has brought in stays."""
    job = await asyncio.to_thread(stop_ingestion, ctx, *_place(request), request["ingestionJobId"])
    return {"ingestionJob": _job(job)}


def _place(request: Mapping[str, Any]) -> tuple[str, str]:
    return request["knowledgeBaseId"], request["dataSourceId"]


def _job(job: IngestionJob) -> dict[str, Any]:
    return _summary(job) | ({"failureReasons": list(job.failures)} if job.failures else {})


def _summary(job: IngestionJob) -> dict[str, Any]:
    facts = {
        "knowledgeBaseId": job.knowledge_base,
        "dataSourceId": job.data_source,
        "ingestionJobId": job.id,
        "status": job.status,
        "statistics": {name: count for name, count in job.statistics.wire().items() if name in _counted()},
        "startedAt": job.started_at,
        "updatedAt": job.updated_at,
    }
    return facts | ({"description": job.description} if job.description else {})


@cache
def _counted() -> frozenset[str]:
    """What the installed botocore knows of the statistics; older ones do not count what was skipped."""
    shapes = read_models(("bedrock-agent",))["bedrock-agent"]["shapes"]
    return frozenset(shapes["IngestionJobStatistics"]["members"])
