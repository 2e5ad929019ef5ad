"""An import's steps: fetch the files, check and convert them in a process of their own, put the model in place, try it.

Nothing of a stranger's directory is trusted: names, sizes, headers, templates and configurations are looked at before
anything loads them (`catalog/checks.py`), and the model counts as imported once it has answered.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection

from rocamadre.catalog.checks import check_name, choose_files
from rocamadre.catalog.host import LocalHost
from rocamadre.catalog.pull import MANIFEST
from rocamadre.catalog.rows import Facts
from rocamadre.catalog.targets import IMPORTED as NO_BASE
from rocamadre.catalog.targets import Target, change_target, delete_target, insert_target
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.customization.cards import write_card
from rocamadre.customization.imports import JOB_KIND, KIND
from rocamadre.customization.model_tables import change_row, insert_row, note_removals, select_row
from rocamadre.customization.model_types import CustomModel, ImportedModel, ImportJob
from rocamadre.customization.models import fail_custom_model, register_custom_model, sweep
from rocamadre.customization.trial import try_model
from rocamadre.engines.memory import figure
from rocamadre.jobs.launchers.process import ProcessLauncher
from rocamadre.jobs.rundir import RunDir, read_json, write_json
from rocamadre.jobs.runner import JobKind, JobPlatform, Outcome, RunStopped, Step, Work
from rocamadre.store.objects.protocol import ObjectInfo, parse_uri
from rocamadre.store.sql.tags import forget_tags

CHILD = "rocamadre.customization.import_child"
_ROOM = 2.2
"""Disk that an import takes, in times of what it fetches: the files, and what they are converted to."""


def fetch(work: Work) -> dict[str, Any]:
    """Bring the files here; what came before a kill is kept.

    Raises:
        InvalidRequest: nothing there can be run, a name leads out of the folder, or it is too large.
        NotFound: the bucket is not there.
    """
    job, platform = _job(work), work.platform
    sweep(LocalHost(platform.settings, platform.sql, platform.clock))
    folder = run_dir(platform, job)
    found = _listed(platform, job)
    names = choose_files([check_name(name) for name in found])
    chosen = {name: found[name] for name in names}
    total = sum(info.size_bytes for info in chosen.values())
    folder.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    _check_room(platform, job, folder, total)
    etags = {name: info.etag for name, info in chosen.items()}
    if read_json(folder.path / "etags.json") != etags:  # the first try, or they were replaced since
        shutil.rmtree(folder.work, ignore_errors=True)
        (folder.path / "spec.json").unlink(missing_ok=True)
        folder.work.mkdir(parents=True, mode=0o700)
        write_json(folder.path / "etags.json", etags)
    for name, info in chosen.items():
        _fetch_file(work, job, folder, name, info)
    spec = {"files": names, "name": job.model_name, "provider": "imported", "origin": job.source_uri}
    folder.begin(spec)
    return {"files": len(names), "size_bytes": total}


def convert(work: Work) -> dict[str, Any]:
    """Check and convert in a child, which the worker may outlive or not."""
    job = _job(work)
    launcher = ProcessLauncher(os.environ)
    done = launcher.run(CHILD, run_dir(work.platform, job), stop_requested=work.stop_requested)
    return {name: done[name] for name in ("facts", "architecture", "instruct", "notes", "sha256")}


def place(work: Work) -> dict[str, Any]:
    """Move the model to where it stays, and try it out."""
    job, platform = _job(work), work.platform
    facts = msgspec.convert(work.results["convert"]["facts"], Facts)
    folder = folder_of(job)
    target = platform.settings.home / "models" / folder
    if not (target / MANIFEST).is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        (run_dir(platform, job).work / "model").rename(target)
    with platform.sql.begin() as tx:
        delete_target(tx, job.model_arn)
        insert_target(tx, _target(job, folder, facts))
    embeds = "EMBEDDING" in facts.output_modalities
    try_model(work, job.model_arn, account=job.account, region=job.region, embeds=embeds)
    write_card(target, _shown(work, job, facts))
    return {"folder": folder}


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Register the model, or say why there is none."""
    job = select_row(tx, ImportJob, work.run_id)
    if job is None or job.status != "InProgress":
        return
    now = work.platform.clock.now()
    gone = job.kind != KIND and select_row(tx, CustomModel, job.model_arn) is None
    reason = "the model was deleted while it was created" if gone else ""
    if outcome.end != "completed":
        reason = outcome.reason or "it was stopped"
    if reason:
        note_removals(tx, [folder_of(job)])
        if job.kind == KIND or gone:
            delete_target(tx, job.model_arn)
            forget_tags(tx, job.model_arn)
        else:
            fail_custom_model(tx, job.model_arn, reason)
        change_row(tx, ImportJob, job.arn, status="Failed", message=reason[:2048], updated_at=now, ended_at=now)
    else:
        _register(tx, work, job)
        change_row(tx, ImportJob, job.arn, status="Completed", updated_at=now, ended_at=now)
    run_dir(work.platform, job).discard()


JOB = JobKind(JOB_KIND, (Step("fetch", fetch), Step("convert", convert), Step("place", place)), settle)


def run_dir(platform: JobPlatform, job: ImportJob) -> RunDir:
    """Where the import keeps what it has."""
    return RunDir(platform.settings.home / "runs" / f"import-{hashlib.sha256(job.arn.encode()).hexdigest()[:16]}")


def folder_of(job: ImportJob) -> str:
    """Where the weights go, below `<home>/models`."""
    return f"{'imported' if job.kind == KIND else 'custom'}-{job.model_arn.rpartition('/')[2]}"


def _register(tx: Connection, work: Work, job: ImportJob) -> None:
    converted, now = work.results["convert"], work.platform.clock.now()
    facts = msgspec.convert(converted["facts"], Facts)
    origin = {"origin": job.source_uri, **{name: converted[name] for name in ("architecture", "notes", "sha256")}}
    if job.kind == KIND:
        model = ImportedModel(
            arn=job.model_arn,
            account=job.account,
            region=job.region,
            id=job.model_arn.rpartition("/")[2],
            name=job.model_name,
            job_arn=job.arn,
            job_name=job.name,
            source_uri=job.source_uri,
            architecture=converted["architecture"],
            instruct=converted["instruct"],
            folder=work.results["place"]["folder"],
            created_at=now,
            facts=origin,
        )
        insert_row(tx, model)
        change_target(tx, job.model_arn, state="ready")
        return
    register_custom_model(
        tx,
        account=job.account,
        region=job.region,
        name=job.model_name,
        arn=job.model_arn,
        base_model_id=NO_BASE,
        base_model_arn=job.model_arn,
        foundation_arn="",
        customization_type="IMPORTED",
        job_arn="",
        folder=work.results["place"]["folder"],
        file=facts.file,
        engine=facts.engine,
        options=facts.options,
        size_bytes=facts.size_bytes,
        parameters=facts.parameters,
        context_length=facts.context_length,
        output_modalities=facts.output_modalities,
        dimensions=facts.dimensions,
        facts={**origin, "licence": facts.licence, "languages": list(facts.languages)},
        created_at=now,
    )


def _target(job: ImportJob, folder: str, facts: Facts) -> Target:
    values = msgspec.to_builtins(facts) | {"source": "imported" if job.kind == KIND else "custom"}
    return Target(
        arn=job.model_arn,
        account=job.account,
        region=job.region,
        kind=job.kind,
        id=job.model_arn.rpartition("/")[2],
        name=job.model_name,
        state="creating",
        reason="",
        base_id=NO_BASE,
        folder=folder,
        facts=msgspec.convert(values, Facts),
    )


def _shown(work: Work, job: ImportJob, facts: Facts) -> dict[str, Any]:
    """For the card."""
    return {
        "name": job.model_name,
        "arn": job.model_arn,
        "origin": job.source_uri,
        "created_at": work.platform.clock.now().isoformat(),
        "licence": facts.licence,
        "languages": list(facts.languages),
        "parameters": facts.parameters,
        "size_bytes": facts.size_bytes,
        "context_length": facts.context_length,
        "engine": facts.engine,
        **{name: work.results["convert"][name] for name in ("architecture", "notes", "sha256")},
    }


def _job(work: Work) -> ImportJob:
    with work.platform.sql.connect() as connection:
        job = select_row(connection, ImportJob, work.run_id)
    if job is None:
        raise NotFound(f"{work.run_id} is gone")
    return job


def _listed(platform: JobPlatform, job: ImportJob) -> dict[str, ObjectInfo]:
    """The objects below the source, by name relative to it.

    Raises:
        InvalidRequest: there are none.
    """
    bucket, prefix = parse_uri(job.source_uri)
    prefix = f"{prefix.rstrip('/')}/".lstrip("/")
    found = {info.key[len(prefix) :]: info for info in platform.objects.of(job.account).list(bucket, prefix)}
    found.pop("", None)  # the folder's own mark
    if not found:
        raise InvalidRequest(f"there is no object below s3://{bucket}/{prefix}; give the folder that holds the model")
    return {name: info for name, info in found.items() if not name.endswith("/")}


def _check_room(platform: JobPlatform, job: ImportJob, folder: RunDir, total: int) -> None:
    most = platform.settings.catalog.max_import_bytes
    if total > most:
        raise InvalidRequest(
            f"{job.source_uri} holds {figure(total)}; at most {figure(most)} are imported (setting "
            "catalog.max_import_bytes)"
        )
    free = shutil.disk_usage(folder.path).free
    if total * _ROOM > free:
        raise InvalidRequest(f"the import takes about {figure(total * _ROOM)} of disk, and {figure(free)} are free")


def _fetch_file(work: Work, job: ImportJob, folder: RunDir, name: str, info: ObjectInfo) -> None:
    target = folder.work / "files" / name
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    objects = work.platform.objects.of(job.account)
    written = 0
    with partial.open("wb") as stream:
        for piece in _watched(work, objects.stream(info.bucket, info.key)):
            written += stream.write(piece)
        stream.flush()
        os.fsync(stream.fileno())
    if written != info.size_bytes or objects.head(info.bucket, info.key).etag != info.etag:
        raise InvalidRequest(f"s3://{info.bucket}/{info.key} was replaced while it was fetched")
    partial.rename(target)


def _watched(work: Work, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces, until somebody asks the job to stop; looked at every 64 MiB."""
    for number, piece in enumerate(pieces):
        if number % 64 == 63 and work.stop_requested():
            raise RunStopped
        yield piece
