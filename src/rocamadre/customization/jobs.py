"""A customization job's steps: bring the data into form, train, publish what came of it, let it answer.

Training and publishing run in processes of their own, below the job's run folder; see `jobs/launchers/process.py`. A
step that is done again finds what was written down: the canonical data, the trainer's checkpoints, the published model.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from rocamadre.catalog.operations import find_model
from rocamadre.catalog.targets import select_target
from rocamadre.catalog.types import Model
from rocamadre.core.errors import Conflict, NotFound
from rocamadre.customization.cards import write_model_card
from rocamadre.customization.data import certificate_prompts, data_facts, forgetting_sets, write_data
from rocamadre.customization.hyperparameters import published
from rocamadre.customization.models import register_custom_model
from rocamadre.customization.openai import RESULTS, result_file_id, result_lines
from rocamadre.customization.operations import KIND as KIND_NAME
from rocamadre.customization.outputs import metrics_files, put_outputs
from rocamadre.customization.progress import PUBLISH, run_dir
from rocamadre.customization.room import foresee, wait_for_room, watching
from rocamadre.customization.tables import move, move_part, select_by_arn, select_ended, write_facts
from rocamadre.customization.types import Job, Part, PartStatus, Status, arn_of
from rocamadre.files.operations import write_file
from rocamadre.jobs.launchers.process import ProcessLauncher, process_of
from rocamadre.jobs.rundir import RunDir
from rocamadre.jobs.runner import JobKind, JobPlatform, Outcome, RunStopped, Step, Work
from rocamadre.store.sql.tags import add_tags
from rocamadre.training.methods.facts import FACTS
from rocamadre.training.preflight.estimate import compare

logger = logging.getLogger(__name__)

TRAINER = "rocamadre.training.run"
PUBLISHER = "rocamadre.training.publish"

_ENDS: Mapping[str, Status] = {"completed": "Completed", "stopped": "Stopped", "failed": "Failed"}


def prepare(work: Work) -> dict[str, Any]:
    """Read and check the data, let the teacher answer where there is one, and write what is trained on.

    Raises:
        InvalidRequest: a record is wrong; the message names it.
        NotFound: an object, or the base, is gone.
        RunStopped: it was asked to.
    """
    job, platform = _job(work), work.platform
    base = base_of(platform, job)
    assert base.path is not None
    forget_old(platform)
    folder = run_dir(platform.settings.home, job.arn)
    folder.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    _move_part(work, "validation", "InProgress")
    with folder.held():
        counts = write_data(work, job, base.path, folder, lambda part, status: _move_part(work, part, status))
    _write_facts(work, counts)
    return counts


def train(work: Work) -> dict[str, Any]:
    """Train in a process of its own, from its newest checkpoint if it was begun before.

    Raises:
        RocamadreError: it failed; the trainer's own sentence.
        RunStopped: it was asked to.
    """
    job, platform = _job(work), work.platform
    folder = run_dir(platform.settings.home, job.arn)
    base = base_of(platform, job)
    _write_part(work, "training", "InProgress")
    foreseen = foresee(work, job, base, folder)
    if folder.result() is None and process_of(folder) is None:
        wait_for_room(work, base, folder, foreseen)
    folder.begin(_training_spec(platform, job, base, folder))
    result = _run(TRAINER, folder, watching(work, folder))
    losses = [result["validation_loss"]] if result.get("validation_loss") is not None else []
    facts = {"training_loss": result["loss"], "validation_losses": losses, "steps": result["steps"]}
    begun = next((event for event in folder.progress() if event.get("event") == "started"), {})
    compared = [each._asdict() for each in compare(foreseen, {**result, "trainable": begun.get("trainable")})]
    if "forgetting" in result:
        facts["forgetting"] = result["forgetting"]
    _write_facts(work, {**facts, "trained_tokens": result["tokens"], "foreseen": compared})
    return result


def publish(work: Work) -> dict[str, Any]:
    """Make the model that is served, and see that it is the model that was trained.

    Raises:
        RocamadreError: it is not, or could not be made.
        RunStopped: it was asked to.
    """
    job, platform = _job(work), work.platform
    folder = run_dir(platform.settings.home, job.arn)
    child = RunDir(folder.path / PUBLISH)
    trained, how = work.results["train"], published(job.hyperparameters)
    method = FACTS[trained["method"]]
    child.begin(
        {
            "base": str(base_of(platform, job).path),
            "trained": str(folder.work / trained["model"]),
            "method": trained["method"],
            "method_settings": job.settings.get("method_settings", {}),
            "destination": str(platform.settings.home / "models" / model_folder(job)),
            "kinds": [how["weights"]],
            "name": job.model_name,
            "serving": how["serving"] if method.mergeable else "adapter",
            "prompts": certificate_prompts(folder),
        }
    )
    return _run(PUBLISHER, child, work.stop_requested)


def register(work: Work) -> dict[str, Any]:
    """Write the metrics where they were wanted, and let the model answer.

    Raises:
        Conflict: another model took the name meanwhile; the weights are removed.
        NotFound: the output's bucket is gone.
    """
    job, platform = _job(work), work.platform
    folder = run_dir(platform.settings.home, job.arn)
    put_outputs(platform.objects.of(job.account), job, metrics_files(folder.progress()))
    if job.wire == "openai":
        _write_facts(work, {"result_file": _keep_results(platform, job, folder)})
    base = base_of(platform, job)
    result = work.results["publish"]
    root = platform.settings.home / "models" / model_folder(job)
    try:
        with platform.sql.begin() as tx:
            register_custom_model(
                tx,
                account=job.account,
                region=job.region,
                name=job.model_name,
                arn=job.model_arn,
                base_model_id=job.base_id,
                base_model_arn=job.base_arn,
                customization_type=job.type,
                job_arn=job.arn,
                folder=model_folder(job),
                file=_file_of(result["path"], root),
                engine=result["engine"],
                options=result["options"],
                size_bytes=result["size_bytes"],
                parameters=result["parameters"],
                context_length=result["context_length"],
                facts=_model_facts(job, base, work),
                created_at=platform.clock.now(),
            )
            add_tags(tx, job.model_arn, job.model_tags)
    except Conflict:
        shutil.rmtree(root, ignore_errors=True)
        raise
    write_model_card(platform.sql, platform.settings.home / "models", job.model_arn)
    return {"model": job.model_arn}


def tidy(work: Work) -> None:
    """Remove what was only needed on the way; what was said while it ran stays."""
    let_go(run_dir(work.platform.settings.home, arn_of(work.run_id)))


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Write how the job ended."""
    now = work.platform.clock.now()
    status, arn = _ENDS[outcome.end], arn_of(work.run_id)
    if status == "Completed":
        move_part(tx, arn, "training", "Completed", now=now)
    move(tx, arn, status, now=now, message=outcome.reason)


KIND = JobKind(
    KIND_NAME,
    (
        Step("prepare", prepare),
        Step("train", train),
        Step("publish", publish),
        Step("register", register),
        Step("tidy", tidy),
    ),
    settle,
    heavy=True,
)


def base_of(platform: JobPlatform, job: Job) -> Model:
    """The model that a job trains.

    Raises:
        NotFound: it was removed meanwhile.
    """
    if not job.local_id.startswith("arn:"):
        model = find_model(platform, job.local_id)
    else:
        with platform.sql.connect() as connection:
            target = select_target(connection, job.account, job.region, job.local_id)
        if target is None or target.facts is None:
            raise NotFound(f"the base {job.local_id} was deleted")
        model = target.model(platform.settings.home / "models")
    if model.path is None or not model.path.exists():
        raise NotFound(f"the weights of {model.id} are gone")
    return model


def model_folder(job: Job) -> str:
    """The published model's folder below `<home>/models`."""
    return f"custom-{job.model_arn.rpartition('/')[2]}"


def _run(module: str, folder: RunDir, stop_requested: Callable[[], bool]) -> dict[str, Any]:
    return ProcessLauncher(os.environ).run(module, folder, stop_requested=stop_requested)


def _file_of(path: str, root: Path) -> str:
    """Where a model's weights are, seen from its folder: in it, or those of its base, wherever that is."""
    if Path(path) == root:
        return ""
    return os.path.relpath(path, root) if Path(path).is_relative_to(root.parent) else path


def _training_spec(platform: JobPlatform, job: Job, base: Model, folder: RunDir) -> dict[str, Any]:
    return {
        "base": str(base.path),
        "objective": "text" if job.type == "CONTINUED_PRE_TRAINING" else "chat",
        "train": [str(folder.work / "train.jsonl")],
        "validation": [str(path) for path in sorted(folder.work.glob("validation-*.jsonl"))],
        "settings": dict(job.settings),
        "forgetting": {
            name: str(folder.work / "forgetting" / f"{name}.jsonl") for name in forgetting_sets(job.settings).values()
        },
    }


def _model_facts(job: Job, base: Model, work: Work) -> dict[str, Any]:
    trained, result = work.results["train"], work.results["publish"]
    names = ("steps", "loss", "validation_loss", "best_step", "tokens", "seconds", "peak_memory_bytes")
    return {
        "method": trained["method"],
        "settings": dict(job.settings),
        "hyperparameters": dict(job.hyperparameters),
        "data": work.results["prepare"],
        "metrics": {name: trained.get(name) for name in names},
        "forgetting": trained.get("forgetting", {}),
        "certificate": result.get("certificate", {}),
        "base": {"id": base.id, "name": base.name},
        "licence": base.licence,
        "languages": list(base.languages),
        "environment": data_facts(),
    }


def _keep_results(platform: JobPlatform, job: Job, folder: RunDir) -> str:
    file_id = result_file_id(job)
    write_file(
        platform,
        result_lines(folder.progress()),
        account=job.account,
        region=job.region,
        name="step_metrics.csv",
        purpose=RESULTS,
        file_id=file_id,
    )
    return file_id


def forget_old(platform: JobPlatform) -> None:
    """Remove what jobs that were stopped, or failed, left to be resumed from, when its time has come."""
    before = platform.clock.now() - timedelta(days=platform.settings.jobs.resumable_days)
    with platform.sql.connect() as connection:
        for arn in select_ended(connection, before=before):
            let_go(run_dir(platform.settings.home, arn))


def let_go(folder: RunDir) -> None:
    """Remove what is only needed to train; what was said while it ran stays."""
    for name in ("work", "checkpoints"):
        shutil.rmtree(folder.path / name, ignore_errors=True)


def _job(work: Work) -> Job:
    with work.platform.sql.connect() as connection:
        job = select_by_arn(connection, arn_of(work.run_id))
    if job is None:
        raise NotFound(f"{work.run_id} is gone")
    return job


def _move_part(work: Work, part: Part, status: PartStatus) -> None:
    if work.stop_requested():
        raise RunStopped
    _write_part(work, part, status)


def _write_part(work: Work, part: Part, status: PartStatus) -> None:
    with work.platform.sql.begin() as tx:
        move_part(tx, arn_of(work.run_id), part, status, now=work.platform.clock.now())


def _write_facts(work: Work, facts: dict[str, Any]) -> None:
    with work.platform.sql.begin() as tx:
        write_facts(tx, arn_of(work.run_id), facts, now=work.platform.clock.now())
