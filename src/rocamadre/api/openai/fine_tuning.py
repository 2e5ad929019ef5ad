"""/v1/fine_tuning/jobs: create, list, retrieve, cancel, pause, resume, and a job's events and checkpoints."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.openai.errors import BadParameter, NotHere
from rocamadre.api.openai.fields import Fields, read_fields
from rocamadre.api.openai.listing import list_reply
from rocamadre.catalog.operations import resolve
from rocamadre.core.context import Context
from rocamadre.core.errors import NotFound
from rocamadre.core.ids import short_id
from rocamadre.customization import openai
from rocamadre.customization.operations import create_job
from rocamadre.customization.types import Job, NewJob, Source
from rocamadre.files.operations import get_file, read_file
from rocamadre.files.types import StoredFile
from rocamadre.training.methods.facts import FACTS

T = TypeVar("T")

_KNOWN = (
    "hyperparameters",
    "integrations",
    "metadata",
    "method",
    "model",
    "seed",
    "suffix",
    "training_file",
    "validation_file",
)
_AUTO = "auto"
_MOST_AUTO_EPOCHS, _LEAST_AUTO_EPOCHS, _AUTO_EXAMPLES = 25, 3, 250
_AUTO_BATCH, _AUTO_STEPS = 8, 8
_MOST_METADATA, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512
_LONGEST_SUFFIX = 64
_ROOTS = ("/v1", "/openai/v1")


def _paths(tail: str) -> tuple[str, ...]:
    return tuple(f"{root}/fine_tuning/jobs{tail}" for root in _ROOTS)


@route("POST", *_paths(""), dialect="openai")
async def create(ctx: Context, request: HttpRequest) -> Reply:
    """Begin a job."""
    fields = read_fields(request)
    fields.only(_KNOWN)
    for name in ("model", "training_file"):
        fields.required(name)
    if fields.raw("integrations"):
        raise fields.unsupported("integrations", "nothing is sent elsewhere; leave it out")
    job = await asyncio.to_thread(_create, ctx, fields)
    return json_reply(write_job(job))


@route("GET", *_paths(""), dialect="openai")
async def jobs(ctx: Context, request: HttpRequest) -> Reply:
    """The account's jobs, newest first; `metadata[key]=value` chooses."""
    query = request.parameters()
    wanted = {
        name.removeprefix("metadata[").removesuffix("]"): value
        for name, value in query.items()
        if name.startswith("metadata[")
    }
    found = await asyncio.to_thread(openai.list_all, ctx)
    found = [job for job in found if wanted.items() <= job.echoed.get("metadata", {}).items()]
    return list_reply(found, query, write=write_job, default=20, most=100)


@route("GET", *_paths("/{}"), dialect="openai")
async def job(ctx: Context, request: HttpRequest) -> Reply:
    """One job, with how far it is."""
    return json_reply(write_job(await _known(openai.get, ctx, request)))


@route("POST", *_paths("/{}/cancel"), dialect="openai")
async def cancel(ctx: Context, request: HttpRequest) -> Reply:
    """Stop a job; no model comes of it."""
    return json_reply(write_job(await _known(openai.cancel, ctx, request)))


@route("POST", *_paths("/{}/pause"), dialect="openai")
async def pause(ctx: Context, request: HttpRequest) -> Reply:
    """Stop a job for now; its newest checkpoint is kept."""
    return json_reply(write_job(await _known(openai.pause, ctx, request)))


@route("POST", *_paths("/{}/resume"), dialect="openai")
async def resume(ctx: Context, request: HttpRequest) -> Reply:
    """Let a job that was paused go on."""
    return json_reply(write_job(await _known(openai.resume, ctx, request)))


@route("GET", *_paths("/{}/events"), dialect="openai")
async def events(ctx: Context, request: HttpRequest) -> Reply:
    """What happened so far, the newest first."""
    found = await _known(openai.get, ctx, request)
    every = await asyncio.to_thread(openai.events, ctx.platform.settings.home, found)
    return list_reply(every, request.parameters(), write=dict, default=20, most=1000)


@route("GET", *_paths("/{}/checkpoints"), dialect="openai")
async def checkpoints(ctx: Context, request: HttpRequest) -> Reply:
    """The checkpoints that can be asked: the model itself, once it is there."""
    found = await _known(openai.get, ctx, request)
    every = await asyncio.to_thread(openai.checkpoints, ctx.platform.settings.home, found)
    return list_reply(every, request.parameters(), write=dict, default=10, most=100)


def write_job(job: Job) -> dict[str, Any]:
    """A job as clients read it."""
    status = openai.status_of(job)
    settings = job.settings
    multiplier = settings["learning_rate"] / FACTS[settings["method"]].learning_rate
    hyperparameters = {
        "n_epochs": _plain(settings["epochs"]),
        "batch_size": settings["batch_size"],
        "learning_rate_multiplier": _plain(multiplier),
    }
    error = {"code": "job_failed", "message": job.message, "param": None} if status == "failed" else None
    return {
        "id": job.name,
        "object": "fine_tuning.job",
        "created_at": _seconds(job.created_at),
        "finished_at": _seconds(job.ended_at) if status in ("succeeded", "failed", "cancelled") else None,
        "model": job.echoed["model"],
        "fine_tuned_model": openai.fine_tuned_model(job) if status == "succeeded" else None,
        "organization_id": f"org-{job.account}",
        "status": status,
        "error": error,
        "estimated_finish": None,
        "hyperparameters": hyperparameters,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "integrations": [],
        "metadata": dict(job.echoed.get("metadata", {})) or None,
        "result_files": [job.facts["result_file"]] if "result_file" in job.facts else [],
        "seed": settings["seed"],
        "trained_tokens": job.facts.get("trained_tokens") if status == "succeeded" else None,
        "training_file": job.training.uri,
        "validation_file": job.validation[0].uri if job.validation else None,
        "user_provided_suffix": job.echoed.get("suffix") or None,
    }


def _create(ctx: Context, fields: Fields) -> Job:
    training = _file(ctx, fields, "training_file")
    validation = _file(ctx, fields, "validation_file") if "validation_file" in fields else None
    suffix = fields.text("suffix") or ""
    if len(suffix) > _LONGEST_SUFFIX:
        raise fields.wrong("suffix", f"It has at most {_LONGEST_SUFFIX} characters")
    model = fields.text("model") or ""
    try:
        base_name = resolve(ctx, model).model.short_name
    except NotFound as error:
        raise NotHere(error.message, param="model", code="model_not_found") from error
    hyperparameters = _hyperparameters(ctx, fields, training)
    seed = fields.integer("seed", 0, 2**31 - 1)
    if seed is not None:
        hyperparameters["seed"] = str(seed)
    wish = NewJob(
        name=f"ftjob-{short_id(24)}",
        model_name=openai.model_name(base_name, suffix),
        role_arn="",
        base=model,
        type="FINE_TUNING",
        training=Source(training.id),
        validation=(Source(validation.id),) if validation else (),
        output_uri="",
        hyperparameters=hyperparameters,
        wire="openai",
        echoed={"model": model, "base_name": base_name, "suffix": suffix, "metadata": _metadata(fields)},
    )
    return create_job(ctx, wish)


def _file(ctx: Context, fields: Fields, name: str) -> StoredFile:
    file_id = fields.text(name) or ""
    try:
        file = get_file(ctx.platform, ctx.account, ctx.region, file_id)
    except NotFound as error:
        raise BadParameter(error.message, param=name, code="file_not_found") from error
    if file.purpose != "fine-tune":
        raise fields.wrong(name, f"The file's purpose is {file.purpose!r}; it must be 'fine-tune'")
    return file


def _hyperparameters(ctx: Context, fields: Fields, training: StoredFile) -> dict[str, str]:
    """OpenAI's names as ours; others are ours already."""
    method = fields.record("method")
    kind = method.text("type") or "supervised"
    if kind != "supervised":
        raise method.unsupported("type", f"{kind!r} is not built; 'supervised' is")
    method.only(("type", "supervised"))
    wish = method.record("supervised").record("hyperparameters")
    if "hyperparameters" in fields:
        wish = fields.record("hyperparameters")
    count = sum(piece.count(b"\n") for piece in read_file(ctx.platform, training)) + 1
    epochs: float | None = None if wish.raw("n_epochs") == _AUTO else wish.number("n_epochs", 1, 1000)
    batch = None if wish.raw("batch_size") == _AUTO else wish.integer("batch_size", 1, 4096)
    rate = wish.raw("learning_rate_multiplier")
    found = {
        "epochs": str(epochs or _auto_epochs(count)),
        "batch_size": str(batch or max(1, min(_AUTO_BATCH, count // _AUTO_STEPS))),
    }
    if rate not in (None, _AUTO):
        found["learningRateMultiplier"] = str(wish.number("learning_rate_multiplier", 0.01, 100))
    return found


def _auto_epochs(examples: int) -> int:
    """Few examples are seen more often."""
    return max(_LEAST_AUTO_EPOCHS, min(_MOST_AUTO_EPOCHS, math.ceil(_AUTO_EXAMPLES / examples)))


def _metadata(fields: Fields) -> Mapping[str, str]:
    found = fields.raw("metadata") or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise fields.wrong_type("metadata", "an object of strings")
    if len(found) > _MOST_METADATA or any(
        len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE for key, value in found.items()
    ):
        raise fields.wrong(
            "metadata",
            f"It has at most {_MOST_METADATA} keys of {_LONGEST_KEY} characters, and values of {_LONGEST_VALUE}",
        )
    return found


def _plain(number: float) -> float | int:
    """Whole numbers without a fraction."""
    rounded = round(number, 6)
    return int(rounded) if rounded == int(rounded) else rounded


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


async def _known(find: Callable[[Context, str], T], ctx: Context, request: HttpRequest) -> T:
    try:
        return await asyncio.to_thread(find, ctx, request.path_values[0])
    except NotFound as error:
        raise NotHere(f"Could not find fine tune: {request.path_values[0][:100]}", param="fine_tune_id") from error
