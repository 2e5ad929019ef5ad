"""/_rocamadre/jobs: everything that is being done or was done for an account, of every kind, and how far it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.async_invokes.operations import list_invokes
from rocamadre.batch.anthropic import operations as anthropic
from rocamadre.batch.openai import operations as openai
from rocamadre.batch.operations import list_jobs as list_batch_jobs
from rocamadre.batch.operations import stop_job as stop_batch_job
from rocamadre.catalog.pulls import list_pulls, stop_pull
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.customization import operations as customization
from rocamadre.customization.copies import list_copy_jobs
from rocamadre.customization.imports import list_import_jobs
from rocamadre.customization.progress import PUBLISH, progress_of, run_dir
from rocamadre.customization.types import Job
from rocamadre.jobs.launchers.process import LOG_FILE
from rocamadre.knowledge.ingestion_jobs import list_all_ingestions, stop_ingestion
from rocamadre.knowledge.types import OVER as INGESTION_OVER

CUSTOMIZATION = "customization"
_MOST = 1000
_DEFAULT = 100
_PIECE_BYTES = 1 << 16
_POLL_S = 0.5
_GROUPS = {
    "completed": {"completed", "complete", "partiallycompleted", "ended", "succeeded"},
    "failed": {"failed", "expired"},
    "stopped": {"stopped", "cancelled", "canceled"},
}
_OVER = frozenset().union(*_GROUPS.values())
_CURVES = ("losses", "validation_losses", "learning_rates", "gradient_norms")


@dataclass(frozen=True, slots=True)
class View:
    """A job of any kind.

    Attributes:
        status: The word of its own API.
        reason: Why it failed.
        of: The job as its area knows it.
    """

    id: str
    kind: str
    name: str
    status: str
    created_at: datetime
    ended_at: datetime | None
    reason: str
    of: Any

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status.lower() in _OVER


class Kind(NamedTuple):
    """A kind of job.

    Attributes:
        find: All of the account's jobs in its region.
        view: Makes a view of one.
        counts: How far one is, in its own units; empty for nothing to say.
        stop: Asks one to stop; None where that cannot be.
    """

    find: Callable[[Context], list[Any]]
    view: Callable[[Any], View]
    counts: Callable[[Any], dict[str, Any]] = lambda job: {}
    stop: Callable[[Context, Any], object] | None = None


def _viewer(kind: str, *, id: str = "arn", name: str = "name", message: str = "message") -> Callable[[Any], View]:
    def view(job: Any) -> View:
        began = getattr(job, "created_at", None) or job.submitted_at
        reason = str(getattr(job, message, "") or "")
        return View(
            getattr(job, id),
            kind,
            str(getattr(job, name)),
            job.status,
            began,
            getattr(job, "ended_at", None),
            reason,
            job,
        )

    return view


def _openai_view(batch: Any) -> View:
    ended = next(
        (batch.times[word] for word in ("completed", "failed", "expired", "cancelled") if word in batch.times), 0
    )
    ended_at = datetime.fromtimestamp(ended, batch.created_at.tzinfo) if ended else None
    reason = str(batch.errors[0].get("message", "")) if batch.errors else ""
    return View(batch.id, "openai-batch", batch.endpoint, batch.status, batch.created_at, ended_at, reason, batch)


def _anthropic_view(batch: Any) -> View:
    return View(batch.id, "anthropic-batch", "messages", batch.status, batch.created_at, batch.ended_at, "", batch)


def _ingestion_view(job: Any) -> View:
    ended = job.updated_at if job.status in INGESTION_OVER else None
    reason = job.failures[0] if job.failures and job.status == "FAILED" else ""
    name = f"{job.knowledge_base}/{job.data_source}"
    return View(job.arn, "kb-ingestion", name, job.status, job.started_at, ended, reason, job)


def _ingested(job: Any) -> dict[str, Any]:
    done = job.statistics
    good = done.new + done.modified + done.metadata_modified + done.skipped + done.deleted
    return {"total": done.scanned + done.deleted, "good": good, "bad": done.failed}


def _place(job: Any) -> tuple[str, str, str]:
    return job.knowledge_base, job.data_source, job.id


KINDS: dict[str, Kind] = {
    "anthropic-batch": Kind(
        anthropic.list_batches,
        _anthropic_view,
        lambda batch: {"total": batch.total, "good": batch.succeeded, "bad": batch.errored},
        lambda ctx, batch: anthropic.cancel_batch(ctx, batch.id),
    ),
    "async-invoke": Kind(list_invokes, _viewer("async-invoke", name="base_id")),
    "batch-inference": Kind(
        list_batch_jobs,
        _viewer("batch-inference"),
        lambda job: {"total": job.total_records, "good": job.good_records, "bad": job.bad_records},
        lambda ctx, job: stop_batch_job(ctx, job.arn),
    ),
    CUSTOMIZATION: Kind(
        lambda ctx: customization.list_jobs(ctx, wire=None),
        _viewer(CUSTOMIZATION),
        stop=lambda ctx, job: customization.stop_job(ctx, job.arn, wire=job.wire),
    ),
    "kb-ingestion": Kind(
        list_all_ingestions, _ingestion_view, _ingested, lambda ctx, job: stop_ingestion(ctx, *_place(job))
    ),
    "model-copy": Kind(list_copy_jobs, _viewer("model-copy", name="target_name")),
    "model-import": Kind(list_import_jobs, _viewer("model-import")),
    "model-pull": Kind(
        list_pulls,
        lambda pull: View(
            pull.id, "model-pull", pull.spec.source, pull.status, pull.created_at, pull.ended_at, pull.message, pull
        ),
        lambda pull: {"done_bytes": pull.done_bytes, "total_bytes": pull.total_bytes},
        lambda ctx, pull: stop_pull(ctx, pull.id),
    ),
    "openai-batch": Kind(
        openai.list_batches,
        _openai_view,
        lambda batch: {"total": batch.total, "good": batch.good, "bad": batch.bad},
        lambda ctx, batch: openai.cancel_batch(ctx, batch.id),
    ),
}
"""Kinds of jobs by name."""


@route("GET", "/_rocamadre/jobs")
async def jobs(context: Context, request: HttpRequest) -> Reply:
    """The account's jobs, newest first.

    In the query: `kind`, `status` (a word of the kind's own, or `active`, `completed`, `failed`, `stopped`), `find` (in
    name or id), `order` (`newest`, `oldest`), `limit`, and `after`, the id that `next` gave.
    """
    return json_reply(await asyncio.to_thread(_listed, context, request.parameters()))


@route("GET", "/_rocamadre/jobs/{}")
async def job(context: Context, request: HttpRequest) -> Reply:
    """One job by id, ARN or name, with its progress; of a training also its curves."""
    found = await asyncio.to_thread(_found, context, request.path_values[0])
    return json_reply(await asyncio.to_thread(_shown, context, found, curves=True))


@route("POST", "/_rocamadre/jobs/{}/stop")
async def stop(context: Context, request: HttpRequest) -> Reply:
    """Ask a job to stop."""
    found = await asyncio.to_thread(_found, context, request.path_values[0])
    how = KINDS[found.kind].stop
    if how is None:
        raise Conflict(f"jobs of the kind {found.kind} cannot be stopped; they are short")
    await asyncio.to_thread(how, context, found.of)
    return await job(context, request)


@route("POST", "/_rocamadre/jobs/{}/resume")
async def resume(context: Context, request: HttpRequest) -> Reply:
    """Let a training that was stopped, or has failed, go on from its newest checkpoint."""
    found = await _training(context, request)
    await asyncio.to_thread(customization.resume_job, context, found.arn, wire=found.wire)
    return await job(context, request)


@route("GET", "/_rocamadre/jobs/{}/events")
async def events(context: Context, request: HttpRequest) -> Reply:
    """What a training wrote down while it ran, a JSON object a line; with `follow=true` until it is over."""
    return await _file(context, request, ("progress.jsonl",), "application/x-ndjson")


@route("GET", "/_rocamadre/jobs/{}/logs")
async def logs(context: Context, request: HttpRequest) -> Reply:
    """What the processes of a training printed; with `follow=true` until it is over."""
    return await _file(context, request, (LOG_FILE, f"{PUBLISH}/{LOG_FILE}"), "text/plain; charset=utf-8")


def _listed(ctx: Context, query: Mapping[str, str]) -> dict[str, Any]:
    kind, limit = query.get("kind", ""), query.get("limit", str(_DEFAULT))
    if kind and kind not in KINDS:
        raise InvalidRequest(f"kind is {kind[:80]!r}; there are: {', '.join(KINDS)}")
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= _MOST:
        raise InvalidRequest(f"limit is {limit[:80]!r}; it is a number from 1 to {_MOST}")
    order = query.get("order", "newest")
    if order not in ("newest", "oldest", "created_at", "-created_at"):
        raise InvalidRequest(f"order is {order[:80]!r}; it is newest or oldest")
    views = [KINDS[each].view(found) for each in KINDS if kind in ("", each) for found in KINDS[each].find(ctx)]
    views = [view for view in views if _fits(view, query.get("status", ""), query.get("find", ""))]
    views.sort(key=lambda view: (view.created_at, view.id), reverse=order in ("newest", "-created_at"))
    if after := query.get("after"):
        place = next((index for index, view in enumerate(views) if view.id == after), None)
        if place is None:
            raise InvalidRequest(f"after is {after[:200]!r}, and no job of this list has that id")
        views = views[place + 1 :]
    page = views[: int(limit)]
    answer: dict[str, Any] = {"jobs": [_shown(ctx, view) for view in page]}
    return answer | ({"next": page[-1].id} if len(views) > len(page) else {})


def _fits(view: View, status: str, find: str) -> bool:
    word = view.status.lower()
    if status.lower() in _GROUPS:
        fits = word in _GROUPS[status.lower()]
    elif status.lower() == "active":
        fits = not view.is_over
    else:
        fits = status.lower() in ("", word)
    words = find.lower()
    return fits and (words in view.name.lower() or words in view.id.lower())


def _found(ctx: Context, name: str) -> View:
    """A job by id, by the last part of its ARN, or by name; of several the newest.

    Raises:
        NotFound: there is none.
    """
    views = [kind.view(each) for kind in KINDS.values() for each in kind.find(ctx)]
    for called in (_by_id, _by_end, _by_name):
        found = [view for view in views if called(view) == name]
        if found:
            return max(found, key=lambda view: view.created_at)
    raise NotFound(f"no job {name[:200]!r} in account {ctx.account}, region {ctx.region}; `roca jobs list` shows them")


def _by_id(view: View) -> str:
    return view.id


def _by_end(view: View) -> str:
    return view.id.rpartition("/")[2]


def _by_name(view: View) -> str:
    return view.name


def _shown(ctx: Context, view: View, *, curves: bool = False) -> dict[str, Any]:
    kind = KINDS[view.kind]
    progress = kind.counts(view.of)
    if view.kind == CUSTOMIZATION and (curves or not view.is_over):
        progress = asdict(progress_of(ctx.platform.settings.home, view.of))
        if not curves:
            progress = {name: value for name, value in progress.items() if name not in _CURVES}
    shown = {name: getattr(view, name) for name in View.__slots__ if name != "of"}
    facts: dict[str, Any] = {"progress": progress or None, "can_stop": kind.stop is not None and not view.is_over}
    if view.kind == CUSTOMIZATION:
        of: Job = view.of
        facts |= {"can_resume": of.status in ("Stopped", "Failed"), "model": of.model_arn, "model_name": of.model_name}
        facts |= {"base": of.local_id, "type": of.type, "settings": dict(of.settings), "facts": dict(of.facts)}
        facts["foreseen"] = of.facts.get("foreseen", [])
    return shown | facts


async def _training(ctx: Context, request: HttpRequest) -> Job:
    found = await asyncio.to_thread(_found, ctx, request.path_values[0])
    if not isinstance(found.of, Job):
        raise InvalidRequest(f"{found.id} is of the kind {found.kind}; only a training has this")
    return found.of


async def _file(ctx: Context, request: HttpRequest, names: tuple[str, ...], content_type: str) -> Reply:
    found = await _training(ctx, request)
    folder = run_dir(ctx.platform.settings.home, found.arn).path
    follow = request.parameters().get("follow", "") in ("true", "1")
    body = _followed(ctx, found, [folder / name for name in names], follow=follow)
    return Reply(200, {"content-type": content_type}, body)


async def _followed(ctx: Context, job: Job, paths: list[Path], *, follow: bool) -> AsyncGenerator[bytes, None]:
    """The files one after the other, each as far as it goes; while the job runs, what is added as well."""
    places = dict.fromkeys(paths, 0)
    while True:
        # Asked before the reading: what was written before the end is read for certain.
        view = await asyncio.to_thread(customization.get_job, ctx, job.arn, wire=job.wire)
        for path in paths:
            while piece := await asyncio.to_thread(_piece, path, places[path]):
                places[path] += len(piece)
                yield piece
        if not follow or view.ended_at is not None:
            return
        await asyncio.sleep(_POLL_S)


def _piece(path: Path, start: int) -> bytes:
    """Whole lines from a place on, as many as fit; a line longer than that is cut."""
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            data = stream.read(_PIECE_BYTES)
            at_end = stream.tell() == os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        return b""
    whole = data.rfind(b"\n") + 1
    return data[:whole] if whole or at_end else data
